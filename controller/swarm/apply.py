"""Does one change: the only place that writes to the engine.

Each write is compare-and-swap on the version that it was planned on; a conflict means read again and plan again, never
a blind retry. The loop has written the intent down before, and struck a removal off after the engine confirmed. What
was written is read back, and its security fields are compared.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Network, ip_network

import anyio

from controller.changes import Change
from controller.kit import clock
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.client import EngineClient
from controller.swarm.diff import label_only, service_differences
from controller.swarm.edge import Edge
from controller.swarm.errors import (
    EngineError,
    EngineUnavailable,
    InUse,
    NameTaken,
    NotFound,
    OutOfSequence,
    Refused,
)
from controller.swarm.liveview import LiveView
from reconcilers import labels
from reconcilers.baseline import lost
from reconcilers.objects import Network, Service, SpecDocument
from reconcilers.outcomes import ConflictError, NotReadyError, ReconcileError, TerminalError, TransientError
from reconcilers.ports import LiveNetwork, LiveService
from reconcilers.routes import hostnames_of, without_hosts

_PENDING_SECONDS = 30.0
_ALLOCATION_SECONDS, _ALLOCATION_POLL_SECONDS = 2.0, 0.01
_SEEN_AFTER_SECONDS = (0.0, 0.02, 0.1, 0.5)


class Applier:
    """Writes to one engine, for one installation."""

    def __init__(self, client: EngineClient, live: LiveView, edge: Edge) -> None:
        self._client = client
        self._live = live
        self._edge = edge
        self._gone: set[str] = set()
        self._pending_since: dict[str, float] = {}

    async def write(self, change: Change, row: InventoryRow | None) -> tuple[InventoryUpdate, ...]:
        """Do ``change``; what the inventory must learn of it.

        Args:
            change: what to do; its intent is written down, and this process leads.
            row: what we know to have made under its name.

        Raises:
            ConflictError: the object changed since it was planned on.
            TransientError: no answer, or something is still in use.
            TerminalError: the engine refuses the document, or lost a part of the security baseline.
        """
        async with self._routing(change):
            try:
                return tuple(await self._do(change, row))
            except EngineError as error:
                await self._look_again(change)
                raise _reconcile_error(change, error) from error

    @asynccontextmanager
    async def _routing(self, change: Change) -> AsyncIterator[None]:
        """Claim the host names that a write gives rules to, until the live view shows them.

        Raises:
            NotReadyError: another owner has one of them, since this was planned.
        """
        found = change.target.spec["Labels"] if isinstance(change.target, Service) else {}
        before = hostnames_of(change.live.labels) if change.live is not None else frozenset[str]()
        hostnames, owner = hostnames_of(found) - before, labels.parse_owner(found.get(labels.OWNER, ""))
        if not hostnames or owner is None:
            yield
            return
        if taken := self._live.hosts.claim(owner, hostnames):
            raise NotReadyError(
                "NameStillInUse",
                f"{', '.join(sorted(taken))} is still answered for whoever had the name before; it goes on by itself",
            )
        seen = False
        try:
            yield
            seen = True
        except (NotReadyError, TerminalError):
            seen = True
            raise
        finally:
            self._live.hosts.settle(owner, hostnames, known=seen)

    async def _do(self, change: Change, row: InventoryRow | None) -> list[InventoryUpdate]:  # noqa: PLR0911 - one a case
        match change.action, change.target, change.live:
            case "create", Service() as service, _:
                return await self._create_service(service, row)
            case "update", Service() as service, LiveService() as live:
                return await self._update_service(service, live, restart=await self._after_pending(change, live))
            case "prompt", _, LiveService() as live:
                await self._write(live, dict(live.spec))
                return []
            case "delete", _, LiveService() as live:
                return await self._remove_service(live)
            case "create", Network() as network, _:
                return await self._create_network(network)
            case "recreate", Network() as network, LiveNetwork() as live:
                await self._remove_users(live)
                await self._remove_network(live)
                return await self._create_network(network)
            case "delete", _, LiveNetwork() as live:
                return await self._remove_network(live)
            case "connect", _, LiveNetwork() as live:
                await self._edge.join(live)
                return []
            case "connect", _, None:
                raise NotReadyError("NetworkNotReady", f"network {change.name} is not there yet", retry_after=0.2)
        raise AssertionError(f"no such change: {change!r}")

    # -- services ------------------------------------------------------------------------------------------------

    async def _create_service(self, service: Service, row: InventoryRow | None) -> list[InventoryUpdate]:
        self._live.wrote(service.name, "create")  # by name: the event may come before the answer with the id
        try:
            service_id = await self._client.create_service(service.spec)
        except NameTaken:
            self._live.did_not_write(service.name, "create")
            await self._live.refresh_service(service.name, tell=False)
            live = self._live.service(service.name)
            if live is not None and live.labels.get(labels.OWNER) == service.spec["Labels"][labels.OWNER]:
                raise ConflictError("AlreadyThere", f"service {service.name} is there already; looking again") from None
            return await self._take_back(service, row)
        except EngineError:
            self._live.did_not_write(service.name, "create")
            raise
        await self._live.read_back(service_id, new=True)
        await self._verify(service, service_id, previous=None)
        return [_applied(service, service_id)]

    async def _take_back(self, service: Service, row: InventoryRow | None) -> list[InventoryUpdate]:
        """Somebody took our labels off a service that the inventory knows by its id; another one is not ours."""
        document = await self._client.service(service.name)
        found = document["Spec"].get("Labels") or {}
        if row is None or row.engine_id != document["ID"]:
            if found.get(labels.INSTALLATION) == self._live.installation and found.get(labels.OWNER):
                raise NotReadyError(
                    "NameStillInUse",
                    f"service {service.name} still belongs to another object of this installation; waiting until it is "
                    "removed",
                    retry_after=0.5,
                )
            raise _name_conflict("service", service.name)
        live = LiveService(
            document["ID"],
            service.name,
            document["Version"]["Index"],
            document["Spec"],
            update_state=None,
            update_message="",
        )
        return await self._update_service(service, live)

    async def _after_pending(self, change: Change, live: LiveService) -> bool:
        """Hold a write of labels alone back while a task is pending: Swarm could forget that task (moby#53722).

        Returns:
            whether the write must restart the tasks, as one has been pending for too long to wait for it.

        Raises:
            NotReadyError: not now.
        """
        if label_only(change.differences):
            tasks = await self._client.tasks({"service": [live.id], "desired-state": ["running"]})
            if any(task["Status"]["State"] == "pending" for task in tasks):
                since = self._pending_since.setdefault(live.id, clock.monotonic())
                if clock.monotonic() - since < _PENDING_SECONDS:
                    raise NotReadyError(
                        "TaskPending",
                        f"the labels of service {live.name} are not changed while a task of it waits for a node with "
                        "enough room, as Swarm could forget that task; free resources, or ask for less",
                        retry_after=1.0,
                    )
                self._pending_since.pop(live.id, None)
                return True
        self._pending_since.pop(live.id, None)
        return False

    async def _update_service(
        self, service: Service, live: LiveService, *, restart: bool = False
    ) -> list[InventoryUpdate]:
        spec = {**service.spec, "TaskTemplate": dict(service.spec["TaskTemplate"])}
        force = (live.spec.get("TaskTemplate") or {}).get("ForceUpdate")
        if force or restart:
            spec["TaskTemplate"]["ForceUpdate"] = (force or 0) + restart  # a restart that somebody asked for stays done
        lost = hostnames_of(live.labels) - hostnames_of(service.spec["Labels"])
        if lost and any(not d.path.startswith("Labels.") for d in service_differences(spec, live.spec)):
            # By itself first: Swarm's rollback of the template would bring back the rules of the spec before.
            await self._write(live, {**live.spec, "Labels": without_hosts(live.labels, lost)})
            live = self._live.service_by_id(live.id) or live
        await self._write(live, spec)
        await self._verify(service, live.id, previous=live)
        return [_applied(service, live.id)]

    async def _write(self, live: LiveService, spec: SpecDocument) -> None:
        self._live.wrote(live.id, "update")
        try:
            await self._client.update_service(live.id, live.version, spec)
        except EngineError:
            self._live.did_not_write(live.id, "update")
            raise
        await self._see(live)

    async def _see(self, before: LiveService) -> None:
        """Read back what was written. The engine may still show what was before it (moby#30794): then ask again.

        Raises:
            ConflictError: it shows the old one for long; the next look goes on from there.
        """
        for pause in _SEEN_AFTER_SECONDS:
            if pause:
                await anyio.sleep(pause)
            await self._live.read_back(before.id, new=False)
            stored = self._live.service_by_id(before.id)
            if stored is None or stored.version > before.version:
                return
        raise ConflictError("NotSeenYet", f"update service {before.name}: the engine still shows it as it was")

    async def _verify(self, service: Service, service_id: str, *, previous: LiveService | None) -> None:
        stored = self._live.service_by_id(service_id)
        if stored is None or stored.labels.get(labels.SPEC_HASH) != service.hash:
            return  # changed again meanwhile; the next pass compares everything
        dropped = lost(service.spec, stored.spec)
        if not dropped:
            return
        if previous is None:
            await self._client.remove_service(service_id)
            self._live.removed_service(service_id)
        else:
            await self._client.update_service(service_id, stored.version, dict(previous.spec))
        raise TerminalError(
            "SecurityBaselineLost",
            f"the engine accepted service {service.name} and dropped {', '.join(dropped)}; it was taken back. "
            "Use Docker Engine 25.0 or newer on every manager.",
        )

    async def _remove_service(self, live: LiveService) -> list[InventoryUpdate]:
        now = self._live.service_by_id(live.id)
        if now is not None and now.labels.get(labels.OWNER) != live.labels.get(labels.OWNER):
            raise ConflictError("Conflict", f"delete service {live.name}: it has another owner now; looking again")
        self._live.wrote(live.id, "remove")
        with suppress(NotFound):  # somebody was faster; that is what was wanted
            await self._client.remove_service(live.id)
        self._live.removed_service(live.id)
        return [InventoryUpdate("service", live.name, gone=True)]

    # -- networks ------------------------------------------------------------------------------------------------

    async def _create_network(self, network: Network) -> list[InventoryUpdate]:
        document = {
            "Name": network.name,
            "Driver": "overlay",
            "Labels": dict(network.labels),
            "Options": dict(network.options),
            "IPAM": {
                "Driver": "default",
                "Config": [{"Subnet": network.subnet, "IPRange": network.task_range}],
            },
        }
        self._live.wrote(network.name, "create")
        try:
            network_id = await self._client.create_network(document)
        except NameTaken:
            self._live.did_not_write(network.name, "create")
            await self._live.refresh_network(network.name, tell=False)
            live = self._live.network(network.name)
            ours = live is not None and live.labels.get(labels.OWNER) == network.labels[labels.OWNER]
            if ours and live is not None and live.id not in self._gone:
                raise ConflictError("AlreadyThere", f"network {network.name} is there already; looking again") from None
            if (
                live is not None
                and live.labels.get(labels.INSTALLATION) == self._live.installation
                and not ours
                and live.id not in self._gone
            ):
                raise NotReadyError(
                    "NameStillInUse",
                    f"network {network.name} still belongs to {live.labels.get(labels.OWNER)}; waiting until it is "
                    "removed",
                    retry_after=0.5,
                ) from None
            if live is None or live.labels.get(labels.INSTALLATION) == self._live.installation:
                raise TransientError(
                    "NetworkLeftover",
                    f"the Swarm has no network {network.name}, and the node still holds a copy; it goes with the last "
                    "container on it. If it stays, restart the engine of the edge's node",
                ) from None
            raise _name_conflict("network", network.name) from None
        except EngineError:
            self._live.did_not_write(network.name, "create")
            raise
        live = await self._allocated(network_id, network.name)
        unusable = live is not None and (live.driver != "overlay" or live.subnet not in (None, network.subnet))
        sharer = await self._sharer(network_id, network.subnet)
        if unusable or sharer:
            # 201 and a network that cannot be used, or one whose addresses are given twice.
            await self._client.remove_network(network_id)
            self._live.removed_network(network_id)
            why = f"network {sharer} has a part of it" if sharer else "it may overlap a route of the host"
            raise TransientError(
                "SubnetRefused",
                f"{network.subnet} cannot be given to network {network.name}: {why}; looking for another",
            )
        return [InventoryUpdate("network", network.name, engine_id=network_id, spec_hash=network.subnet)]

    async def _allocated(self, network_id: str, name: str) -> LiveNetwork | None:
        """A new network once it has its addresses; one that cannot have them never gets a driver."""
        deadline = clock.monotonic() + _ALLOCATION_SECONDS
        while True:
            await self._live.refresh_network(network_id, tell=False)
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

    async def _remove_users(self, live: LiveNetwork) -> None:
        """The owner's own services on a network that is made anew: its pin, which is made again after it."""
        for name in self._live.on_network(live.id):
            service = self._live.service(name)
            if service is not None and service.labels.get(labels.OWNER) == live.labels.get(labels.OWNER):
                await self._remove_service(service)

    async def _remove_network(self, live: LiveNetwork) -> list[InventoryUpdate]:
        """The edge leaves last of all, and comes back when the engine does not let the network go."""
        if users := self._live.on_network(live.id):
            raise NotReadyError("InUse", f"network {live.name}: {', '.join(users[:3])} still on it", retry_after=0.5)
        await self._edge.leave(live)
        self._live.wrote(live.id, "remove")
        try:
            await self._client.remove_network(live.id)
        except NotFound:
            self._gone.add(live.id)  # a node may still list its copy
        except InUse:
            self._live.did_not_write(live.id, "remove")
            with suppress(EngineError, ReconcileError):
                await self._edge.join(live)
            raise
        self._live.removed_network(live.id)
        return [InventoryUpdate("network", live.name, gone=True)]

    async def _look_again(self, change: Change) -> None:
        """After an error what is live is not known: read it, so that the next plan starts from the truth."""
        try:
            if change.object_type == "service":
                await self._live.refresh_service(change.live.id if change.live else change.name, tell=False)
            elif change.object_type == "network":
                await self._live.refresh_network(change.live.id if change.live else change.name, tell=False)
            else:
                await self._live.refresh_edge(tell=False)
        except EngineError:
            pass  # the engine is away; the list after its return brings the truth


def _applied(service: Service, service_id: str) -> InventoryUpdate:
    return InventoryUpdate(
        "service",
        service.name,
        engine_id=service_id,
        spec_hash=service.hash,
        template_hash=service.template_hash,
    )


def _name_conflict(object_type: str, name: str) -> TerminalError:
    return TerminalError(
        "NameConflict",
        f"{object_type} {name} exists on the engine and was not made by this installation; it is left alone. Remove or "
        "rename it there, or choose another name here",
    )


def _reconcile_error(change: Change, error: EngineError) -> ReconcileError:
    what = f"{change.action} {change.object_type} {change.name}"
    match error:
        case NotFound() if change.action in ("create", "update") and "network" in error.message:
            return NotReadyError("NetworkNotReady", f"{what}: {error.message}", retry_after=0.3)
        case OutOfSequence() | NotFound():
            return ConflictError("Conflict", f"{what}: it changed meanwhile; looking again")
        case InUse():
            return NotReadyError("InUse", f"{what}: {error.message}", retry_after=0.5)
        case Refused():
            return TerminalError("EngineRefused", f"{what}: the engine refuses it: {error.message}")
        case EngineUnavailable():
            return TransientError("EngineUnavailable", f"{what}: {error.message}")
        case _:
            return TransientError("EngineError", f"{what}: {error.message}")
