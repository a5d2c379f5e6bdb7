"""What must be done so that the engine has exactly the wanted objects of one owner: pure.

What is referred to comes before what refers to it, the edge before removals, and removals in the opposite order. When
an object differs, and what holds it, is its type's to say; see ``controller.swarm.types``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from controller.changes import Change, ChangeSet
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.types import EDGE, TYPES
from controller.swarm.types.base import Planning, View
from reconcilers import labels
from reconcilers.objects import Desired, Network, Objects


def plan(owner: tuple[str, str], wanted: Objects, view: View, inventory: Sequence[InventoryRow]) -> ChangeSet:
    """Plan for one owner.

    A network that somebody else's service is on is neither removed nor made anew, nor is the pin that keeps it.
    """
    planning = Planning(owner, wanted, view, {(row.object_type, row.name): row for row in inventory})
    changes: list[Change] = []
    blocked: dict[str, str] = {}
    failed: dict[str, str] = {}
    kept: dict[str, str] = {}
    aimed: list[Desired] = []
    for type_ in TYPES:
        for each in wanted.objects:
            if each.object_type != type_.name:
                continue
            verdict = type_.plan(each, planning)
            changes += verdict.changes
            if verdict.blocked:
                blocked[each.name] = verdict.blocked
            if verdict.failed and each.template_hash is not None:
                failed[each.name] = each.template_hash
            if verdict.kept:
                kept[each.name] = verdict.kept
            if verdict.target is not None:
                aimed.append(verdict.target)
    changes += [
        Change("connect", EDGE, name, live=view.find(Network.object_type, name), cause="EdgeJoined")
        for name in wanted.edge_networks
        if any(name not in joined for joined in view.edge.values())
    ]
    left = frozenset(_removed(planning, changes, kept))
    seen = tuple(_seen(planning, aimed, changes))
    return ChangeSet(tuple(changes), blocked, failed, seen, kept, left, wanted)


def _removed(planning: Planning, changes: list[Change], kept: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Plan the removal of what is not wanted; type and name of what has to stay for now without being a fault."""
    wanted = planning.wanted.keys
    for type_ in reversed(TYPES):
        for live in planning.view.owned(type_.name, planning.owner):
            at = type_.name, live.name
            if at in wanted:
                continue
            stay = type_.stays(live, planning)
            if stay is None:
                planning.going.add(at)
                changes.append(Change("delete", type_.name, live.name, live=live, cause="Removed"))
            elif stay.why:
                kept[live.name] = stay.why
            else:
                yield at


def _seen(planning: Planning, aimed: Sequence[Desired], changes: Sequence[Change]) -> Iterator[InventoryUpdate]:
    """What is live and as it should be, and not in the inventory yet."""
    changing = {(c.object_type, c.name) for c in changes}
    owner = labels.owner_key(*planning.owner)
    for each in aimed:
        live = planning.view.find(each.object_type, each.name)
        if live is None or (each.object_type, each.name) in changing:
            continue
        if labels.OWNER in live.labels and live.labels[labels.OWNER] != owner:
            continue
        row = planning.row(each)
        if row is None or row.engine_id != live.id or row.state != "present":
            yield InventoryUpdate(
                each.object_type,
                each.name,
                engine_id=live.id,
                spec_hash=each.hash,
                template_hash=each.template_hash,
            )
