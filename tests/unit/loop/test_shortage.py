"""Who lacks tasks is looked at when that begins, ends or something changes, and else later each time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from controller.kit import clock
from controller.loop.shortage import LONGEST_SECONDS, Shortage
from controller.records import Key

A, B = Key("environment", "a"), Key("environment", "b")
COUNT_SECONDS = 5.0


class Counts:
    """Counts every five seconds; ``version`` is what is live."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.version = 0.0, 1
        self.shortage = Shortage(COUNT_SECONDS)
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)

    def __call__(self, *short: Key) -> list[Key]:
        self.now += COUNT_SECONDS
        return self.shortage.counted(short, lambda _: self.version)


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Counts:
    return Counts(monkeypatch)


def test_what_stays_short_is_looked_at_later_each_time_and_at_least_every_five_minutes(count: Counts) -> None:
    looks = [count.now for _ in range(720) if count(A)]
    pauses = [later - earlier for earlier, later in pairwise(looks)]
    assert pauses[:7] == [5, 10, 20, 40, 80, 160, 300]
    assert set(pauses[7:]) == {LONGEST_SECONDS}


def test_one_that_becomes_short_or_is_so_no_longer_is_looked_at_at_once(count: Counts) -> None:
    for _ in range(60):
        count(A)
    assert count(A, A, B) == [B]
    assert set(count(B)) == {A, B}
    for _ in range(10):
        count(B)
    assert count() == [B]
    assert count() == []


def test_one_whose_tasks_die_again_and_again_is_looked_at_less_and_less(count: Counts) -> None:
    looks = sum(len(count(*([A] if number % 2 else []))) for number in range(720))
    assert looks < 30


def test_a_change_begins_anew(count: Counts) -> None:
    for _ in range(20):
        count(A)
    count.version += 1
    assert [count(A), count(A), count(A)] == [[A], [A], []]
