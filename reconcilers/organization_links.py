"""Why an organization is not ready: its network, the pin that keeps it on the edge's node, the edge. Pure."""

from __future__ import annotations

from reconcilers.chain import Known, Link, LinkOf


def network(known: Known) -> Link:
    """Its network and its addresses."""
    subnet = known.details.get("subnet")
    if known.seen is not None and known.seen.network:
        return known.judge("network", f"{known.seen.network} ({subnet or 'addresses not said yet'})", proven=True)
    return known.judge("network", f"{known.details.get('network') or 'none'} ({subnet or 'no addresses yet'})")


def service(known: Known) -> Link:
    """The pin."""
    if known.seen is None:
        return known.judge("service", "its pin was not seen")
    return known.judge(
        "service", ", ".join(known.seen.services) or "no pin: there is no edge on this node", proven=True
    )


def placement(known: Known) -> Link:
    """The pin's task, on the edge's node."""
    if known.seen is None:
        return known.judge("placement", "nodes were not seen")
    runs = sum(task.runs for task in known.seen.tasks)
    return known.judge("placement", f"{runs} of {sum(known.seen.services.values())} pins run", proven=True)


def image(known: Known) -> Link:
    """The pin's image."""
    return known.judge("image", "that of SKYPANEL_PIN_IMAGE")


def route(known: Known) -> Link:
    """The edge."""
    return known.judge("route", known.said.message if known.said.ready else "not said")


LINKS: tuple[LinkOf, ...] = (network, image, service, placement, route)
