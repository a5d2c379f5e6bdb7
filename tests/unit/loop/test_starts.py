"""A task that starts is given up by this process's own clock, from when it was first seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.kit import clock
from controller.loop import inventory
from controller.loop.starts import Starts, remembered
from controller.records import InventoryUpdate, Key
from reconcilers.ports import ServiceProgress
from tests.unit.loop.test_inventory import ONE, TWO, row

pytestmark = pytest.mark.anyio
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


def starting(*tasks: str, service: str = "web", **changes: Any) -> ServiceProgress:
    return ServiceProgress(service, 2, 0, 2, 0, starting=tasks, starts_within=30.0, **changes)


async def judged(
    starts: Starts, *found: ServiceProgress, key: Key = KEY, already: Sequence[float] | None = ()
) -> list[float | None]:
    """``already``: what the engine says when it is asked, empty: nothing; None: nobody asks."""

    async def ask(rollout: ServiceProgress) -> Sequence[float]:
        assert already is not None, "the engine was asked"
        return already or [0.0 for _ in rollout.starting]

    return [each.ends_in for each in await starts.judge(key, found, ask)]


async def test_each_task_has_its_time_from_when_it_was_first_seen(time: Clock) -> None:
    starts = Starts()
    assert await judged(starts, starting("a")) == [30.0]
    time.now += 20
    assert await judged(starts, starting("a", "b")) == [10.0]
    assert await judged(starts, starting("b")) == [30.0], "another one that starts anew has its own time"
    time.now += 31
    assert await judged(starts, starting("b")) == [-1.0]
    assert starting("b", ends_in=-1.0).unhealthy
    assert await judged(starts, ServiceProgress("web", 2, 2, 0, 0)) == [None]
    assert await judged(starts, starting("b")) == [30.0], "what was healthy meanwhile starts anew"


async def test_what_one_look_does_not_ask_of_is_not_forgotten(time: Clock) -> None:
    starts = Starts()
    await judged(starts, starting("a"), starting("b", service="worker"))
    time.now += 10
    assert await judged(starts, starting("b", service="worker")) == [20.0]
    assert await judged(starts, starting("a"), key=Key("environment", "other")) == [30.0]
    assert await judged(starts, starting("a")) == [20.0]
    starts.forget(KEY)
    assert await judged(starts, starting("a")) == [30.0]


async def test_a_process_that_has_just_begun_to_lead_asks_how_long_a_task_has_been_starting(time: Clock) -> None:
    found = starting("a")
    starts = Starts()
    assert await judged(starts, found, already=[25.0]) == [5.0]
    assert await judged(starts, replace(found, starting=("b",)), already=None) == [30.0], "begun under its eyes"
    starts = Starts()
    assert await judged(starts, starting("a", "b"), already=[10.0, 25.0]) == [5.0]
    assert await judged(starts, starting("a"), already=None) == [20.0], "each has its own time"
    assert await judged(Starts(), replace(found, starts_within=None), already=None) == [None], "the engine ends it"
    starts = Starts()
    time.now += 600
    assert await judged(starts, found, already=None) == [30.0], "it has looked at everything by now"


def test_that_a_task_was_late_is_remembered_until_all_have_stayed_up_or_something_else_is_to_run() -> None:
    late = remembered(starting("a", ends_in=0.0), "v1", {})
    assert (late.overdue, late.looped, late.never_healthy) == (30.0, False, True)
    said = late.details
    assert said == {"desired": 2, "overdue": 30.0, "version": "v1"}
    next_one = remembered(starting("b", ends_in=20.0), "v1", said)
    assert next_one.details == said, "another task is started, and nothing is written"
    assert remembered(ServiceProgress("web", 2, 2, 0, 0, images=("x",)), "v1", said).details == said, "for a moment"
    assert not remembered(starting("b", ends_in=20.0), "v2", said).never_healthy
    assert not remembered(starting("b", ends_in=20.0), "", said).never_healthy
    for over in ({"stable": True}, {"blocked": "it failed"}, {"desired": 0}):
        assert not remembered(replace(next_one, overdue=0.0, **over), "v1", said).never_healthy, over
    looping = remembered(starting("c", ends_in=20.0, failures=3), "v1", said)
    assert looping.details == {**said, "looped": True}
    assert remembered(starting("d", ends_in=20.0, failures=1), "v1", looping.details).looping
    assert not remembered(starting("a", ends_in=0.1, failures=3), "v1", {}).never_healthy


async def test_a_wall_clock_that_jumps_changes_nothing(time: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = Starts()
    await judged(starts, starting("a"))
    monkeypatch.setattr(clock, "wall", lambda: 9e9)
    assert await judged(starts, starting("a")) == [30.0]


def test_a_new_version_that_is_never_healthy_has_failed_where_there_is_one_to_go_back_to() -> None:
    late = starting("a", ends_in=0.0)
    found = inventory.lesson(late, TWO, row(last_good=ONE.spec))
    assert found.gives_up
    assert found.update == InventoryUpdate("service", TWO.name, failed_hash=TWO.template_hash)
    for nothing in (row(last_good=TWO.spec), row(), None):
        assert not inventory.lesson(late, TWO, nothing).gives_up
    assert not inventory.lesson(starting("a", ends_in=0.1), TWO, row(last_good=ONE.spec)).gives_up
    assert not inventory.goes_well(late)
