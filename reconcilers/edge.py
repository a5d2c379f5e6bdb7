"""What the edge has, in words: where its tasks run, and whether requests for a host get somewhere."""

from __future__ import annotations

from typing import NamedTuple

from reconcilers.conditions import Condition, progressing, ready
from reconcilers.ports import EdgePlace, Live, Routers, ServiceProgress
from specs.names import router_name

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


def reached(
    hostname: str, rollout: ServiceProgress, *, live: Live, network: str, routers: Routers, suspended: bool
) -> tuple[Condition, ...]:
    """Whether requests for a host get somewhere, once the tasks of its process are as declared.

    Args:
        hostname: the domain's.
        rollout: of the service of its process.
        live: the live view.
        network: name of the organization's network.
        routers: what the edge says of its routers.
        suspended: whether the environment is.
    """
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
    if not routers.asked:
        return ready(
            "RouteGiven",
            f"the edge was given the route of {hostname} to {rollout.service}; whether it took it is not asked, as "
            "SKYPANEL_EDGE_API_URL is not set",
        )
    return _confirmed(hostname, rollout.service, routers)


def _confirmed(hostname: str, service: str, routers: Routers) -> tuple[Condition, ...]:
    if routers.problem:
        return progressing("NotRouted", f"whether {hostname} is routed is not known: {routers.problem}")
    fault = routers.faults.get(router_of(service, hostname))
    if fault is None:
        return progressing("NotRouted", f"the edge does not have the route of {hostname} yet")
    if "entrypoint" in fault.lower():
        message = f"the edge does not route {hostname}: {fault}; see SKYPANEL_EDGE_ENTRYPOINTS and the edge's flags"
        return progressing("EntryPointUnknown", message)
    if fault:
        return progressing("NotRouted", f"the edge does not route {hostname}: {fault}")
    return ready("Routed", f"the edge sends {hostname} to {service}")


def router_of(service: str, hostname: str) -> str:
    """What the edge calls the router from a host to a service."""
    return f"{router_name(service, hostname)}@swarm"
