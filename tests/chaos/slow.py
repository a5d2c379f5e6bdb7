"""What takes too long for a test run: the default lease, and a Swarm's leader that is cut off and comes back."""

from __future__ import annotations

from pathlib import Path

from deploy.engine import Lab
from deploy.postgres import Server
from tests.chaos import oracles
from tests.chaos.scene import now
from tests.chaos.stage import Stage
from tests.chaos.wide import all_ready, swarm_leader, wide_scene
from tests.e2e.world import eventually

LEASE_SECONDS = 10.0
NODES, MANAGERS = 4, 3
ELECTION_SECONDS = 60.0
CATCH_UP_SECONDS = 180.0


def lead_after_a_kill_with_the_default_lease(stage: Stage) -> str:
    """The stand-by leads within the lease's time; what was measured."""
    scene = stage.scene({"SKYPANEL_LEASE_SECONDS": f"{LEASE_SECONDS:.0f}"})
    leader, standby = scene.leader, scene.standby
    scene.workload.steps(6)
    leader.kill()
    died = now()
    seconds = scene.wait_for_term(standby, died) - died
    assert seconds < LEASE_SECONDS, f"the stand-by leads after {seconds:.1f} s"
    scene.heal()
    oracles.everything(scene)
    stage.clear()
    return f"the stand-by led {seconds:.1f} s after SIGKILL, with a lease of {LEASE_SECONDS:.0f} s"


def lose_the_swarms_leader(nodes: Lab, server: Server, folder: Path) -> str:
    """One leader is cut off and comes back; the next one dies."""
    with wide_scene(nodes, server, folder) as scene:
        lost = swarm_leader(nodes)
        nodes.cut(lost.index)
        try:
            scene.workload.rows_only = True  # hands would wait as long as the Swarm has no leader
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
        lost = swarm_leader(nodes)
        scene.world.engine = next(n for n in nodes.nodes[:MANAGERS] if n is not lost).api()
        lost.daemon.kill()
        scene.workload.rows_only = True
        scene.workload.steps(8)
        for seat in scene.seats:
            if seat.engine.target == lost.socket:
                seat.kill()  # its manager is gone for good
                seat.engine.target = scene.world.engine.path
        oracles.settled(scene, seconds=ELECTION_SECONDS)
        scene.heal()
        oracles.everything(scene, seconds=ELECTION_SECONDS, resyncs=1)
    return f"everything was as declared {seconds:.1f} s after the Swarm had lost its leader"
