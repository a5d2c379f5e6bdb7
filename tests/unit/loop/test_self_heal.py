"""Repairs of one object that come again and again are spaced out, and somebody is told why."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from controller.changes import Change, Difference
from controller.kit import clock
from controller.loop.gates.self_heal import IMMEDIATE, PAUSE_CAP, SelfHealBackoff
from controller.records import Key

ME, OTHER = Key("environment", "me"), Key("environment", "other")
SCALED = Change(
    "update", "service", "web", differences=(Difference("Mode.Replicated.Replicas", 3, 1),), cause="Repaired"
)
REMOVED = Change("create", "service", "web", cause="Repaired")


@dataclass
class Repairs:
    """One object, and a clock that the test sets."""

    contention: SelfHealBackoff
    now: float = 0.0

    def repair(self, *changes: Change, generation: int = 1, key: Key = ME) -> float:
        """Repair as soon as it may be; how long that had to wait."""
        began = self.now
        while (held := self.contention.check(key, generation, changes or (SCALED,))) is not None:
            self.now += held.retry_after
        self.contention.repaired(key, generation, changes or (SCALED,))
        return self.now - began


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Repairs:
    made = Repairs(SelfHealBackoff("environment"))
    monkeypatch.setattr(clock, "monotonic", lambda: made.now)
    monkeypatch.setattr(clock, "wall", lambda: made.now)
    return made


def test_the_first_repairs_are_immediate_and_the_pauses_then_double_up_to_the_cap(scene: Repairs) -> None:
    waits = [scene.repair() for _ in range(IMMEDIATE + 12)]
    assert waits[:IMMEDIATE] == [0.0] * IMMEDIATE
    assert waits[IMMEDIATE:] == pytest.approx([min(PAUSE_CAP, 2.0**n) for n in range(12)])


def test_a_quiet_minute_ends_the_streak(scene: Repairs) -> None:
    for _ in range(IMMEDIATE + 2):
        scene.repair()
    scene.now += 61
    assert [scene.repair() for _ in range(IMMEDIATE)] == [0.0] * IMMEDIATE


def test_after_long_pauses_the_quiet_time_is_twice_the_pause(scene: Repairs) -> None:
    for _ in range(IMMEDIATE + 8):
        scene.repair()
    scene.now += 200  # the pause is 256 s now
    assert scene.repair() == pytest.approx(56)
    scene.now += 700
    assert scene.repair() == 0.0


def test_a_new_generation_is_not_held_back(scene: Repairs) -> None:
    for _ in range(IMMEDIATE + 3):
        scene.repair()
    assert scene.repair(generation=2) == 0.0


def test_another_object_is_not_held_back(scene: Repairs) -> None:
    for _ in range(IMMEDIATE + 3):
        scene.repair()
    assert scene.repair(key=OTHER) == 0.0


def test_what_is_forgotten_begins_anew(scene: Repairs) -> None:
    for _ in range(IMMEDIATE + 3):
        scene.repair()
    scene.contention.forget(ME)
    assert scene.repair() == 0.0


def test_the_message_names_the_fields_the_count_and_the_next_repair_and_stays_the_same_until_then(
    scene: Repairs,
) -> None:
    for _ in range(IMMEDIATE):
        scene.repair()
        scene.now += 2
    scene.now -= 1.5
    said = scene.contention.check(ME, 1, [REMOVED])
    assert said is not None
    assert said.message.startswith(
        "something else keeps changing it (service web: Mode.Replicated.Replicas; service web: missing): repaired 5 "
        "times since 00:00:00 UTC, next repair at 00:00:09 UTC."
    )
    assert "skypanel reconcile environment PATH" in said.message
    scene.now += 0.2
    again = scene.contention.check(ME, 1, [REMOVED])
    assert again is not None
    assert again.message == said.message
    assert (said.first, again.first) == (True, False), "one warning a streak"


def test_nothing_is_kept_of_what_was_repaired_long_ago(scene: Repairs) -> None:
    for number in range(100):
        scene.repair(key=Key("environment", str(number)))
        scene.now += 10
    assert len(scene.contention._streaks) <= 7
