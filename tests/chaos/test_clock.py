"""Somebody sets a controller's clock, by an hour, either way: leases, waits and status times do not care."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.chaos import oracles
from tests.chaos.clocks import FalseClock
from tests.chaos.scene import Scene, Seat, now
from tests.chaos.stage import Stage
from tests.e2e.world import eventually

HOUR = 3600
CALM = 4


@pytest.fixture
def clocks(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Scene, FalseClock]]:
    """Two controllers whose common clock can be set."""
    stage.clear()
    clock = FalseClock(tmp_path_factory.mktemp("clock") / "offset")
    scene = stage.scene({**clock.environment, "SKYPANEL_LEASE_SECONDS": "10"})
    yield scene, clock
    stage.clear()


def off(seat: Seat) -> float:
    """How far the clock of a process is ahead, by the time that it writes into its log."""
    line = json.loads(seat.controller.text().splitlines()[-1])
    return float(datetime.fromisoformat(line["timestamp"]).timestamp() - now())


def wait_until_seen(seat: Seat, seconds: int) -> None:
    eventually(lambda: abs(off(seat) - seconds) < 60, what="it sees the other time")


def test_a_clock_that_jumps_forward_and_back(clocks: tuple[Scene, FalseClock]) -> None:
    scene, clock = clocks
    terms = {term["epoch"] for term in scene.terms()}
    for seconds in (HOUR, -HOUR):
        clock.set(seconds)
        wait_until_seen(scene.leader, seconds)
        scene.workload.steps(4)
        for seat in scene.seats:
            seat.engine.cut()  # so that the stream of events begins anew, at a wrong time
            seat.engine.heal()
        scene.workload.steps(4)
        oracles.settled(scene)
        begun = {seat.name: seat.engine.streams for seat in scene.seats}
        oracles.quiet(scene)
        for seat in scene.seats:
            assert seat.engine.streams - begun[seat.name] < CALM, "it asks for events again and again"
    clock.set(0)
    scene.workload.steps(4)
    oracles.everything(scene)
    assert {term["epoch"] for term in scene.terms()} == terms, "the lease was lost"
