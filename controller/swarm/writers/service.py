"""Writes services.

A change is compare-and-swap on the version that it was planned on. What was written is read back, and the fields of the
security baseline are compared: an engine that does not know one drops it without a word.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import anyio

from controller.changes import Change
from controller.kit import clock
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.diff import label_only, service_differences
from controller.swarm.errors import EngineError, NameTaken, NotFound
from controller.swarm.service_cache import service_of
from controller.swarm.types.base import is_owned_by
from controller.swarm.types.service import SERVICE
from controller.swarm.writers.base import Engine
from reconcilers import labels, references
from reconcilers.baseline import lost
from reconcilers.jobs import Job
from reconcilers.objects import Service, SpecDocument
from reconcilers.outcomes import ConflictError, NotReadyError, TerminalError
from reconcilers.ports import LiveService
from reconcilers.routes import hostnames_of, without_hosts

_PENDING_SECONDS = 30.0
_SEEN_AFTER_SECONDS = (0.0, 0.02, 0.1, 0.5)


class ServiceWriter:
    """Writes services; what ``JobWriter`` does alike is here, too."""

    _type = SERVICE.name

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._client = engine.client
        self._live = engine.live
        self._feed = engine.feed
        self._own = engine.own
        self._pending_since: dict[str, float] = {}

    def _complete(self, target: Service | Job, live: LiveService | None = None) -> SpecDocument:
        """The document with the ids of all that it refers to; what ``live`` refers to is there, whoever made it.

        Raises:
            NotReadyError: something of it is not there.
        """
        held = {} if live is None else references.held(live.spec)
        for object_type, name in references.named(target.spec):
            if self._live.find(object_type, name) is None and (object_type, name) not in held:
                message = f"{self._type} {target.name}: {object_type} {name} does not exist yet; waiting until it does"
                raise NotReadyError("ContentNotReady", message, retry_after=0.3)
        return references.filled(target.spec, lambda *at: self._live.id_of(*at) or held.get(at))

    async def create(self, target: Any, row: InventoryRow | None) -> list[InventoryUpdate]:
        """Make one; one that the inventory knows by its id is ours, whatever its labels say."""
        spec = self._complete(target)
        self._own.wrote(target.name, "create")  # by name: the event may come before the answer with the id
        try:
            service_id = await self._client.create_service(spec, pull=_pull(target, None))
        except NameTaken:
            self._own.did_not_write(target.name, "create")
            await self._feed.refresh(self._type, target.name, tell=False)
            if is_owned_by(self._live.find(self._type, target.name), target):
                message = f"{self._type} {target.name} already exists; retrying"
                raise ConflictError("AlreadyThere", message) from None
            return await self._take_back(target, row)
        except EngineError:
            self._own.did_not_write(target.name, "create")
            raise
        self._own.made(service_id)
        await self._feed.read_back(service_id)
        await self._verify(target, service_id, previous=None)
        return [self._applied(target, service_id)]

    async def update(self, change: Change) -> list[InventoryUpdate]:
        """Replace its document."""
        target, live = change.target, change.live
        assert isinstance(target, Service)
        assert isinstance(live, LiveService)
        return await self._update(target, live, restart=await self._after_pending(change, live))

    async def recreate(self, change: Change) -> list[InventoryUpdate]:
        """Make one anew where one of another mode is, a service or a job: the engine changes no mode."""
        target, live = change.target, change.live
        assert isinstance(live, LiveService)
        gone = await self._engine.writers[live.object_type].remove(live)
        return [*(gone if live.object_type != self._type else ()), *await self.create(target, None)]

    async def prompt(self, live: LiveService) -> None:
        """Swarm counts its tasks again."""
        await self._write(live, dict(live.spec))

    async def _take_back(self, target: Any, row: InventoryRow | None) -> list[InventoryUpdate]:
        """Somebody took our labels off what the inventory knows by its id; another one is not ours."""
        document = await self._client.service(target.name)
        found = document["Spec"].get("Labels") or {}
        if row is None or row.engine_id != document["ID"]:
            if found.get(labels.INSTALLATION) == self._live.installation and found.get(labels.OWNER):
                raise NotReadyError(
                    "NameStillInUse",
                    f"{self._type} {target.name} still belongs to another object of this installation; waiting until "
                    "it is removed",
                    retry_after=0.5,
                )
            raise TerminalError(
                "NameConflict",
                f"{self._type} {target.name} exists on the engine and was not made by this installation; it is left "
                "alone. Remove or rename it there, or choose another name here",
            )
        return await self._adopt(target, service_of(document), row)

    async def _adopt(self, target: Any, live: LiveService, _row: InventoryRow) -> list[InventoryUpdate]:
        return await self._update(target, live)

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

    async def _update(self, service: Service, live: LiveService, *, restart: bool = False) -> list[InventoryUpdate]:
        spec = self._complete(service, live)
        spec = {**spec, "TaskTemplate": dict(spec["TaskTemplate"])}
        force = (live.spec.get("TaskTemplate") or {}).get("ForceUpdate")
        if force or restart:
            spec["TaskTemplate"]["ForceUpdate"] = (force or 0) + restart  # a restart that somebody asked for stays done
        lost = hostnames_of(live.labels) - hostnames_of(service.spec["Labels"])
        if lost and any(not d.path.startswith("Labels.") for d in service_differences(spec, live.spec)):
            # By itself first: Swarm's rollback of the template would bring back the rules of the spec before.
            await self._write(live, {**live.spec, "Labels": without_hosts(live.labels, lost)})
            live = self._live.service_by_id(live.id) or live
        await self._write(live, spec, pull=_pull(service, live))
        await self._verify(service, live.id, previous=live)
        return [self._applied(service, live.id)]

    async def _write(self, live: LiveService, spec: SpecDocument, pull: str | None = None) -> None:
        self._own.wrote(live.id, "update")
        try:
            await self._client.update_service(live.id, live.version, spec, pull=pull)
        except EngineError:
            self._own.did_not_write(live.id, "update")
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
            await self._feed.read_back(before.id)
            stored = self._live.service_by_id(before.id)
            if stored is None or stored.version > before.version:
                return
        raise ConflictError("NotSeenYet", f"update {self._type} {before.name}: the engine still shows it as it was")

    async def _verify(self, target: Service | Job, service_id: str, *, previous: LiveService | None) -> None:
        stored = self._live.service_by_id(service_id)
        if stored is None or stored.labels.get(labels.SPEC_HASH) != target.hash:
            return  # changed again meanwhile; the next pass compares everything
        dropped = lost(target.spec, stored.spec)
        if not dropped:
            return
        if previous is None:
            await self._client.remove_service(service_id)
            self._live.removed(self._type, service_id)
        else:
            await self._client.update_service(service_id, stored.version, dict(previous.spec))
        raise TerminalError(
            "SecurityBaselineLost",
            f"the engine accepted {self._type} {target.name} and dropped {', '.join(dropped)}; that was undone. "
            "Use Docker Engine 25.0 or newer on every manager.",
        )

    async def remove(self, live: LiveService) -> list[InventoryUpdate]:
        """Take it away; its tasks go after the answer."""
        await self._feed.read_back(live.id)  # somebody may have let it go since: there is no version to hold it against
        now = self._live.service_by_id(live.id)
        if now is None:
            return [InventoryUpdate(self._type, live.name, gone=True)]
        if now.labels.get(labels.OWNER) != live.labels.get(labels.OWNER):
            message = f"delete {self._type} {live.name}: it has another owner now; retrying"
            raise ConflictError("Conflict", message)
        self._own.wrote(live.id, "remove")
        with suppress(NotFound):  # somebody was faster; that is what was wanted
            await self._client.remove_service(live.id)
        self._live.removed(self._type, live.id)
        return [InventoryUpdate(self._type, live.name, gone=True)]

    def _applied(self, target: Service | Job, service_id: str) -> InventoryUpdate:
        return InventoryUpdate(
            self._type,
            target.name,
            engine_id=service_id,
            spec_hash=target.hash,
            template_hash=target.template_hash,
        )


def _pull(target: Service | Job, live: LiveService | None) -> str | None:
    """What its nodes are to pull with, where that is another than what the engine has.

    Raises:
        ConflictError: it is not at hand, as something else was live when this was planned.
    """
    before = live.labels.get(labels.PULLS_AS, "") if live is not None else ""
    if target.pulls_as == before:
        return None
    if not target.pull:
        raise ConflictError("Conflict", f"{target.object_type} {target.name}: it has changed meanwhile; retrying")
    return target.pull
