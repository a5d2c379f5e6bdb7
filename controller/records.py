"""Plain records that pass between the store, the engine and the Swarm side, which do not import each other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from reconcilers.conditions import Condition, Status
from specs.problems import InvalidSpec


class Key(NamedTuple):
    """What the queue carries: a kind and an id, never the change itself."""

    kind: str
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


Fingerprint: TypeAlias = Hashable
"""Equal as long as nothing live that an object depends on has changed."""


class Changed(NamedTuple):
    """One row of the change log.

    Args:
        key: what to look at.
        organization_id: whose change it was; None where that could not be told any more.
        dependent: whether ``key`` itself is as it was and depends on what changed.
    """

    key: Key
    organization_id: str | None
    dependent: bool


@dataclass(frozen=True, slots=True)
class InventoryRow:
    """What we know to have made, or to have been about to make.

    Args:
        engine_id: id on the engine; None between the intent and the first sight of the object.
        spec_hash: hash of the spec that was last applied.
        template_hash: hash of the task template in it; None for what is no service, or older than the column.
        failed_hash: hash of a task template that failed; it is not applied again. Empty: none.
        last_good: the spec that was last seen working, or None.
        state: ``applying``, ``present`` or ``deleting``.
        barred: images of which no task may run now, of those that live or worked last; it is on no record.
    """

    object_type: str
    name: str
    engine_id: str | None = None
    spec_hash: str | None = None
    failed_hash: str | None = None
    last_good: Mapping[str, Any] | None = None
    state: str = "applying"
    template_hash: str | None = None
    barred: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class DesiredObject:
    """One row of the index of all wanted objects; ``requested``: somebody asks for a look now and has not had it."""

    key: Key
    organization_id: str
    generation: int
    deleted: bool
    requested: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """An operator has stopped the work on an object.

    Args:
        scope: ``object``, ``organization`` (with everything of it) or ``installation``; the widest that holds.
        reason: why, in the operator's words; empty when none was given.
        by: who.
        at: since when, as ISO 8601 text.
    """

    scope: str
    reason: str
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """One consistent look at one object: its document, what we made for it, what we last said of it.

    Args:
        document: what ``skypanel.snapshot_<kind>`` gives, as far as it can be read; None when the row is gone, or a
            part of it is hidden.
        unreadable: what of the document cannot be read; None: all of it was.
        status: the last one as it is in the database, with ``handled_token``; None when there is none.
        paused: the pause that holds it, if any.
        token: the last "reconcile now" that was asked for; empty when none ever was.
        declared: whether there is a row in ``skypanel.objects``: this alone says whether the object is wanted.
        tombstone: whether the row was deleted, and is not merely absent.
    """

    key: Key
    organization_id: str | None
    generation: int
    deleted: bool
    document: Mapping[str, Any] | None
    unreadable: InvalidSpec | None = None
    inventory: tuple[InventoryRow, ...] = ()
    status: Mapping[str, Any] | None = None
    paused: Pause | None = None
    token: str = ""
    declared: bool = False
    tombstone: bool = False

    @property
    def made(self) -> tuple[InventoryRow, ...]:
        """What of the inventory is on the engine."""
        return tuple(row for row in self.inventory if "/" not in row.object_type)

    @property
    def beyond(self) -> tuple[InventoryRow, ...]:
        """What of it is beyond the Swarm; see ``controller.loop.external``."""
        return tuple(row for row in self.inventory if "/" in row.object_type)

    @property
    def requested(self) -> bool:
        """Whether somebody asks for a look now and has not had it."""
        return bool(self.token) and self.token != (self.status or {}).get("handled_token")


class Loss(NamedTuple):
    """What of one owner lives and would not any more.

    Args:
        why: ``absent``: its row is missing and nobody deleted it; ``deleted``: it was asked to go; ``reduced``: it
            stays, and something of it would stop or lose its route.
        objects: services and networks that would be removed with their owner.
        processes: processes of a wanted owner that run and would not.
        hosts: host names of a wanted owner that would lead nowhere.
        confirmed: an operator said so, of no less than this.
    """

    why: str
    objects: int
    processes: int
    hosts: int
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class Holdings:
    """What lives: objects by owner, (environment, process type) that run, (environment, host name) that are routed."""

    owners: Mapping[Key, int]
    processes: Sequence[tuple[str, str]] = ()
    hosts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What of the holdings would be lost, by one look at the database.

    Args:
        tripped: the fuse has tripped, and is still.
        hidden: tables of which row-level security may hide rows: nothing can be said then.
        recorded: how many owners wait for a confirmation, on record.
        lost: by owner.
    """

    tripped: bool
    hidden: str
    recorded: int
    lost: Mapping[Key, Loss]


@dataclass(frozen=True, slots=True)
class Intent:
    """Said before a write to the engine, in the same statement that checks the lease."""

    object_type: str
    name: str
    state: Literal["applying", "deleting"]


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that happened to an object, for people: what and why."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class InventoryUpdate:
    """What a reconcile learned of one object; None leaves a column as it is."""

    object_type: str
    name: str
    engine_id: str | None = None
    spec_hash: str | None = None
    failed_hash: str | None = None
    last_good: Mapping[str, Any] | None = None
    gone: bool = False
    template_hash: str | None = None


class Rest(NamedTuple):
    """What is said of the parts of an object that were spoken of before and have no status in its report.

    Args:
        conditions: of each of them; they are not ready.
        finalized: whether nothing is left of them.
    """

    conditions: tuple[Condition, ...]
    finalized: bool


@dataclass(slots=True)
class Report:
    """Everything that one reconcile writes to the database at its end, in one statement.

    Args:
        statuses: of ``key`` and of its parts.
        rest: of its other parts; None: what was said of them stays.
        handled_token: the "reconcile now" that this acted upon, written with the status of ``key``; None: none.
    """

    key: Key
    organization_id: str | None
    statuses: list[Status] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    inventory: list[InventoryUpdate] = field(default_factory=list)
    handled_token: str | None = None
    rest: Rest | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """What the Swarm says of whose it is; see ``controller.loop.identity``.

    Args:
        database_id: of the database that it was last written for.
        epoch: of the leader that wrote it.
    """

    database_id: str
    epoch: int

    def __str__(self) -> str:
        return f"{self.database_id}/{self.epoch}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What the database says of whose it is; what is None was never said.

    Args:
        here: where it is now.
        place: where it was made, or accepted.
        accepted: a mark that is not its own, and meant.
        epoch: the newest that it gave out.
    """

    here: str
    database_id: str | None
    place: str | None
    cluster_id: str | None
    installation: str | None
    accepted: str | None
    epoch: int
