"""Ready is said of tasks that this process has seen run for long enough, or that were called ready before."""

from __future__ import annotations

from typing import Any

import pytest

from controller.kit import clock
from controller.loop.stability import Stability
from controller.records import Key
from reconcilers.ports import ServiceProgress

KEY = Key("environment", "e")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "monotonic", made)
    return made


def rollout(*tasks: str, desired: int | None = None, **changes: Any) -> ServiceProgress:
    wanted = len(tasks) if desired is None else desired
    return ServiceProgress("web", wanted, len(tasks), 0, 0, tasks=tasks, **changes)


def judged(
    stability: Stability, found: ServiceProgress, status: dict[str, Any] | None = None, generation: int = 7
) -> ServiceProgress:
    return stability.judge(KEY, [found], status, generation)[0]


def said(found: ServiceProgress, ready: str = "True") -> dict[str, Any]:
    """A status of generation 7 that speaks of these tasks."""
    return {
        "observed_generation": 7,
        "conditions": [{"type": "Ready", "status": ready}],
        "details": {"services": {"web": {"tasks": found.digest}}},
    }


def test_tasks_are_stable_when_all_of_them_have_run_for_long_enough(time: Clock) -> None:
    stability = Stability(5.0)
    first = judged(stability, rollout("a", desired=2))
    assert not first.stable
    time.now += 3
    found = judged(stability, rollout("a", "b"))
    assert (found.stable, round(found.settles_in)) == (False, 5)
    time.now += 5
    assert judged(stability, rollout("a", "b")).stable


def test_a_task_in_another_s_place_begins_anew(time: Clock) -> None:
    stability = Stability(5.0)
    judged(stability, rollout("a"))
    time.now += 60
    assert not judged(stability, rollout("b")).stable


def test_what_was_called_ready_is_stable_also_for_a_process_that_has_just_begun(time: Clock) -> None:
    found = rollout("a", "b", failures=1)
    assert judged(Stability(5.0), found, said(found)).stable
    assert judged(Stability(5.0), found, said(found), generation=8).stable, "only labels have changed"
    assert not judged(Stability(5.0), found, said(found, "False")).stable


def test_what_took_the_place_of_ready_tasks_is_ready_unless_one_ended_by_itself(time: Clock) -> None:
    before = said(rollout("a", "b"))
    found = judged(Stability(5.0), rollout("a", "c"), before)
    assert found.stable
    assert found.vouched == rollout("a", "b").digest, "and nothing is written anew"
    assert not judged(Stability(5.0), rollout("a", "c", failures=1), before).stable
    assert not judged(Stability(5.0), rollout("a", "c"), before, generation=8).stable, "something else is wanted"


def test_each_task_that_ended_before_doubles_the_time(time: Clock) -> None:
    stability = Stability(5.0)
    found = judged(stability, rollout("a", failures=2))
    assert round(found.settles_in) == 20
    time.now += 19
    assert not judged(stability, rollout("a", failures=2)).stable
    time.now += 1
    assert judged(stability, rollout("a", failures=2)).stable


def test_what_wants_no_task_is_stable_at_once(time: Clock) -> None:
    assert judged(Stability(5.0), rollout()).stable
    assert not judged(Stability(5.0), rollout(stopping=1)).stable


def test_what_is_ready_is_proven_later(time: Clock) -> None:
    stability = Stability(5.0)
    judged(stability, rollout("a"))
    time.now += 10
    found = judged(stability, rollout("a"))
    assert (found.stable, round(found.proves_in)) == (True, 20)
    time.now += 21
    assert judged(stability, rollout("a")).proves_in == 0.0


def test_nothing_is_remembered_of_what_is_forgotten(time: Clock) -> None:
    stability = Stability(5.0)
    judged(stability, rollout("a"))
    stability.forget(KEY)
    time.now += 60
    assert not judged(stability, rollout("a")).stable
