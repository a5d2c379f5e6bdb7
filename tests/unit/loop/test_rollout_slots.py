"""Slots for rollouts: so many at once, then in fair turns, and none is lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.kit import clock
from controller.loop.gates.rollout_slots import RolloutSlots
from controller.records import Key


def key(name: str) -> Key:
    return Key("environment", name)


A, B, C, D = map(key, "abcd")


@dataclass
class Desk:
    """Slots, and whose turn has come so far."""

    limit: int = 1
    turns: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rollouts = RolloutSlots(self.limit, longest=100, on_turn=lambda key: self.turns.append(key.id))

    def take(self, key: Key, organization: str = "acme") -> bool:
        return self.rollouts.take(key, organization)

    def over(self, key: Key) -> None:
        self.rollouts.settle(key, moving=False)


def test_no_more_than_the_limit_are_under_way_and_the_next_is_woken_when_one_is_over() -> None:
    desk = Desk(limit=2)
    assert [desk.take(k) for k in (A, B, C, D)] == [True, True, False, False]
    assert not desk.take(C), "asking again does not help"
    desk.over(A)
    assert desk.turns == ["c"]
    assert (desk.rollouts.in_flight, desk.rollouts.waiting) == (2, 1)
    assert desk.take(C), "it has the slot that it was woken for"
    desk.over(B)
    assert desk.turns == ["c", "d"]


def test_nobody_takes_the_turn_of_one_that_waits() -> None:
    desk = Desk()
    desk.take(A)
    desk.take(B)
    desk.over(A)
    assert not desk.take(C)
    assert desk.take(B)


def test_an_object_that_is_under_way_may_go_on() -> None:
    desk = Desk()
    assert desk.take(A)
    assert desk.take(A)
    assert desk.rollouts.in_flight == 1


def test_organizations_take_turns() -> None:
    desk = Desk()
    desk.take(key("running"), "large")
    for number in range(50):
        desk.take(key(f"large{number}"), "large")
    desk.take(key("small"), "small")
    for name in ("running", "large0", "small"):
        desk.over(key(name))
    assert "small" in desk.turns[:2]


def test_without_a_limit_nobody_waits() -> None:
    desk = Desk(limit=0)
    assert all(desk.take(key(str(number))) for number in range(1000))


def test_what_is_found_on_its_way_counts_also_beyond_the_limit() -> None:
    desk = Desk()
    for k in (A, B):
        desk.rollouts.settle(k, moving=True)
    assert desk.rollouts.in_flight == 2
    assert not desk.take(C)
    desk.over(A)
    assert desk.turns == []
    desk.over(B)
    assert desk.turns == ["c"]


def test_one_that_needs_no_slot_any_more_leaves_the_line() -> None:
    desk = Desk()
    for k in (A, B, C):
        desk.take(k)
    desk.over(B)
    desk.over(A)
    assert desk.turns == ["c"]


def test_a_slot_of_what_is_said_to_be_on_its_way_is_kept_however_long_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk, now = Desk(), 0.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    assert desk.take(A)
    for now in (90.0, 180.0, 270.0):  # noqa: B007 - the clock reads it
        desk.rollouts.settle(A, moving=True)
    assert not desk.take(B)


def test_a_slot_of_which_nobody_says_anything_is_free_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    desk = Desk()
    desk.take(A)
    desk.take(B)
    now[0] = 101.0
    assert not desk.take(C)
    assert desk.turns == ["b"]
    assert desk.take(B)


steps = st.one_of(
    st.tuples(st.just("take"), st.sampled_from([A, B, C, D]), st.sampled_from(["x", "y"])),
    st.tuples(st.just("over"), st.sampled_from([A, B, C, D])),
    st.tuples(st.just("moving"), st.sampled_from([A, B, C, D])),
)


@given(st.lists(steps, max_size=60), st.integers(1, 3))
def test_no_slot_stays_empty_while_somebody_waits_and_all_that_wait_come_to_their_turn(
    script: list[tuple[object, ...]], limit: int
) -> None:
    desk = Desk(limit=limit)
    for step in script:
        match step:
            case ("take", Key() as k, str(organization)):
                desk.take(k, organization)
            case ("over", Key() as k):
                desk.over(k)
            case ("moving", Key() as k):
                desk.rollouts.settle(k, moving=True)
        rollouts = desk.rollouts
        assert rollouts.waiting == 0 or rollouts.in_flight >= limit
        assert not set(rollouts._in_flight) & set(rollouts._waiting)
        assert len(rollouts._shares) == rollouts.waiting
    while desk.rollouts.in_flight:
        desk.over(next(iter(desk.rollouts._in_flight)))
    assert desk.rollouts.waiting == 0
    assert desk.rollouts._line == []
