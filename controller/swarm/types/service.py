"""Services: what runs tasks; the only type whose objects change in their place, and fail when they do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.changes import Change
from controller.records import InventoryRow
from controller.swarm.diff import service_differences
from controller.swarm.fate import Fate, fate
from controller.swarm.former import former
from controller.swarm.pace import paced
from controller.swarm.service_cache import service_of
from controller.swarm.types.base import Planning, Stay, Verdict, cause_of
from controller.swarm.types.network import others_on
from controller.swarm.types.running import LIST, listed, made, mine
from reconcilers import labels, references
from reconcilers.objects import Service
from reconcilers.ports import LiveService
from reconcilers.template import image_of

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient


@dataclass(frozen=True, slots=True)
class ServiceType:
    """Services."""

    name: str = Service.object_type
    listed_as: str = LIST
    counted: bool = True
    decoded: bool = False

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One service."""
        return await client.service(id_or_name)

    async def listed(self, client: EngineClient, installation: str) -> list[Document]:
        """All of ours."""
        return await listed(client, installation, self.name)

    def parse(self, document: Document) -> LiveService:
        """What is known of one."""
        return service_of(document)

    def plan(self, wanted: Service, planning: Planning) -> Verdict:
        """Make it or change it; a template that failed is not applied again."""
        row = planning.row(wanted)
        live = mine(planning, wanted, row)
        found = fate(wanted, live, row)
        if found.blocked and found.target is not None and _lacks(found.target, live, planning):
            found = Fate(wanted)  # what is needed to go back is gone: today's is tried once more
        target = None if found.target is None else paced(_truthful(found.target, live), live, row, planning.id_of)
        changes = () if target is None else _changes(target, live, row, found.note, planning)
        return Verdict(changes, target, found.blocked, found.failed)

    def stays(self, live: LiveService, planning: Planning) -> Stay | None:
        """While it serves under a former name, or keeps a network on the edge's node that others are on."""
        here = [each for each in planning.view.owned(self.name, planning.owner) if isinstance(each, LiveService)]
        barred = frozenset[str]().union(*(row.barred for row in planning.rows.values()))
        if image_of(live.spec) not in barred and any(
            each.name == live.name for each in former(planning.wanted.services, here)
        ):
            return Stay()
        wanted = planning.wanted.keys
        for network in planning.view.owned("network", planning.owner):
            unwanted = ("network", network.name) not in wanted
            if unwanted and live.name in planning.view.on_network(network.id) and others_on(network, planning):
                return Stay()
        return None


def _truthful(target: Service, live: LiveService | None) -> Service:
    """Its label says whom nodes pull as: who is not at hand cannot be written, and whoever it was stays."""
    now = live.labels.get(labels.PULLS_AS, "") if live is not None else ""
    if target.pull is not None or target.pulls_as == now:
        return target
    others = {name: value for name, value in target.labels.items() if name != labels.PULLS_AS}
    return target.relabelled({**others, labels.PULLS_AS: now} if now else others)


def _id_of(live: LiveService | None, planning: Planning) -> references.Find:
    """Finds what specs refer to: what the live service has cannot be gone, whatever an old list says."""
    held = references.held(live.spec) if live is not None else {}
    return lambda object_type, name: planning.id_of(object_type, name) or held.get((object_type, name))


def _lacks(target: Service, live: LiveService | None, planning: Planning) -> bool:
    """Whether a secret or a config that it refers to is neither there nor about to be made."""
    wanted, id_of = planning.wanted.keys, _id_of(live, planning)
    return any(at not in wanted and id_of(*at) is None for at in references.named(target.spec))


def _changes(
    target: Service, live: LiveService | None, row: InventoryRow | None, note: str, planning: Planning
) -> tuple[Change, ...]:
    if changes := tuple(made(target, live, row)):
        return changes
    assert live is not None
    differences = service_differences(references.filled(target.spec, _id_of(live, planning)), live.spec)
    if not differences:
        return ()
    cause = cause_of(row, target, live)
    return (Change("update", target.object_type, target.name, target, live, tuple(differences), cause, note),)


SERVICE = ServiceType()
