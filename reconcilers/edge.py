"""What the edge has, in words: where its tasks run, and whether requests for a host get somewhere."""

from __future__ import annotations

from typing import NamedTuple

from reconcilers.conditions import Condition, progressing, ready
from reconcilers.ports import EdgePlace, Live, Rollout

_NODES_SHOWN = 3


class Problem(NamedTuple):
    """A reason and a sentence, as conditions have them."""

    reason: str
    message: str


def edge_problem(place: EdgePlace) -> Problem | None:
    """Why no domain can be routed, or not by every edge task; None when all of them run on the controller's node."""
    if not place.declared:
        return Problem(
            "NoEdge",
            "there is no edge, so no domain is routed: deploy Traefik as a service labelled io.skypanel.edge=true",
        )
    if place.elsewhere:
        nodes = ", ".join(place.elsewhere[:_NODES_SHOWN])
        return Problem(
            "EdgeElsewhere",
            f"a task of the edge runs on node {nodes}, where it cannot be joined to networks: run the edge on the "
            "manager that DOCKER_HOST names, or the controller where the edge is",
        )
    if not place.here:
        return Problem(
            "NoEdge", "no task of the edge runs, so no domain is routed: see why with `docker service ps` of the edge"
        )
    return None


def reached(hostname: str, rollout: Rollout, live: Live, network: str, *, suspended: bool) -> tuple[Condition, ...]:
    """Whether requests for a host get somewhere, once the tasks of its process are as declared."""
    if suspended:
        message = f"{hostname} is answered by nobody: the environment is suspended; clear `suspended` to start it again"
        return (Condition("Ready", "False", "Suspended", message),)
    if not rollout.desired:
        message = f"{hostname} is answered by nobody: {rollout.service} has 0 instances"
        return (Condition("Ready", "False", "NoTasks", message),)
    problem = edge_problem(live.edge_place())
    if problem is not None:
        return progressing(problem.reason, problem.message)
    if not live.edge_is_on(network):
        return progressing("NotRouted", f"the edge is not on network {network} yet")
    return ready("Routed", f"the edge sends {hostname} to {rollout.service}")
