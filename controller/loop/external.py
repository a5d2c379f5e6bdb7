"""What an object has beyond the Swarm, with the discipline of the Swarm: intent, observe, compare, act once, give back.

    ensure     before anything is written to the engine, as a service may need what it gives
    sweep      what is on record and was not asked for this time goes, once the reconcile has ended well
    give back  all of it, when nothing lives of the object any more

The inventory has a row a thing, ``<port>/thing``: before it is made, and until the port has confirmed that it is gone.
A create whose answer was lost is found by its name, which is the same for the same wish. What was written says whose it
is: a thing of another owner under the same name is neither changed nor removed, but waited for. Of two that ask for one
name at once, the intent that is on record first decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence

from controller.loop.doors import Doors
from controller.loop.draft import Draft
from controller.loop.ports import Store
from controller.loop.trace import Trace
from controller.records import Intent, InventoryRow, InventoryUpdate, Key, Loaded
from reconcilers.outcomes import NotReadyError
from reconcilers.port import External, Observed, Port, Things

_CREATED, _UPDATED, _REPAIRED, _REMOVED = "Created", "Updated", "Repaired", "Removed"
_IN_USE_SECONDS = 5.0


def written_for(key: Key, digest: str) -> str:
    """What a thing is written with: ten hex digits of its owner's, and the digest of its document."""
    return f"{hashlib.sha256(str(key).encode()).hexdigest()[:10]}-{digest}"


class Externals:
    """The things of one object, in one reconcile.

    Args:
        loaded: what was read of the object.
        uses: ports that its kind declared.
        doors: to them.
        store: for intents.
        draft: is told what was done.
        trace: the record of this reconcile.
    """

    def __init__(
        self,
        loaded: Loaded,
        *,
        uses: Collection[type[Port]],
        doors: Doors,
        store: Store,
        draft: Draft,
        trace: Trace,
    ) -> None:
        self._loaded = loaded
        self._ports = {port.name: port for port in uses if issubclass(port, Things)}
        self._doors = doors
        self._store = store
        self._draft = draft
        self._trace = trace
        self._rows = {(row.object_type, row.name): row for row in loaded.beyond}
        self._kept: set[tuple[str, str]] = set()

    async def ensure(self, wanted: Sequence[External]) -> list[Observed]:
        """Have everything that is wanted, as it is wanted; what each port has of it then.

        Raises:
            FencedError: this process does not lead any more.
            TransientError: a port did not answer.
        """
        self._kept |= {(thing.object_type, thing.name) for thing in wanted}
        return [await self._ensure(thing) for thing in wanted]

    async def _ensure(self, thing: External) -> Observed:
        port = self._doors.open(thing.port)
        row = self._rows.get((thing.object_type, thing.name))
        found = await port.observe(thing.name)
        asked_for = row is not None and row.spec_hash == thing.hash
        on_record = row is not None and row.state == "present" and asked_for
        digest = written_for(self._loaded.key, thing.hash)
        self._refuse_another_s(thing, found)
        if found is None:
            await self._intend(thing.object_type, thing.name, "applying")
            found = await port.create(thing.name, thing.document, digest)
            self._tell(_REPAIRED if asked_for else _CREATED, f"+ {thing.object_type} {thing.name}")
            on_record = False  # the intent is what is on record now
            self._refuse_another_s(thing, found)  # who came in between
        if found.hash != digest or found.drifted:  # also where a create found another one there
            await self._intend(thing.object_type, thing.name, "applying")
            why = found.drifted or "another document is wanted"
            found = await port.update(thing.name, thing.document, digest)
            self._tell(_REPAIRED if asked_for else _UPDATED, f"~ {thing.object_type} {thing.name}: {why}")
            on_record = False
        if not on_record or row is None or row.engine_id != found.id:
            update = InventoryUpdate(thing.object_type, thing.name, engine_id=found.id, spec_hash=thing.hash)
            self._draft.learn(update)
        return found

    def _is_ours(self, found: Observed) -> bool:
        return found.hash.startswith(written_for(self._loaded.key, ""))

    def _refuse_another_s(self, thing: External, found: Observed | None) -> None:
        if found is not None and not self._is_ours(found):
            raise _still_in_use(thing.object_type, thing.name, "exists and was not made for this object")

    async def sweep(self) -> None:
        """Take away what was not asked for this time."""
        await self._remove([row for at, row in self._rows.items() if at not in self._kept])

    async def give_back(self) -> None:
        """Take away everything."""
        await self._remove(list(self._rows.values()))

    async def _remove(self, rows: Sequence[InventoryRow]) -> None:
        for row in rows:
            name = row.object_type.partition("/")[0]
            if name not in self._ports:
                raise LookupError(
                    f"{row.object_type} {row.name} is on record, and kind {self._loaded.key.kind!r} uses no such port "
                    "any more: have it declare the port until everything of it was given back"
                )
            port = self._doors.open(self._ports[name])
            found = await port.observe(row.name)  # its removal may have been done and not written down
            if found is not None and self._is_ours(found):
                await self._intend(row.object_type, row.name, "deleting")
                await port.remove(row.name)
                self._tell(_REMOVED, f"- {row.object_type} {row.name}")
            self._draft.learn(InventoryUpdate(row.object_type, row.name, gone=True))

    async def _intend(self, object_type: str, name: str, state: str) -> None:
        intent = Intent(object_type, name, "deleting" if state == "deleting" else "applying")
        refused = await self._store.announce(self._loaded.key, self._loaded.organization_id, [intent])
        self._trace.lap("announce")
        if refused:
            raise _still_in_use(object_type, name, "is on record for another object")

    def _tell(self, cause: str, text: str) -> None:
        if cause == _REPAIRED:
            self._trace.repaired = True
            text = f"what is beyond the Swarm did not match and was repaired: {text}"
        elif self._loaded.generation:
            text = f"generation {self._loaded.generation}: {text}"
        self._draft.event("Normal", cause, text)


def _still_in_use(object_type: str, name: str, why: str) -> NotReadyError:
    message = f"{object_type} {name} {why}; waiting until it is removed"
    return NotReadyError("NameStillInUse", message, retry_after=_IN_USE_SECONDS)
