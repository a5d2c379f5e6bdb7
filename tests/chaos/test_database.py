"""Faults on the way to the database: statements whose answer is lost, connections that die or say nothing."""

from __future__ import annotations

import pytest

from tests.chaos import oracles
from tests.chaos.scene import LEASE_SECONDS, Scene, now
from tests.e2e.world import eventually
from tests.proxies.postgres import Rule

STATEMENTS = {
    "the log is read": "skypanel.change_log",
    "an intent": "INSERT INTO skypanel.inventory ",
    "a status": "INTO skypanel.object_status",
    "a renewal": "SET renewed_at",
}


@pytest.mark.parametrize("forward", [True, False], ids=["done", "not done"])
def test_statements_that_are_cut_before_their_answer(scene: Scene, forward: bool) -> None:
    leader = scene.leader
    rules = [
        leader.database.add(Rule(text, skip=skip, times=2, forward=forward))
        for skip, text in enumerate(STATEMENTS.values())
    ]
    scene.workload.steps(10)
    oracles.settled(scene)
    scene.workload.steps(6)
    eventually(lambda: all(rule.hits for rule in rules), what=f"all are hit: {[rule.hits for rule in rules]}")
    oracles.everything(scene)


def test_backends_that_are_ended_again_and_again(scene: Scene) -> None:
    for _ in range(4):
        scene.workload.steps(3)
        scene.world.root(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE usename = 'controller' AND datname = current_database()"
        )
    oracles.everything(scene)


def test_a_leader_whose_database_says_nothing_hands_over_within_its_lease(scene: Scene) -> None:
    leader, standby = scene.leader, scene.standby
    leader.database.black_hole()
    silent = now()
    scene.workload.steps(4)
    assert scene.wait_for_term(standby, silent) - silent < LEASE_SECONDS + 1.0
    oracles.settled(scene)
    leader.database.heal()
    eventually(lambda: leader.checks().get("role") == "standby" and leader.checks().get("ready"), what="it stands by")
    oracles.everything(scene)


def test_a_stand_by_whose_database_says_nothing_is_not_ready_and_is_not_missed(scene: Scene) -> None:
    leader, standby = scene.leader, scene.standby
    standby.database.black_hole()
    scene.workload.steps(4)
    eventually(lambda: not standby.checks().get("ready"), what="the stand-by says that it is not ready")
    oracles.settled(scene)
    assert scene.leader is leader
    standby.database.heal()
    scene.heal()
    oracles.everything(scene)


def test_a_restarted_database(scene: Scene) -> None:
    scene.workload.steps(3)
    scene.world.server.restart()
    scene.workload.steps(3)
    scene.heal()
    oracles.everything(scene)
