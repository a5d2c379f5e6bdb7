"""Faults on the way to the engine: writes whose answer is lost or wrong, old answers, a stream that says nothing."""

from __future__ import annotations

import pytest

from tests.chaos import oracles
from tests.chaos.harness import ChaosHarness
from tests.chaos.workload import UNASKED
from tests.e2e.world import eventually
from tests.proxies.engine import Rule

FAULTS = {
    "cut when it was done": {"status": -1},
    "cut before it was done": {"status": -1, "forward": False},
    "500 when it was done": {"status": 500},
    "503 before it was done": {"status": 503, "forward": False},
    "late": {"seconds": 1.0},
}
WRITES = [
    {"path": "/services/create"},
    {"path": "/services/.+/update"},
    {"path": "/services/[^/]+$", "method": "DELETE"},
]


@pytest.mark.parametrize("fault", list(FAULTS.values()), ids=list(FAULTS))
def test_each_kind_of_write_with_a_fault(chaos: ChaosHarness, fault: dict[str, object]) -> None:
    rules = [chaos.leader.engine.add(Rule(**write, **fault, times=2)) for write in WRITES]  # type: ignore[arg-type]
    environment = chaos.world.environment(chaos.workload.apps[0], "each", instances=0, healthcheck=UNASKED)
    chaos.workload.steps(4)
    oracles.settled(chaos)
    chaos.world.sql("UPDATE paas_environments SET stop_grace_seconds = 7 WHERE id = %s", environment)
    oracles.settled(chaos)
    chaos.world.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", environment)
    eventually(lambda: all(rule.hits for rule in rules), what=f"each is hit: {[rule.hits for rule in rules]}")
    oracles.everything(chaos)


def test_a_network_is_made_and_its_answer_lost(chaos: ChaosHarness) -> None:
    rules = [
        chaos.leader.engine.add(Rule(path="/networks/create", status=-1)),
        chaos.leader.engine.add(Rule(path="/networks/.+/connect", status=-1)),
    ]
    other = chaos.world.organization("other")
    chaos.world.environment(chaos.world.app(other, "shop"), instances=0, healthcheck=UNASKED)
    eventually(lambda: all(rule.hits for rule in rules), what="both are hit")
    oracles.everything(chaos)


def test_old_answers(chaos: ChaosHarness) -> None:
    chaos.workload.steps(4)
    old = chaos.leader.engine.add(Rule(method="GET", path="^/(services|networks)$", stale=True, times=12))
    chaos.workload.steps(6)
    eventually(lambda: old.hits >= 12, what="twelve answers were old")
    oracles.everything(chaos)


def test_events_that_are_lost_and_a_stream_that_is_frozen_and_not_closed(chaos: ChaosHarness) -> None:
    for controller in chaos.controllers:
        controller.engine.drop_events('"Action":"(remove|update)"')
    chaos.workload.steps(6)
    oracles.settled(chaos)
    for controller in chaos.controllers:
        controller.engine.freeze_events()
    chaos.workload.steps(6)
    oracles.everything(chaos)


def test_connections_to_the_engine_that_are_cut_again_and_again(chaos: ChaosHarness) -> None:
    for _ in range(3):
        chaos.workload.steps(3)
        chaos.leader.engine.cut()
        chaos.workload.steps(1)
        chaos.leader.engine.heal()
    oracles.everything(chaos)


def test_a_killed_and_started_engine(chaos: ChaosHarness) -> None:
    node = chaos.world.lab.nodes[0].daemon
    chaos.workload.steps(3)
    node.kill()
    node.start()
    node.wait()
    chaos.workload.steps(3)
    oracles.everything(chaos, seconds=60)
