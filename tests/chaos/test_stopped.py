"""A leader that sleeps through its lease, as a paused virtual machine does, and wakes when another one leads."""

from __future__ import annotations

import signal

from tests.chaos import oracles
from tests.chaos.faults import STATEMENTS
from tests.chaos.harness import LEASE_SECONDS, ChaosHarness, SupervisedController, now
from tests.e2e.world import eventually
from tests.proxies import postgres


def first_write(controller: SupervisedController, since: float) -> float:
    """When ``controller`` wrote to the engine for the first time after ``since``."""
    return float(
        eventually(
            lambda: next((call.at for call in controller.engine.calls if call.at > since), None),
            what=f"{controller.name} writes",
        )
    )


def test_a_leader_that_wakes_between_its_intent_and_its_write_writes_nothing_more(chaos: ChaosHarness) -> None:
    leader, standby = chaos.leader, chaos.standby
    intent = STATEMENTS["an intent"]
    rule = leader.database.add(postgres.Rule(intent, lost=False, then=lambda: leader.signal(signal.SIGSTOP)))
    chaos.workload.steps(10)
    eventually(lambda: rule.hits, what="it says what it is about to do, and falls asleep")
    slept = now()
    chaos.wait_for_term(standby, slept)
    chaos.workload.steps(3)
    taken = first_write(standby, slept)
    chaos.workload.steps(3)
    leader.signal(signal.SIGCONT)
    eventually(lambda: leader.checks().get("role") == "standby", what="it has noticed")
    oracles.everything(chaos)
    assert [call for call in leader.engine.calls if call.at > taken] == []
    assert chaos.leader is standby


def test_a_statement_that_was_under_way_when_the_lease_ended_changes_nothing(chaos: ChaosHarness) -> None:
    leader, standby = chaos.leader, chaos.standby
    epoch = chaos.terms()[-1]["epoch"]
    held = LEASE_SECONDS + 2.0
    rule = leader.database.add(postgres.Rule(STATEMENTS["a status"], seconds=held, lost=False))
    chaos.workload.steps(4)
    eventually(lambda: rule.hits, what="it writes a status")
    leader.signal(signal.SIGSTOP)
    stopped = now()
    began = chaos.wait_for_term(standby, stopped)
    eventually(lambda: now() > stopped + held + 0.2, what="the statement has reached the database")
    leader.signal(signal.SIGCONT)
    late = chaos.world.root(
        "SELECT * FROM chaos.statuses WHERE epoch <= %s AND extract(epoch FROM at) > %s", epoch, began
    )
    assert late == []
    chaos.heal()
    oracles.everything(chaos)
