"""Overlay networks: they cannot be changed, only made anew; never while a job is on one, or a service of somebody else.

The live view keeps those of others, too: their names and addresses are taken. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.changes import Change
from controller.swarm.diff import network_differences
from controller.swarm.types.base import Planning, Stay, Verdict, is_owned_by, names_of
from reconcilers.objects import Network
from reconcilers.ports import LiveNetwork, LiveObject

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient


@dataclass(frozen=True, slots=True)
class NetworkType:
    """Networks."""

    name: str = "network"
    listed_as: str = "network"
    counted: bool = True
    decoded: bool = True

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One network."""
        return await client.network(id_or_name)

    async def listed(self, client: EngineClient, _installation: str) -> list[Document]:
        """All that the engine knows, whoever owns them."""
        return await client.networks()

    def parse(self, document: Document) -> LiveNetwork:
        """What is known of one."""
        pools = (document.get("IPAM") or {}).get("Config") or []
        return LiveNetwork(
            id=document["Id"],
            name=document["Name"],
            driver=document.get("Driver") or "",
            scope=document.get("Scope") or "",
            subnet=pools[0].get("Subnet") if pools else None,
            task_range=(pools[0].get("IPRange") or None) if pools else None,
            attachable=bool(document.get("Attachable")),
            internal=bool(document.get("Internal")),
            labels=document.get("Labels") or {},
            options=document.get("Options") or {},
        )

    def plan(self, wanted: Network, planning: Planning) -> Verdict:
        """Make it, or make it anew; one that others are on stays as it is."""
        live = planning.view.find(self.name, wanted.name)
        if not isinstance(live, LiveNetwork) or not is_owned_by(live, wanted):  # then the create waits for the name
            row = planning.row(wanted)
            cause = "Repaired" if row is not None and row.engine_id else "Created"
            return Verdict((Change("create", self.name, wanted.name, wanted, cause=cause),), wanted)
        differences = tuple(network_differences(wanted, live))
        if not differences:
            return Verdict(target=wanted)
        if users := others_on(live, planning):
            return Verdict(target=wanted, kept=f"{'; '.join(map(str, differences))}; {_are_on_it(users)}")
        return Verdict((Change("recreate", self.name, wanted.name, wanted, live, differences, "Repaired"),), wanted)

    def stays(self, live: LiveNetwork, planning: Planning) -> Stay | None:
        """While a service that is not its owner's is on it."""
        users = others_on(live, planning)
        return Stay(f"it is no longer wanted; {_are_on_it(users)}") if users else None


def others_on(network: LiveObject, planning: Planning) -> list[str]:
    """Services on a network that are not its owner's own, and all jobs: a job is not made anew for a network."""
    on = planning.view.on_network(network.id)
    own = {service.name for service in planning.view.owned("service", planning.owner)} if on else set()
    return [name for name in on if name not in own and not planning.goes(name)]


def _are_on_it(users: list[str]) -> str:
    return f"{names_of(users)} {'is' if len(users) == 1 else 'are'} on it"


NETWORK = NetworkType()
