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
class Slots:
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
    slots = Slots(limit=2)
    assert [slots.take(k) for k in (A, B, C, D)] == [True, True, False, False]
    assert not slots.take(C), "asking again does not help"
    slots.over(A)
    assert slots.turns == ["c"]
    assert (slots.rollouts.in_flight, slots.rollouts.waiting) == (2, 1)
    assert slots.take(C), "it has the slot that it was woken for"
    slots.over(B)
    assert slots.turns == ["c", "d"]


def test_nobody_takes_the_turn_of_one_that_waits() -> None:
    slots = Slots()
    slots.take(A)
    slots.take(B)
    slots.over(A)
    assert not slots.take(C)
    assert slots.take(B)


def test_an_object_that_is_under_way_may_go_on() -> None:
    slots = Slots()
    assert slots.take(A)
    assert slots.take(A)
    assert slots.rollouts.in_flight == 1


def test_organizations_take_turns() -> None:
    slots = Slots()
    slots.take(key("running"), "large")
    for number in range(50):
        slots.take(key(f"large{number}"), "large")
    slots.take(key("small"), "small")
    for name in ("running", "large0", "small"):
        slots.over(key(name))
    assert "small" in slots.turns[:2]


def test_without_a_limit_nobody_waits() -> None:
    slots = Slots(limit=0)
    assert all(slots.take(key(str(number))) for number in range(1000))


def test_what_is_found_on_its_way_counts_also_beyond_the_limit() -> None:
    slots = Slots()
    for k in (A, B):
        slots.rollouts.settle(k, moving=True)
    assert slots.rollouts.in_flight == 2
    assert not slots.take(C)
    slots.over(A)
    assert slots.turns == []
    slots.over(B)
    assert slots.turns == ["c"]


def test_one_that_needs_no_slot_any_more_leaves_the_line() -> None:
    slots = Slots()
    for k in (A, B, C):
        slots.take(k)
    slots.over(B)
    slots.over(A)
    assert slots.turns == ["c"]


def test_a_slot_of_what_is_said_to_be_on_its_way_is_kept_however_long_that_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slots, now = Slots(), 0.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    assert slots.take(A)
    for now in (90.0, 180.0, 270.0):  # noqa: B007 - the clock reads it
        slots.rollouts.settle(A, moving=True)
    assert not slots.take(B)


def test_a_slot_of_which_nobody_says_anything_is_free_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    slots = Slots()
    slots.take(A)
    slots.take(B)
    now[0] = 101.0
    assert not slots.take(C)
    assert slots.turns == ["b"]
    assert slots.take(B)


steps = st.one_of(
    st.tuples(st.just("take"), st.sampled_from([A, B, C, D]), st.sampled_from(["x", "y"])),
    st.tuples(st.just("over"), st.sampled_from([A, B, C, D])),
    st.tuples(st.just("moving"), st.sampled_from([A, B, C, D])),
)


@given(st.lists(steps, max_size=60), st.integers(1, 3))
def test_no_slot_stays_empty_while_somebody_waits_and_all_that_wait_come_to_their_turn(
    script: list[tuple[object, ...]], limit: int
) -> None:
    slots = Slots(limit=limit)
    for step in script:
        match step:
            case ("take", Key() as k, str(organization)):
                slots.take(k, organization)
            case ("over", Key() as k):
                slots.over(k)
            case ("moving", Key() as k):
                slots.rollouts.settle(k, moving=True)
        rollouts = slots.rollouts
        assert rollouts.waiting == 0 or rollouts.in_flight >= limit
        assert not set(rollouts._in_flight) & set(rollouts._waiting)
        assert len(rollouts._shares) == rollouts.waiting
    while slots.rollouts.in_flight:
        slots.over(next(iter(slots.rollouts._in_flight)))
    assert slots.rollouts.waiting == 0
    assert slots.rollouts._line == []
