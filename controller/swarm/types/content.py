"""What secrets and configs have in common: made once, never changed but for their labels, and held by references.

The name carries a digest of the content, so another content is another object: the new one is made, the services that
refer to it are moved, and the old one is removed when nothing can need it any more. That is: no spec of a service
refers to it, nor the spec before it, which Swarm's rollback goes back to, nor the last one that worked, which we go
back to, nor a task that has not ended. The engine itself looks only at present specs. Tasks are found by the owner's
label on their containers.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.changes import Change, Difference
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.errors import EngineError, InUse, NameTaken, NotFound
from controller.swarm.types.base import Engine, Scene, Stay, Verdict, Writer, cause_of, is_owned_by
from reconcilers import labels, references
from reconcilers.objects import Content
from reconcilers.outcomes import ConflictError, InUseError, NotReadyError, TerminalError
from reconcilers.ports import LiveContent

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient

_ENDED = {"complete", "shutdown", "failed", "rejected", "remove", "orphaned"}


@dataclass(frozen=True, slots=True)
class ContentType:
    """Secrets, or configs.

    Args:
        readable: whether the engine gives back what is in them.
    """

    name: str
    readable: bool
    counted: bool = False
    """They come in twos while one takes the place of another, and nobody loses one that nothing refers to."""
    decoded: bool = True

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One of them."""
        return await client.content(self.name, id_or_name)

    async def listed(self, client: EngineClient, installation: str) -> list[Document]:
        """All of ours."""
        return await client.contents(self.name, f"{labels.INSTALLATION}={installation}")

    def parse(self, document: Document) -> LiveContent:
        """What is known of one; of what is in it, a digest."""
        spec = document["Spec"]
        data = base64.b64decode(spec.get("Data") or "") if self.readable else None
        return LiveContent(
            id=document["ID"],
            name=spec["Name"],
            version=document["Version"]["Index"],
            labels=spec.get("Labels") or {},
            digest=None if data is None else _digest(data),
        )

    def plan(self, wanted: Content, scene: Scene) -> Verdict:
        """Make it, or put its labels right; one whose content is not what its name says cannot be mended while used."""
        row, live = scene.row(wanted), scene.view.find(self.name, wanted.name)
        if not isinstance(live, LiveContent) or not (_made_by_us(row, live) or is_owned_by(live, wanted)):
            change = Change("create", self.name, wanted.name, wanted, cause=cause_of(row, wanted, None))
            return Verdict((change,), wanted)
        own = {k: v for k, v in live.labels.items() if k.startswith(labels.PREFIX)}
        differences = [
            Difference(f"Labels.{key}", own.get(key), wanted.labels.get(key))
            for key in sorted(own.keys() | wanted.labels.keys())
            if own.get(key) != wanted.labels.get(key)
        ]
        if live.digest not in (None, _digest(wanted.data)):
            users = scene.view.referring(live.id)
            if users:
                return Verdict(target=wanted, kept=f"its content is not what its name says; {users[0]} refers to it")
            data = Difference("Data", "another", "as its name says")
            return Verdict((Change("recreate", self.name, wanted.name, wanted, live, (data,), "Repaired"),), wanted)
        if not differences:
            return Verdict(target=wanted)
        change = Change("update", self.name, wanted.name, wanted, live, tuple(differences), "Repaired")
        return Verdict((change,), wanted)

    def stays(self, live: LiveContent, scene: Scene) -> Stay | None:
        """While a service's spec, the one before it, or the last one that worked refers to it.

        Services that are removed in the same change set do not hold it; tasks are asked for when it is removed.
        """
        if any(("service", name) not in scene.going for name in scene.view.referring(live.id)):
            return Stay()
        good = (row.last_good or {} for at, row in scene.rows.items() if at not in scene.going)
        return Stay() if any((self.name, live.name) in references.named(spec) for spec in good) else None

    def writer(self, engine: Engine) -> Writer:
        """What writes them."""
        return ContentWriter(self, engine)


class ContentWriter:
    """Writes secrets, or configs."""

    def __init__(self, type_: ContentType, engine: Engine) -> None:
        self._type = type_
        self._client = engine.client
        self._live = engine.live

    async def create(self, target: Content, _row: InventoryRow | None) -> list[InventoryUpdate]:
        """Make one; the answer to an earlier create may have been lost."""
        what = f"{self._type.name} {target.name}"
        self._live.wrote(target.name, "create")
        try:
            made = await self._client.create_content(
                self._type.name,
                {
                    "Name": target.name,
                    "Labels": dict(target.labels),
                    "Data": base64.b64encode(target.data).decode(),
                },
            )
        except NameTaken:
            self._live.did_not_write(target.name, "create")
            await self._live.refresh(self._type.name, target.name, tell=False)
            found = self._live.find(self._type.name, target.name)
            if is_owned_by(found, target):
                raise ConflictError("AlreadyThere", f"{what} is there already; looking again") from None
            if found is not None and self._live.is_ours(found):
                message = f"{what} still belongs to another object of this installation; waiting until it is removed"
                raise NotReadyError("NameStillInUse", message, retry_after=0.5) from None
            raise TerminalError(
                "NameConflict",
                f"{what} exists on the engine and was not made by this installation; it is left alone. Remove it there",
            ) from None
        except EngineError:
            self._live.did_not_write(target.name, "create")
            raise
        await self._live.refresh(self._type.name, made, tell=False)
        return [InventoryUpdate(self._type.name, target.name, engine_id=made, spec_hash=target.hash)]

    async def update(self, change: Change) -> list[InventoryUpdate]:
        """Put the labels right; without the content, the engine keeps it."""
        target, live = change.target, change.live
        assert isinstance(target, Content)
        assert isinstance(live, LiveContent)
        others = {k: v for k, v in live.labels.items() if not k.startswith(labels.PREFIX)}
        body = {"Name": live.name, "Labels": {**others, **target.labels}}
        self._live.wrote(live.id, "update")
        try:
            await self._client.update_content(self._type.name, live.id, live.version, body)
        except EngineError:
            self._live.did_not_write(live.id, "update")
            raise
        await self._live.refresh(self._type.name, live.id, tell=False)
        return [InventoryUpdate(self._type.name, live.name, engine_id=live.id, spec_hash=target.hash)]

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
            raise InUseError(f"{self._type.name} {live.name}: a task that has not ended refers to it")
        self._live.wrote(live.id, "remove")
        try:
            await self._client.remove_content(self._type.name, live.id)
        except NotFound:
            pass  # somebody was faster; that is what was wanted
        except InUse as error:  # the view does not show it yet
            self._live.did_not_write(live.id, "remove")
            raise InUseError(f"{self._type.name} {live.name}: {error.message}") from error
        except EngineError:
            self._live.did_not_write(live.id, "remove")
            raise
        self._live.removed(self._type.name, live.id)
        return [InventoryUpdate(self._type.name, live.name, gone=True)]

    async def prompt(self, live: LiveContent) -> None:
        """Nothing counts on it."""
        raise AssertionError(f"{self._type.name} {live.name} has no tasks")


def _can_need_it(task: Document) -> bool:
    return task["Status"]["State"] not in _ENDED


def _made_by_us(row: InventoryRow | None, live: LiveContent) -> bool:
    return row is not None and row.engine_id == live.id


def _digest(data: bytes) -> str:
    """To compare within this process only: it is neither written down nor shown."""
    return hashlib.sha256(data).hexdigest()
