"""Services: what runs tasks; the only type whose objects change in their place, and fail when they do. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from controller.changes import Change
from controller.records import InventoryRow
from controller.swarm.diff import service_differences
from controller.swarm.fate import fate
from controller.swarm.former import former
from controller.swarm.service_cache import service_of
from controller.swarm.types.base import Planning, Stay, Verdict, cause_of, is_owned_by
from controller.swarm.types.network import others_on
from reconcilers import labels, references
from reconcilers.objects import Service
from reconcilers.ports import LiveService

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient

_PENDING_SECONDS = 30.0
_SEEN_AFTER_SECONDS = (0.0, 0.02, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class ServiceType:
    """Services."""

    name: str = "service"
    counted: bool = True
    decoded: bool = False

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One service."""
        return await client.service(id_or_name)

    async def listed(self, client: EngineClient, installation: str) -> list[Document]:
        """All of ours; the live view takes the list apart without decoding it."""
        return list(orjson.loads(await client.services(f"{labels.INSTALLATION}={installation}")) or [])

    def parse(self, document: Document) -> LiveService:
        """What is known of one."""
        return service_of(document)

    def plan(self, wanted: Service, planning: Planning) -> Verdict:
        """Make it or change it; a template that failed is not applied again."""
        row = planning.row(wanted)
        live = _mine(planning, wanted, row)
        found = fate(wanted, live, row)
        changes = () if found.target is None else _changes(found.target, live, row, found.note, planning)
        return Verdict(changes, found.target, found.blocked, found.failed)

    def stays(self, live: LiveService, planning: Planning) -> Stay | None:
        """While it serves under a former name, or keeps a network on the edge's node that others are on."""
        here = [each for each in planning.view.owned(self.name, planning.owner) if isinstance(each, LiveService)]
        if any(each.name == live.name for each in former(planning.wanted.services, here)):
            return Stay()
        wanted = planning.wanted.keys
        for network in planning.view.owned("network", planning.owner):
            unwanted = ("network", network.name) not in wanted
            if unwanted and live.name in planning.view.on_network(network.id) and others_on(network, planning):
                return Stay()
        return None


def _mine(planning: Planning, wanted: Service, row: InventoryRow | None) -> LiveService | None:
    """What lives under the name, unless it belongs to another owner: then the create waits for the name.

    One that we made, by its id, is ours even when somebody changed its labels.
    """
    live = planning.view.find("service", wanted.name)
    if not isinstance(live, LiveService):
        return None
    return live if is_owned_by(live, wanted) or (row is not None and row.engine_id == live.id) else None


def _changes(
    target: Service, live: LiveService | None, row: InventoryRow | None, note: str, planning: Planning
) -> tuple[Change, ...]:
    cause = cause_of(row, target, live)
    if live is None:
        return (Change("create", "service", target.name, target, cause=cause),)
    differences = service_differences(references.filled(target.spec, planning.id_of), live.spec)
    if not differences:
        return ()
    return (Change("update", "service", target.name, target, live, tuple(differences), cause, note),)


SERVICE = ServiceType()
