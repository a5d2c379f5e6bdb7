"""Somebody sets a controller's clock, by an hour, either way: leases, waits and status times do not care."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

import pytest

from tests.chaos import oracles
from tests.chaos.clocks import FalseClock
from tests.chaos.factory import HarnessFactory
from tests.chaos.harness import ChaosHarness, SupervisedController, now
from tests.e2e.world import eventually

HOUR = 3600
CALM = 4


@pytest.fixture
def clocks(
    factory: HarnessFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ChaosHarness, FalseClock]]:
    """Two controllers whose common clock can be set."""
    factory.clear()
    clock = FalseClock(tmp_path_factory.mktemp("clock") / "offset")
    chaos = factory.chaos({**clock.environment, "SKYPANEL_LEASE_SECONDS": "10"})
    yield chaos, clock
    factory.clear()


def off(controller: SupervisedController) -> float:
    """How far the clock of a process is ahead, by the time that it writes into its log."""
    line = json.loads(controller.controller.text().splitlines()[-1])
    return float(datetime.fromisoformat(line["timestamp"]).timestamp() - now())


def wait_until_seen(controller: SupervisedController, seconds: int) -> None:
    eventually(lambda: abs(off(controller) - seconds) < 60, what="it sees the other time")


def test_a_clock_that_jumps_forward_and_back(clocks: tuple[ChaosHarness, FalseClock]) -> None:
    chaos, clock = clocks
    terms = {term["epoch"] for term in chaos.terms()}
    for seconds in (HOUR, -HOUR):
        clock.set(seconds)
        wait_until_seen(chaos.leader, seconds)
        chaos.workload.steps(4)
        for controller in chaos.controllers:
            controller.engine.cut()  # so that the stream of events begins anew, at a wrong time
            controller.engine.heal()
        chaos.workload.steps(4)
        oracles.settled(chaos)
        begun = {controller.name: controller.engine.streams for controller in chaos.controllers}
        oracles.quiet(chaos)
        for controller in chaos.controllers:
            assert controller.engine.streams - begun[controller.name] < CALM, "it asks for events again and again"
    clock.set(0)
    chaos.workload.steps(4)
    oracles.everything(chaos)
    assert {term["epoch"] for term in chaos.terms()} == terms, "the lease was lost"
