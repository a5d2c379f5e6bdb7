"""What takes too long for a test run: the default lease, and a Swarm's leader that is cut off and comes back."""

from __future__ import annotations

from pathlib import Path

from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.factory import HarnessFactory
from tests.chaos.harness import now
from tests.chaos.wide import all_ready, swarm_leader, wide_chaos
from tests.e2e.world import eventually

LEASE_SECONDS = 10.0
NODES, MANAGERS = 4, 3
ELECTION_SECONDS = 60.0
CATCH_UP_SECONDS = 180.0


def lead_after_a_kill_with_the_default_lease(factory: HarnessFactory) -> str:
    """The stand-by leads within the lease's time; what was measured."""
    chaos = factory.chaos({"SKYPANEL_LEASE_SECONDS": f"{LEASE_SECONDS:.0f}"})
    leader, standby = chaos.leader, chaos.standby
    chaos.workload.steps(6)
    leader.kill()
    died = now()
    seconds = chaos.wait_for_term(standby, died) - died
    assert seconds < LEASE_SECONDS, f"the stand-by leads after {seconds:.1f} s"
    chaos.heal()
    oracles.everything(chaos)
    factory.clear()
    return f"the stand-by led {seconds:.1f} s after SIGKILL, with a lease of {LEASE_SECONDS:.0f} s"


def lose_the_swarms_leader(nodes: Lab, server: Server, folder: Path) -> str:
    """One leader is cut off and comes back; the next one dies."""
    with wide_chaos(nodes, server, folder) as chaos:
        lost = swarm_leader(nodes)
        nodes.cut(lost.index)
        try:
            chaos.workload.rows_only = True  # hands would wait as long as the Swarm has no leader
            chaos.workload.steps(8)
            cut = now()
            oracles.settled(chaos, seconds=ELECTION_SECONDS)
            seconds = now() - cut
        finally:
            nodes.heal(lost.index)
        chaos.workload.rows_only = False
        eventually(lambda: all_ready(chaos), seconds=CATCH_UP_SECONDS, what="all nodes are ready again")
        chaos.workload.steps(4)
        oracles.everything(chaos, seconds=ELECTION_SECONDS, resyncs=1)
        lost = swarm_leader(nodes)
        chaos.world.engine = next(n for n in nodes.nodes[:MANAGERS] if n is not lost).api()
        lost.daemon.kill()
        chaos.workload.rows_only = True
        chaos.workload.steps(8)
        for controller in chaos.controllers:
            if controller.engine.target == lost.socket:
                controller.kill()  # its manager is gone for good
                controller.engine.target = chaos.world.engine.path
        oracles.settled(chaos, seconds=ELECTION_SECONDS)
        chaos.heal()
        oracles.everything(chaos, seconds=ELECTION_SECONDS, resyncs=1)
    return f"everything was as declared {seconds:.1f} s after the Swarm had lost its leader"
