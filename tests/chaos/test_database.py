"""Faults on the way to the database: statements whose answer is lost, connections that die or say nothing."""

from __future__ import annotations

from tests.chaos import oracles
from tests.chaos.faults import STATEMENTS, end_backends
from tests.chaos.harness import LEASE_SECONDS, ChaosHarness, now
from tests.e2e.world import eventually
from tests.proxies.postgres import Rule


def test_statements_that_are_cut_before_or_after_they_are_done(chaos: ChaosHarness) -> None:
    leader = chaos.leader
    rules = [
        leader.database.add(Rule(text, skip=skip, times=2, forward=forward))
        for skip, text in enumerate(STATEMENTS.values())
        for forward in (True, False)
    ]
    for steps in (8, 6, 4):
        chaos.workload.steps(steps)
        oracles.settled(chaos)
    eventually(lambda: all(rule.hits for rule in rules), what=f"all are hit: {[rule.hits for rule in rules]}")
    oracles.everything(chaos)


def test_backends_that_are_ended_and_a_restarted_database(chaos: ChaosHarness) -> None:
    for _ in range(3):
        chaos.workload.steps(3)
        end_backends(chaos, chaos.workload.random)
    chaos.world.server.restart()
    chaos.workload.steps(3)
    chaos.heal()
    oracles.everything(chaos)


def test_a_leader_whose_database_says_nothing_hands_over_within_its_lease(chaos: ChaosHarness) -> None:
    leader, standby = chaos.leader, chaos.standby
    leader.database.black_hole()
    silent = now()
    chaos.workload.steps(4)
    assert chaos.wait_for_term(standby, silent) - silent < LEASE_SECONDS + 1.0
    eventually(lambda: not leader.checks().get("ready"), what="the silenced one says that it is not ready")
    oracles.settled(chaos)
    leader.database.heal()
    eventually(lambda: leader.checks().get("role") == "standby" and leader.checks().get("ready"), what="it stands by")
    oracles.everything(chaos)
