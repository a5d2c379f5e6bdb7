"""A controller dies at any moment, or is asked to go: the other one leads soon, and everything converges."""

from __future__ import annotations

import signal

import pytest

from tests.chaos import oracles
from tests.chaos.scene import LEASE_SECONDS, Scene, now
from tests.e2e.world import eventually
from tests.proxies import engine, postgres

MARGIN_SECONDS = 0.5  # of a busy machine


@pytest.mark.parametrize("forward", [False, True], ids=["before the write", "after the write"])
def test_the_leader_dies_at_a_write_and_the_stand_by_leads_within_the_lease(scene: Scene, forward: bool) -> None:
    leader, standby = scene.leader, scene.standby
    writes = scene.workload.random.randrange(4)
    rule = leader.engine.add(engine.Rule(skip=writes, forward=forward, status=-1, then=leader.kill))
    scene.workload.steps(10)
    eventually(lambda: rule.hits, what=f"it writes {writes + 1} times")
    died = now()
    assert scene.wait_for_term(standby, died) - died < LEASE_SECONDS + MARGIN_SECONDS
    scene.heal()
    oracles.everything(scene)


def test_the_leader_dies_when_it_has_said_what_it_did(scene: Scene) -> None:
    leader = scene.leader
    rule = leader.database.add(postgres.Rule("INTO skypanel.object_status", skip=1, then=leader.kill))
    scene.workload.steps(6)
    eventually(lambda: rule.hits, what="it writes a status")
    scene.heal()
    oracles.everything(scene)


def test_the_stand_by_dies_and_nobody_notices(scene: Scene) -> None:
    leader, terms = scene.leader, len({term["epoch"] for term in scene.terms()})
    scene.standby.kill()
    scene.workload.steps(4)
    oracles.settled(scene)
    assert (scene.leader, len({term["epoch"] for term in scene.terms()})) == (leader, terms)
    scene.heal()
    oracles.everything(scene)


def test_a_leader_that_is_asked_to_go_is_followed_within_a_second(scene: Scene) -> None:
    leader, standby = scene.leader, scene.standby
    asked = now()
    leader.signal(signal.SIGTERM)
    scene.workload.steps(4)
    assert scene.wait_for_term(standby, asked) - asked < 1.0
    eventually(lambda: standby.checks().get("role") == "leader", what="it says so")
    scene.heal()
    oracles.everything(scene)


def test_readiness_tells_the_leader_from_the_stand_by(scene: Scene) -> None:
    assert (scene.leader.checks()["role"], scene.standby.checks()["role"]) == ("leader", "standby")
    assert scene.leader.checks()["ready"]
    assert scene.standby.checks()["ready"]
