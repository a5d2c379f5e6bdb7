"""Ready is said of tasks that this process has seen run for long enough, or that were called ready before."""

from __future__ import annotations

from typing import Any

import pytest

from controller.kit import clock
from controller.loop.stability import Stability
from controller.records import Key
from reconcilers.ports import ServiceProgress

KEY = Key("environment", "e")


def database_time() -> tuple[float, float]:
    """Exactly known."""
    return clock.wall(), clock.wall()


class Clock:
    now = 1000.0
    wall = 1e9

    def __call__(self) -> float:
        return self.now

    def goes(self, seconds: float) -> None:
        """Both clocks."""
        self.now, self.wall = self.now + seconds, self.wall + seconds


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(clock, "monotonic", made)
    monkeypatch.setattr(clock, "wall", lambda: made.wall)
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
    stability = Stability(5.0, database_time)
    first = judged(stability, rollout("a", desired=2))
    assert not first.stable
    time.now += 3
    found = judged(stability, rollout("a", "b"))
    assert (found.stable, round(found.settles_in)) == (False, 5)
    time.now += 5
    assert judged(stability, rollout("a", "b")).stable


def test_a_task_in_another_s_place_begins_anew(time: Clock) -> None:
    stability = Stability(5.0, database_time)
    judged(stability, rollout("a"))
    time.now += 60
    assert not judged(stability, rollout("b")).stable


def test_what_was_called_ready_is_stable_also_for_a_process_that_has_just_begun(time: Clock) -> None:
    found = rollout("a", "b", failures=1)
    assert judged(Stability(5.0, database_time), found, said(found)).stable
    assert judged(Stability(5.0, database_time), found, said(found), generation=8).stable, "only labels have changed"
    assert not judged(Stability(5.0, database_time), found, said(found, "False")).stable


def test_what_took_the_place_of_ready_tasks_is_ready_unless_one_ended_by_itself(time: Clock) -> None:
    before = said(rollout("a", "b"))
    found = judged(Stability(5.0, database_time), rollout("a", "c"), before)
    assert found.stable
    assert found.vouched == rollout("a", "b").digest, "and nothing is written anew"
    assert not judged(Stability(5.0, database_time), rollout("a", "c", failures=1), before).stable
    assert not judged(Stability(5.0, database_time), rollout("a", "c"), before, generation=8).stable, (
        "something else is wanted"
    )


def test_each_task_that_ended_before_doubles_the_time(time: Clock) -> None:
    stability = Stability(5.0, database_time)
    found = judged(stability, rollout("a", failures=2))
    assert round(found.settles_in) == 20
    time.now += 19
    assert not judged(stability, rollout("a", failures=2)).stable
    time.now += 1
    assert judged(stability, rollout("a", failures=2)).stable


def test_what_wants_no_task_is_stable_at_once(time: Clock) -> None:
    assert judged(Stability(5.0, database_time), rollout()).stable
    assert not judged(Stability(5.0, database_time), rollout(stopping=1)).stable


def test_what_is_ready_is_proven_later(time: Clock) -> None:
    stability = Stability(5.0, database_time)
    judged(stability, rollout("a"))
    time.now += 10
    found = judged(stability, rollout("a"))
    assert (found.stable, round(found.proves_in)) == (True, 20)
    time.now += 21
    assert judged(stability, rollout("a")).proves_in == 0.0


def test_nothing_is_remembered_of_what_is_forgotten(time: Clock) -> None:
    stability = Stability(5.0, database_time)
    judged(stability, rollout("a"))
    stability.forget(KEY)
    time.now += 60
    assert not judged(stability, rollout("a")).stable


def told(found: ServiceProgress) -> dict[str, Any]:
    """The status that says it."""
    return {"observed_generation": 7, "conditions": [], "details": {"services": {"web": found.details}}}


def test_what_goes_first_is_quiet_since_an_earlier_leader_saw_it(time: Clock) -> None:
    stability = Stability(5.0, database_time)
    assert judged(stability, rollout("a", first=2, desired=4)).details.keys() == {"desired", "running"}
    time.goes(10.4)
    one = judged(stability, rollout("a", "b", first=2, desired=4))
    time.goes(50)
    later = judged(stability, rollout("a", "b", first=2, desired=4), told(one))
    assert (round(later.quiet_seconds), later.details) == (50, one.details), "what is said stays as it is"
    other = judged(Stability(5.0, database_time), rollout("a", "b", first=2, desired=4), told(one))
    assert 49.0 < other.quiet_seconds <= 50.0, "never longer than it was"
    assert other.details == one.details
    time.goes(50)
    again = judged(Stability(5.0, database_time), rollout("a", "b", first=2, desired=4), told(other))
    assert 99.0 < again.quiet_seconds <= 100.0


def test_quiet_time_begins_anew_with_another_task_and_where_nobody_said_since_when(time: Clock) -> None:
    one = judged(Stability(5.0, database_time), rollout("a", "b", first=2, desired=4))
    time.goes(50)
    for found, status in (
        (rollout("a", "c", first=2, desired=4), told(one)),
        (rollout("a", "b", first=2, desired=4), None),
        (rollout("a", "b", first=2, desired=4), {**told(one), "details": {}}),
        (
            rollout("a", "b", first=2, desired=4),
            {**told(one), "details": {"services": {"web": {"first": one.digest}}}},
        ),
    ):
        assert judged(Stability(5.0, database_time), found, status).quiet_seconds == 0.0


@pytest.mark.parametrize("unsure", [(0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (4.0, 7.0)])
def test_it_is_never_longer_than_it_was_however_well_the_database_s_clock_is_known(
    time: Clock, unsure: tuple[float, float]
) -> None:
    def about() -> tuple[float, float]:
        return clock.wall() - unsure[0], clock.wall() + unsure[1]

    one = judged(Stability(5.0, about), rollout("a", "b", first=2, desired=4))
    time.goes(50)
    other = judged(Stability(5.0, about), rollout("a", "b", first=2, desired=4), told(one))
    assert 49.0 - sum(unsure) <= other.quiet_seconds <= 50.0
