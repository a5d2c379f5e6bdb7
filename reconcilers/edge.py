"""Why no domain can be routed: where the edge's tasks run, in words."""

from __future__ import annotations

from typing import NamedTuple

from reconcilers.ports import EdgePlace

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
