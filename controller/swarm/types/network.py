"""Overlay networks: they cannot be changed, only made anew; never while a service of somebody else is on one.

The live view keeps those of others, too: their names and addresses are taken.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_network
from typing import TYPE_CHECKING

import anyio

from controller.changes import Change
from controller.kit import clock
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.diff import network_differences
from controller.swarm.errors import EngineError, InUse, NameTaken, NotFound
from controller.swarm.types.base import Engine, Scene, Stay, Verdict, Writer, is_owned_by, names_of
from reconcilers import labels
from reconcilers.objects import Network
from reconcilers.outcomes import ConflictError, NotReadyError, ReconcileError, TerminalError, TransientError
from reconcilers.ports import LiveNetwork, LiveObject

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient

_ALLOCATION_SECONDS, _ALLOCATION_POLL_SECONDS = 2.0, 0.01


@dataclass(frozen=True, slots=True)
class NetworkType:
    """Networks."""

    name: str = "network"
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

    def plan(self, wanted: Network, scene: Scene) -> Verdict:
        """Make it, or make it anew; one that others are on stays as it is."""
        live = scene.view.find(self.name, wanted.name)
        if not isinstance(live, LiveNetwork) or not is_owned_by(live, wanted):  # then the create waits for the name
            row = scene.row(wanted)
            cause = "Repaired" if row is not None and row.engine_id else "Created"
            return Verdict((Change("create", self.name, wanted.name, wanted, cause=cause),), wanted)
        differences = tuple(network_differences(wanted, live))
        if not differences:
            return Verdict(target=wanted)
        if users := others_on(live, scene):
            return Verdict(target=wanted, kept=f"{'; '.join(map(str, differences))}; {_are_on_it(users)}")
        return Verdict((Change("recreate", self.name, wanted.name, wanted, live, differences, "Repaired"),), wanted)

    def stays(self, live: LiveNetwork, scene: Scene) -> Stay | None:
        """While a service that is not its owner's is on it."""
        users = others_on(live, scene)
        return Stay(f"it is not wanted any more; {_are_on_it(users)}") if users else None

    def writer(self, engine: Engine) -> Writer:
        """What writes them."""
        return NetworkWriter(engine)


def others_on(network: LiveObject, scene: Scene) -> list[str]:
    """Services on a network that are not its owner's own."""
    on = scene.view.on_network(network.id)
    own = {service.name for service in scene.view.owned("service", scene.owner)} if on else set()
    return [name for name in on if name not in own]


def _are_on_it(users: list[str]) -> str:
    return f"{names_of(users)} {'is' if len(users) == 1 else 'are'} on it"


