"""A controller dies at any moment, or is asked to go: the other one leads soon, and everything converges."""

from __future__ import annotations

import signal

from tests.chaos import oracles
from tests.chaos.harness import LEASE_SECONDS, ChaosHarness, SupervisedController, now
from tests.e2e.world import eventually
from tests.proxies import engine, postgres

MARGIN_SECONDS = 1.0  # it asks from time to time, on a busy machine
Rule = engine.Rule | postgres.Rule


def before_a_write(leader: SupervisedController, skip: int) -> Rule:
    return leader.engine.add(engine.Rule(skip=skip, forward=False, status=-1, then=leader.kill))


def after_a_write(leader: SupervisedController, skip: int) -> Rule:
    return leader.engine.add(engine.Rule(skip=skip, status=-1, then=leader.kill))


def after_a_status(leader: SupervisedController, skip: int) -> Rule:
    return leader.database.add(postgres.Rule("INTO skypanel.object_status", skip=skip, then=leader.kill))


def wait_for(rule: Rule) -> None:
    eventually(lambda: rule.hits, what="it comes to where it dies")


def test_one_leader_after_the_other_dies_and_the_stand_by_leads_within_the_lease(chaos: ChaosHarness) -> None:
    for death in (before_a_write, after_a_write, after_a_status):
        leader, standby = chaos.leader, chaos.standby
        rule = death(leader, chaos.workload.random.randrange(4))
        chaos.workload.steps(8)
        wait_for(rule)
        died = now()
        assert chaos.wait_for_term(standby, died) - died < LEASE_SECONDS + MARGIN_SECONDS
        chaos.heal()
    oracles.everything(chaos)


def test_the_stand_by_dies_and_nobody_notices(chaos: ChaosHarness) -> None:
    leader, terms = chaos.leader, len({term["epoch"] for term in chaos.terms()})
    chaos.standby.kill()
    chaos.workload.steps(4)
    oracles.settled(chaos)
    assert (chaos.leader, len({term["epoch"] for term in chaos.terms()})) == (leader, terms)
    chaos.heal()
    oracles.everything(chaos)


def test_a_leader_that_is_asked_to_go_is_followed_within_a_second(chaos: ChaosHarness) -> None:
    leader, standby = chaos.leader, chaos.standby
    asked = now()
    leader.signal(signal.SIGTERM)
    chaos.workload.steps(4)
    assert chaos.wait_for_term(standby, asked) - asked < 1.0
    eventually(lambda: standby.checks().get("role") == "leader", what="it says so")
    chaos.heal()
    oracles.everything(chaos)


def test_readiness_tells_the_leader_from_the_stand_by(chaos: ChaosHarness) -> None:
    assert (chaos.leader.checks()["role"], chaos.standby.checks()["role"]) == ("leader", "standby")
    assert chaos.leader.checks()["ready"]
    assert chaos.standby.checks()["ready"]
