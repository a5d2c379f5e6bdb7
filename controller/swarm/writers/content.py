"""Writes secrets and configs: they are made and removed; of one that exists only the labels can be written."""

from __future__ import annotations

import base64

from controller.changes import Change
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.client import Document
from controller.swarm.errors import EngineError, InUse, NameTaken, NotFound
from controller.swarm.types.base import is_owned_by
from controller.swarm.writers.base import Engine
from reconcilers import labels, references
from reconcilers.objects import Content
from reconcilers.outcomes import ConflictError, InUseError, NotReadyError, TerminalError
from reconcilers.ports import LiveContent

_ENDED = {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}


class ContentWriter:
    """Writes secrets, or configs."""

    def __init__(self, object_type: str, engine: Engine) -> None:
        self._type = object_type
        self._client = engine.client
        self._live = engine.live
        self._feed = engine.feed
        self._own = engine.own

    async def create(self, target: Content, _row: InventoryRow | None) -> list[InventoryUpdate]:
        """Make one; the answer to an earlier create may have been lost."""
        what = f"{self._type} {target.name}"
        if target.data is None:
            raise ConflictError("Conflict", f"{what} was there and is gone; retrying")
        self._own.wrote(target.name, "create")
        try:
            made = await self._client.create_content(
                self._type,
                {
                    "Name": target.name,
                    "Labels": dict(target.labels),
                    "Data": base64.b64encode(target.data).decode(),
                },
            )
        except NameTaken:
            self._own.did_not_write(target.name, "create")
            await self._feed.refresh(self._type, target.name, tell=False)
            found = self._live.find(self._type, target.name)
            if is_owned_by(found, target):
                raise ConflictError("AlreadyThere", f"{what} already exists; retrying") from None
            if found is not None and self._live.is_ours(found):
                message = f"{what} still belongs to another object of this installation; waiting until it is removed"
                raise NotReadyError("NameStillInUse", message, retry_after=0.5) from None
            raise TerminalError(
                "NameConflict",
                f"{what} exists on the engine and was not made by this installation; it is left alone. Remove it there",
            ) from None
        except EngineError:
            self._own.did_not_write(target.name, "create")
            raise
        await self._feed.refresh(self._type, made, tell=False)
        return [InventoryUpdate(self._type, target.name, engine_id=made, spec_hash=target.hash)]

    async def update(self, change: Change) -> list[InventoryUpdate]:
        """Put the labels right; without the content, the engine keeps it."""
        target, live = change.target, change.live
        assert isinstance(target, Content)
        assert isinstance(live, LiveContent)
        others = {k: v for k, v in live.labels.items() if not k.startswith(labels.PREFIX)}
        body = {"Name": live.name, "Labels": {**others, **target.labels}}
        self._own.wrote(live.id, "update")
        try:
            await self._client.update_content(self._type, live.id, live.version, body)
        except EngineError:
            self._own.did_not_write(live.id, "update")
            raise
        await self._feed.refresh(self._type, live.id, tell=False)
        return [InventoryUpdate(self._type, live.name, engine_id=live.id, spec_hash=target.hash)]

    async def recreate(self, change: Change) -> list[InventoryUpdate]:
        """Make one anew that nothing refers to."""
        target, live = change.target, change.live
        assert isinstance(target, Content)
        assert isinstance(live, LiveContent)
        await self.remove(live)
        return await self.create(target, None)

    async def remove(self, live: LiveContent) -> list[InventoryUpdate]:
        """Remove one when no task of its owner can need it.

        Raises:
            InUseError: a task that has not ended refers to it.
        """
        owner = live.labels.get(labels.OWNER, "")
        tasks = await self._client.tasks({"label": [f"{labels.OWNER}={owner}"]})
        if any(live.id in references.template_ids(t.get("Spec") or {}) for t in tasks if _can_need_it(t)):
            raise InUseError(f"{self._type} {live.name}: a task that has not ended refers to it; waiting until it has")
        self._own.wrote(live.id, "remove")
        try:
            await self._client.remove_content(self._type, live.id)
        except NotFound:
            pass  # somebody was faster; that is what was wanted
        except InUse as error:  # the view does not show it yet
            self._own.did_not_write(live.id, "remove")
            raise InUseError(f"{self._type} {live.name}: {error.message}; tried again until nothing uses it") from error
        except EngineError:
            self._own.did_not_write(live.id, "remove")
            raise
        self._live.removed(self._type, live.id)
        return [InventoryUpdate(self._type, live.name, gone=True)]

    async def prompt(self, live: LiveContent) -> None:
        """Nothing counts on it."""
        raise AssertionError(f"{self._type} {live.name} has no tasks")


def _can_need_it(task: Document) -> bool:
    return task["Status"]["State"] not in _ENDED
