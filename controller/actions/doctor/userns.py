"""Which nodes have userns-remap: this one says so itself, the others by the label that whoever set it up gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.actions.doctor.findings import Check, fail, ok, warn
from reconcilers import labels

Document = Mapping[str, Any]

NAME = "userns-remap"
_LABEL = f"{labels.USERNS}=true"


def check(info: Document, nodes: Sequence[Document], *, required: bool) -> Check:
    """What this node has, what the others are labelled as, and whether tenants' tasks have a node.

    Args:
        info: of this node's engine.
        nodes: all of the Swarm.
        required: whether tenants' tasks run only on nodes with the label.
    """
    options = {part for option in info.get("SecurityOptions") or () for part in str(option).split(",")}
    here = "name=userns" in options
    own = str((info.get("Swarm") or {}).get("NodeID") or "")
    labelled = {str(node["ID"]): _name(node) for node in nodes if _labelled(node)}
    without = sorted(_name(node) for node in nodes if str(node["ID"]) not in labelled)
    if own in labelled and not here:
        return fail(
            NAME,
            f"this node has the label {_LABEL}, and its engine no userns-remap",
            f"`docker node update --label-rm {labels.USERNS} {labelled[own]}`, until it has",
        )
    if required and not labelled:
        return fail(
            NAME,
            f"required, and no node has the label {_LABEL}: no task of a tenant starts",
            f"`docker node update --label-add {_LABEL} NODE` for each that has it, or unset SKYPANEL_REQUIRE_USERNS",
        )
    said = f"labelled: {', '.join(sorted(labelled.values())) or 'none'}; not: {', '.join(without) or 'none'}"
    if here:
        return ok(NAME, f"on; nodes with {_LABEL} {said}")
    if required:
        return ok(NAME, f"off here, where no task of a tenant runs; nodes with {_LABEL} {said}")
    return warn(
        NAME,
        f"off: root that breaks out of a container is root on the host; nodes with {_LABEL} {said}",
        'set "userns-remap": "default" in daemon.json of each node before it joins the Swarm: one that has joined has '
        "to leave and join again, as the engine then begins with an empty folder",
    )


def _labelled(node: Document) -> bool:
    return ((node.get("Spec") or {}).get("Labels") or {}).get(labels.USERNS) == "true"


def _name(node: Document) -> str:
    return str((node.get("Description") or {}).get("Hostname") or node["ID"])
