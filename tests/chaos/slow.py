"""What takes too long for a test run: the default lease, and a Swarm's leader that is cut off and comes back."""

from __future__ import annotations

from pathlib import Path

from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.scene import now
from tests.chaos.stage import Stage
from tests.chaos.wide import ELECTION_SECONDS, all_ready, swarm_leader, wide_scene
from tests.e2e.world import eventually

LEASE_SECONDS = 10.0
POLL_SECONDS = 1.0
CATCH_UP_SECONDS = 180.0


def lead_after_a_kill_with_the_default_lease(stage: Stage) -> str:
    """The stand-by leads within the lease's time; what was measured."""
    scene = stage.scene({"SKYPANEL_LEASE_SECONDS": f"{LEASE_SECONDS:.0f}"})
    leader, standby = scene.leader, scene.standby
    scene.workload.steps(6)
    leader.kill()
    died = now()
    seconds = scene.wait_for_term(standby, died) - died
    assert seconds < LEASE_SECONDS + POLL_SECONDS, f"the stand-by leads after {seconds:.1f} s"
    scene.heal()
    oracles.everything(scene)
    stage.clear()
    return f"the stand-by led {seconds:.1f} s after SIGKILL, with a lease of {LEASE_SECONDS:.0f} s"


def cut_the_swarms_leader_off(nodes: Lab, server: Server, folder: Path) -> str:
    """The other managers go on; the old leader comes back and catches up."""
    with wide_scene(nodes, server, folder) as scene:
        lost = swarm_leader(nodes)
        nodes.cut(lost.index)
        try:
            scene.workload.rows_only = True
            scene.workload.steps(8)
            cut = now()
            oracles.settled(scene, seconds=ELECTION_SECONDS)
            seconds = now() - cut
        finally:
            nodes.heal(lost.index)
        scene.workload.rows_only = False
        eventually(lambda: all_ready(scene), seconds=CATCH_UP_SECONDS, what="all nodes are ready again")
        scene.workload.steps(4)
        oracles.everything(scene, seconds=ELECTION_SECONDS, resyncs=1)
    return f"everything was as declared {seconds:.1f} s after the Swarm had lost its leader"
