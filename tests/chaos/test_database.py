"""Faults on the way to the database: statements whose answer is lost, connections that die or say nothing."""

from __future__ import annotations

from tests.chaos import oracles
from tests.chaos.faults import STATEMENTS, end_backends
from tests.chaos.scene import LEASE_SECONDS, Scene, now
from tests.e2e.world import eventually
from tests.proxies.postgres import Rule


def test_statements_that_are_cut_before_or_after_they_are_done(scene: Scene) -> None:
    leader = scene.leader
    rules = [
        leader.database.add(Rule(text, skip=skip, times=2, forward=forward))
        for skip, text in enumerate(STATEMENTS.values())
        for forward in (True, False)
    ]
    for steps in (8, 6, 4):
        scene.workload.steps(steps)
        oracles.settled(scene)
    eventually(lambda: all(rule.hits for rule in rules), what=f"all are hit: {[rule.hits for rule in rules]}")
    oracles.everything(scene)


def test_backends_that_are_ended_and_a_restarted_database(scene: Scene) -> None:
    for _ in range(3):
        scene.workload.steps(3)
        end_backends(scene, scene.workload.random)
    scene.world.server.restart()
    scene.workload.steps(3)
    scene.heal()
    oracles.everything(scene)


def test_a_leader_whose_database_says_nothing_hands_over_within_its_lease(scene: Scene) -> None:
    leader, standby = scene.leader, scene.standby
    leader.database.black_hole()
    silent = now()
    scene.workload.steps(4)
    assert scene.wait_for_term(standby, silent) - silent < LEASE_SECONDS + 1.0
    eventually(lambda: not leader.checks().get("ready"), what="the silenced one says that it is not ready")
    oracles.settled(scene)
    leader.database.heal()
    eventually(lambda: leader.checks().get("role") == "standby" and leader.checks().get("ready"), what="it stands by")
    oracles.everything(scene)
