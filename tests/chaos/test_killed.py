"""A controller dies at any moment, or is asked to go: the other one leads soon, and everything converges."""

from __future__ import annotations

import signal

from tests.chaos import oracles
from tests.chaos.scene import LEASE_SECONDS, Scene, Seat, now
from tests.e2e.world import eventually
from tests.proxies import engine, postgres

MARGIN_SECONDS = 1.0  # it asks from time to time, on a busy machine
Rule = engine.Rule | postgres.Rule


def before_a_write(leader: Seat, skip: int) -> Rule:
    return leader.engine.add(engine.Rule(skip=skip, forward=False, status=-1, then=leader.kill))


def after_a_write(leader: Seat, skip: int) -> Rule:
    return leader.engine.add(engine.Rule(skip=skip, status=-1, then=leader.kill))


def after_a_status(leader: Seat, skip: int) -> Rule:
    return leader.database.add(postgres.Rule("INTO skypanel.object_status", skip=skip, then=leader.kill))


def wait_for(rule: Rule) -> None:
    eventually(lambda: rule.hits, what="it comes to where it dies")


def test_one_leader_after_the_other_dies_and_the_stand_by_leads_within_the_lease(scene: Scene) -> None:
    for death in (before_a_write, after_a_write, after_a_status):
        leader, standby = scene.leader, scene.standby
        rule = death(leader, scene.workload.random.randrange(4))
        scene.workload.steps(8)
        wait_for(rule)
        died = now()
        assert scene.wait_for_term(standby, died) - died < LEASE_SECONDS + MARGIN_SECONDS
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