class NetworkWriter:
    """Writes networks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client
        self._live = engine.live
        self._gone: set[str] = set()
        """Removed for certain, though a node may still list its copy."""

    async def create(self, target: Network, _row: InventoryRow | None) -> list[InventoryUpdate]:
        """Make one, and see that it can be used."""
        document = {
            "Name": target.name,
            "Driver": "overlay",
            "Labels": dict(target.labels),
            "Options": dict(target.options),
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": target.subnet, "IPRange": target.task_range}],
            },
        }
        self._live.wrote(target.name, "create")
        try:
            network_id = await self._client.create_network(document)
        except NameTaken:
            self._live.did_not_write(target.name, "create")
            await self._live.refresh("network", target.name, tell=False)
            raise self._taken(target) from None
        except EngineError:
            self._live.did_not_write(target.name, "create")
            raise
        live = await self._allocated(network_id, target.name)
        unusable = live is not None and (live.driver != "overlay" or live.subnet not in (None, target.subnet))
        sharer = await self._sharer(network_id, target.subnet)
        if unusable or sharer:
            # 201 and a network that cannot be used, or one whose addresses are given twice.
            await self._client.remove_network(network_id)
            self._live.removed("network", network_id)
            why = f"network {sharer} has a part of it" if sharer else "it may overlap a route of the host"
            raise TransientError(
                "SubnetRefused",
                f"{target.subnet} cannot be given to network {target.name}: {why}; looking for another",
            )
        return [InventoryUpdate("network", target.name, engine_id=network_id, spec_hash=target.hash)]

    def _taken(self, target: Network) -> ReconcileError:
        live = self._live.network(target.name)
        ours = is_owned_by(live, target)
        if ours and live is not None and live.id not in self._gone:
            return ConflictError("AlreadyThere", f"network {target.name} is there already; looking again")
        if live is not None and self._live.is_ours(live) and not ours and live.id not in self._gone:
            return NotReadyError(
                "NameStillInUse",
                f"network {target.name} still belongs to {live.labels.get(labels.OWNER)}; waiting until it is removed",
                retry_after=0.5,
            )
        if live is None or self._live.is_ours(live):
            return TransientError(
                "NetworkLeftover",
                f"the Swarm has no network {target.name}, and the node still holds a copy; it goes with the last "
                "container on it. If it stays, restart the engine of the edge's node",
            )
        return TerminalError(
            "NameConflict",
            f"network {target.name} exists on the engine and was not made by this installation; it is left alone. "
            "Remove or rename it there, or choose another name here",
        )

    async def _allocated(self, network_id: str, name: str) -> LiveNetwork | None:
        """A new network once it has its addresses; one that cannot have them never gets a driver."""
        deadline = clock.monotonic() + _ALLOCATION_SECONDS
        while True:
            await self._live.refresh("network", network_id, tell=False)
            live = self._live.network(name)
            if live is None or live.driver or clock.monotonic() > deadline:
                return live
            await anyio.sleep(_ALLOCATION_POLL_SECONDS)

    async def _sharer(self, network_id: str, subnet: str) -> str:
        """Name of another network with a part of the range; with a range for tasks, the engine does not look itself."""
        for document in await self._client.networks():
            pools = (document.get("IPAM") or {}).get("Config") or []
            taken = [ip_network(pool["Subnet"]) for pool in pools if pool.get("Subnet")]
            if document["Id"] != network_id and any(t.version == 4 and t.overlaps(IPv4Network(subnet)) for t in taken):
                return str(document["Name"])
        return ""

    async def update(self, change: Change) -> list[InventoryUpdate]:
        """A network cannot be updated."""
        raise AssertionError(f"no such change: {change!r}")

    async def recreate(self, change: Change) -> list[InventoryUpdate]:
        """Make one anew; its owner's own services on it, its pin, are made again after it."""
        target, live = change.target, change.live
        assert isinstance(target, Network)
        assert isinstance(live, LiveNetwork)
        for name in self._live.on_network(live.id):
            service = self._live.service(name)
            if service is not None and service.labels.get(labels.OWNER) == live.labels.get(labels.OWNER):
                await self._engine.writers["service"].remove(service)
        await self.remove(live)
        return await self.create(target, None)

    async def remove(self, live: LiveNetwork) -> list[InventoryUpdate]:
        """The edge leaves last of all, and comes back when the engine does not let the network go."""
        if users := self._live.on_network(live.id):
            raise NotReadyError("InUse", f"network {live.name}: {', '.join(users[:3])} still on it", retry_after=0.5)
        await self._engine.edge.leave(live)
        self._live.wrote(live.id, "remove")
        try:
            await self._client.remove_network(live.id)
        except NotFound:
            self._gone.add(live.id)
        except InUse:
            self._live.did_not_write(live.id, "remove")
            with suppress(EngineError, ReconcileError):
                await self._engine.edge.join(live)
            raise
        self._live.removed("network", live.id)
        return [InventoryUpdate("network", live.name, gone=True)]

    async def prompt(self, live: LiveNetwork) -> None:
        """Nothing counts on it."""
        raise AssertionError(f"network {live.name} has no tasks")


NETWORK = NetworkType()
