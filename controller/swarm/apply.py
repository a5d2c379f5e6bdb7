"""Does one change: the only place that writes to the engine.

Each write is compare-and-swap on the version that it was planned on; a conflict means read again and plan again, never
a blind retry. The loop has written the intent down before, and strikes a removal off after the engine confirmed. How an
object is written is its type's to say; see ``controller.swarm.writers``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from controller.changes import Change
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.client import EngineClient
from controller.swarm.edge import Edge
from controller.swarm.errors import (
    AWAY,
    EngineError,
    EngineUnavailable,
    InUse,
    NotFound,
    OutOfSequence,
    Refused,
)
from controller.swarm.feed import Feed
from controller.swarm.liveview import LiveView
from controller.swarm.own_writes import OwnWrites
from controller.swarm.types import BY_NAME, TYPES
from controller.swarm.writers import WRITERS
from controller.swarm.writers.base import Engine
from reconcilers import labels, references
from reconcilers.jobs import Job
from reconcilers.objects import Service
from reconcilers.outcomes import ConflictError, NotReadyError, ReconcileError, TerminalError, TransientError
from reconcilers.ports import LiveNetwork
from reconcilers.routes import hostnames_of


class Applier:
    """Writes to one engine, for one installation."""

    def __init__(self, client: EngineClient, live: LiveView, feed: Feed, own: OwnWrites) -> None:
        self._live = live
        self._feed = feed
        self._edge = Edge(client, live, feed)
        engine = Engine(client, live, feed, own, self._edge)
        self._writers = engine.writers = {each.name: WRITERS[each.name](engine) for each in TYPES}

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
        found = change.target.labels if isinstance(change.target, Service) else {}
        before = hostnames_of(change.live.labels) if change.live is not None else frozenset[str]()
        hostnames, owner = hostnames_of(found) - before, labels.parse_owner(found.get(labels.OWNER, ""))
        if not hostnames or owner is None:
            yield
            return
        if taken := self._live.hosts.claim(owner, hostnames):
            raise NotReadyError(
                "NameStillInUse",
                f"{', '.join(sorted(taken))} is still routed to its previous owner; it continues by itself",
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

    async def _do(self, change: Change, row: InventoryRow | None) -> Sequence[InventoryUpdate]:
        if change.action == "connect":
            if not isinstance(change.live, LiveNetwork):
                raise NotReadyError(
                    "NetworkNotReady",
                    f"network {change.name} does not exist yet; waiting until it does",
                    retry_after=0.2,
                )
            await self._edge.join(change.live)
            return ()
        writer = self._writers[change.object_type]
        match change.action:
            case "create":
                return await writer.create(change.target, row)
            case "update":
                return await writer.update(change)
            case "recreate":
                return await writer.recreate(change)
            case "delete":
                return await writer.remove(change.live)
        await writer.prompt(change.live)
        return ()

    async def _look_again(self, change: Change) -> None:
        """After an error what is live is not known: read it, so that the next plan starts from the truth."""
        try:
            if change.object_type in BY_NAME:
                known_by = change.live.id if change.live else change.name
                await self._feed.refresh(change.object_type, known_by, tell=False)
                referring = change.target.spec if isinstance(change.target, Service | Job) else {}
                for object_type, name in references.named(referring):
                    await self._feed.refresh(object_type, name, tell=False)
            else:
                await self._feed.refresh_edge(tell=False)
        except EngineError:
            pass  # the engine is away; the list after its return brings the truth


def _reconcile_error(change: Change, error: EngineError) -> ReconcileError:
    what = f"{change.action} {change.object_type} {change.name}"
    match error:
        case NotFound() if change.action in ("create", "update") and "network" in error.message:
            return NotReadyError(
                "NetworkNotReady", f"{what}: {error.message}; tried again when it is there", retry_after=0.3
            )
        case OutOfSequence() | NotFound():
            return ConflictError("Conflict", f"{what}: it has changed meanwhile; retrying")
        case InUse():
            return NotReadyError(
                "InUse", f"{what}: {error.message}; tried again until nothing uses it", retry_after=0.5
            )
        case Refused():
            return TerminalError(
                "EngineRefused",
                f"{what}: the engine refuses it: {error.message}; what is there stays as it is, change the spec",
            )
        case EngineUnavailable():
            return TransientError("EngineUnavailable", f"{what}: {error.message}; {AWAY}")
        case _:
            return TransientError("EngineError", f"{what}: {error.message}; {AWAY}")
