"""Writes networks, and sees that a new one can be used: the engine says 201 to some that cannot."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import IPv4Network, ip_network

import anyio

from controller.changes import Change
from controller.kit import clock
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.errors import EngineError, InUse, NameTaken, NotFound
from controller.swarm.types.base import is_owned_by
from controller.swarm.writers.base import Engine
from reconcilers import labels
from reconcilers.objects import Network
from reconcilers.outcomes import ConflictError, NotReadyError, ReconcileError, TerminalError, TransientError
from reconcilers.ports import LiveNetwork

_ALLOCATION_SECONDS, _ALLOCATION_POLL_SECONDS = 2.0, 0.01


class NetworkWriter:
    """Writes networks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client
        self._live = engine.live
        self._feed = engine.feed
        self._own = engine.own
        self._gone: set[str] = set()
        """Removed for certain, though a node may still list its copy."""

    async def create(self, target: Network, _row: InventoryRow | None) -> list[InventoryUpdate]:
        """Make one, and see that it can be used."""
        document = {
            "Name": target.name,
            "Driver": "overlay",
            "Labels": dict(target.labels),
            "Options": dict(target.options),
            "EnableIPv6": False,  # whatever the engine gives to networks that do not say: nothing here speaks of it
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": target.subnet, "IPRange": target.task_range}],
            },
        }
        self._own.wrote(target.name, "create")
        try:
            network_id = await self._client.create_network(document)
        except NameTaken:
            self._own.did_not_write(target.name, "create")
            await self._feed.refresh("network", target.name, tell=False)
            raise self._taken(target) from None
        except EngineError:
            self._own.did_not_write(target.name, "create")
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
            return ConflictError("AlreadyThere", f"network {target.name} already exists; retrying")
        if live is not None and self._live.is_ours(live) and not ours and live.id not in self._gone:
            return NotReadyError(
                "NameStillInUse",
                f"network {target.name} still belongs to {live.labels.get(labels.OWNER)}; waiting until it is removed",
                retry_after=0.5,
            )
        if live is None or self._live.is_ours(live):
            return TransientError(
                "NetworkLeftover",
                f"the Swarm has no network {target.name}, and the node still has a copy; it goes with the last "
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
            await self._feed.refresh("network", network_id, tell=False)
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
        if not live.driver:  # it was seen before it had its addresses, or it never gets any
            now = await self._allocated(live.id, live.name)
            if now is not None and now.driver:
                raise ConflictError("Allocated", f"network {live.name} has its addresses by now; retrying")
        for name in self._live.on_network(live.id):
            service = self._live.service(name)
            if service is not None and service.labels.get(labels.OWNER) == live.labels.get(labels.OWNER):
                await self._engine.writers["service"].remove(service)
        await self.remove(live)
        return await self.create(target, None)

    async def remove(self, live: LiveNetwork) -> list[InventoryUpdate]:
        """The edge leaves last of all, and comes back when the engine does not let the network go."""
        if users := self._live.on_network(live.id):
            raise NotReadyError(
                "InUse",
                f"network {live.name}: {', '.join(users[:3])} still on it; waiting until they have gone",
                retry_after=0.5,
            )
        await self._engine.edge.leave(live)
        self._own.wrote(live.id, "remove")
        try:
            await self._client.remove_network(live.id)
        except NotFound:
            self._gone.add(live.id)
        except InUse:
            self._own.did_not_write(live.id, "remove")
            with suppress(EngineError, ReconcileError):
                await self._engine.edge.join(live)
            raise
        self._live.removed("network", live.id)
        return [InventoryUpdate("network", live.name, gone=True)]

    async def prompt(self, live: LiveNetwork) -> None:
        """Nothing counts on it."""
        raise AssertionError(f"network {live.name} has no tasks")
