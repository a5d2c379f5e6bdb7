"""What must be done so that the engine has exactly the wanted objects of one owner: nothing here asks the engine.

What is referred to comes before what refers to it, the edge before removals, and removals in the opposite order. When
an object differs, and what holds it, is its type's to say; see ``controller.swarm.types``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from controller.changes import Change, ChangeSet, Difference, Succession
from controller.kit import clock
from controller.records import InventoryRow, InventoryUpdate, Key
from controller.swarm import succession
from controller.swarm.losses import spared
from controller.swarm.types import EDGE, TYPES
from controller.swarm.types.base import Planning, View
from controller.swarm.types.service import SERVICE
from reconcilers import labels
from reconcilers.objects import Desired, Network, Objects
from reconcilers.ports import ServiceProgress

if TYPE_CHECKING:  # it is read and not asked to look
    from controller.swarm.liveview import LiveView


class Planner:
    """Plans by what is known to live.

    Args:
        live: the live view.
    """

    def __init__(self, live: LiveView) -> None:
        self._live = live
        self._retired: dict[str, float] = {}
        """When this process saw first that a service had lost its routes, by id."""

    def plan(
        self, key: Key, declared: Objects, inventory: Sequence[InventoryRow], serving: Sequence[str] = ()
    ) -> ChangeSet:
        """What must be done so that ``key`` has exactly what it may have now of ``declared``.

        Args:
            key: the owner.
            declared: with all the host names that it should have.
            inventory: what we know to have made for it.
            serving: names of those of its services that take over now from former ones.
        """
        live = self._live.owned_services(key)
        given = succession.handed_over(declared, live, serving, lambda names: self._live.hosts.elsewhere(key, names))
        changes = plan(key, given.objects, self._live, inventory).after(given.lost)
        return replace(changes, missing_hosts=given.missing, spared=spared(changes.changes, declared))

    def succeed(self, key: Key, wanted: Objects, serving: Sequence[str], settle_seconds: float) -> Succession:
        """What is next for the services of ``key`` that serve under former names."""
        live = self._live.owned_services(key)
        now = clock.monotonic()
        retired = [service.id for service in live if labels.RETIRED in service.labels]
        if retired:
            gone = [i for i in self._retired if self._live.service_by_id(i) is None]
            for service_id in gone:
                del self._retired[service_id]
        for service_id in retired:
            self._retired.setdefault(service_id, now)
        return succession.step(
            wanted.services,
            live,
            serving,
            retired_seconds=lambda i: now - self._retired.get(i, now),
            settle_seconds=settle_seconds,
        )

    def prompts(self, progress: Iterable[ServiceProgress]) -> ChangeSet:
        """What must be done so that Swarm stops the tasks that it forgot to stop."""
        return ChangeSet(
            tuple(
                Change(
                    "prompt",
                    SERVICE.name,
                    found.service,
                    live=live,
                    differences=(Difference("Tasks", found.running + found.forgotten, found.running),),
                    cause="Repaired",
                    note="Swarm forgot to stop the others",
                )
                for found in progress
                if found.forgotten and (live := self._live.service(found.service)) is not None
            )
        )


def plan(owner: tuple[str, str], wanted: Objects, view: View, inventory: Sequence[InventoryRow]) -> ChangeSet:
    """Plan for one owner: pure.

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
    replaced = {change.live.id for change in changes if change.action == "recreate" and change.live is not None}
    for type_ in reversed(TYPES):
        for live in planning.view.owned(type_.name, planning.owner):
            at = type_.name, live.name
            if at in wanted:
                continue
            if live.id in replaced:  # a service goes when a job takes its place, and the other way round
                yield at
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
