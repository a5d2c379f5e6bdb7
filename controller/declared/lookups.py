"""What the controller keeps of its objects, for people and for a look ahead: documents, inventory, subnets, events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from controller.cost import Sized
from controller.postgres.statements import statement
from controller.records import InventoryRow, Pause
from specs.kinds import KINDS, SOURCE, TENANT_WORD


@dataclass(frozen=True, slots=True)
class Document:
    """What ``skypanel.document_<kind>`` gives of one object: its snapshot, where whoever asks may see it."""

    kind: str
    id: UUID
    organization_id: UUID
    generation: int
    deleted: bool
    doc: Mapping[str, Any]


def documents(conn: psycopg.Connection, kind: str, ids: Sequence[UUID]) -> list[Document]:
    """The documents of the objects of ``kind`` (such as ``environment``) with ``ids``.

    Raises:
        psycopg.errors.InsufficientPrivilege: the role may not read the documents.
    """
    view = sql.Identifier("skypanel", f"document_{kind}")
    rows = conn.execute(sql.SQL(statement("declared/lookups/documents")).format(view=view), {"ids": list(ids)})
    return [Document(kind, *row) for row in rows]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to an object; equal ones in a row are counted."""

    type: str
    reason: str
    message: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Quota:
    """How much there is of what a tenant may have so much of; ``allowed`` None: as much as it likes."""

    quota: str
    used: Decimal
    allowed: int | None


def quotas(conn: psycopg.Connection, tenant: UUID) -> list[Quota]:
    """Every quota of a tenant; empty for one that nothing is declared of."""
    return [Quota(*row) for row in conn.execute(statement("declared/lookups/quotas"), {"tenant": tenant})]


@dataclass(frozen=True, slots=True)
class Owner:
    """The source that declares an object.

    Args:
        source: its path.
        commit: that it has declared last.
        fields: of the object's spec that it declares; what others change of these goes back.
    """

    source: str
    commit: str
    fields: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {KINDS[SOURCE].word(): self.source, "commit": self.commit, "fields": list(self.fields)}

    @property
    def named(self) -> str:
        """The source, as people call it."""
        return f"{KINDS[SOURCE].word()} {self.source}"

    def __str__(self) -> str:
        said = f"{self.named} at {self.commit}"
        if not self.fields:
            return f"{said}; others may set all of its spec"
        return f"{said}: {', '.join(self.fields)}; others may set the rest"


def owners(conn: psycopg.Connection, kind: str, ids: Sequence[UUID]) -> Mapping[UUID, Owner]:
    """Which source declares what of objects of ``kind`` (such as ``environment``); those that one does."""
    asked = {"kind": kind, "ids": list(ids), "source_kind": KINDS[SOURCE].word()}
    rows = conn.execute(statement("declared/lookups/owners"), asked)
    return {row_id: Owner(path, commit, tuple(fields)) for row_id, path, commit, fields in rows}


def sizes(conn: psycopg.Connection, tenants: Sequence[str], shared: Sequence[UUID]) -> list[Sized]:
    """What is declared of some tenants, and of all that use rows of nobody's: those with the ids ``shared``."""
    rows = conn.execute(
        statement("declared/lookups/sizes"),
        {"tenants": list(tenants), "shared": list(shared), "tenant_kind": TENANT_WORD},
    )
    return [Sized(*row) for row in rows]


def events(conn: psycopg.Connection, kind: str, object_id: UUID, limit: int) -> list[Event]:
    """The last ``limit`` events of an object, the newest first."""
    rows = conn.execute(statement("declared/lookups/events"), {"kind": kind, "id": object_id, "limit": limit})
    return [Event(*row) for row in rows]


def inventory(conn: psycopg.Connection, ids: Sequence[UUID]) -> dict[tuple[str, UUID], list[InventoryRow]]:
    """What was made on the engine for each owner (kind, id) among ``ids``."""
    found: dict[tuple[str, UUID], list[InventoryRow]] = {}
    for owner_kind, owner_id, *row in conn.execute(statement("declared/lookups/inventory"), {"ids": list(ids)}):
        found.setdefault((owner_kind, owner_id), []).append(InventoryRow(*row))
    return found


def subnets(conn: psycopg.Connection, organizations: Sequence[UUID]) -> dict[UUID, str]:
    """The subnet of each organization that has one."""
    return dict(conn.execute(statement("declared/lookups/subnets"), {"ids": list(organizations)}).fetchall())


@dataclass(frozen=True, slots=True)
class Release:
    """That one was made; who, why and from which commit, where that was said."""

    made_at: datetime
    version: int
    made_by: str | None
    reason: str | None
    commit: str | None


def releases(conn: psycopg.Connection, object_id: UUID, limit: int) -> list[Release]:
    """The last ``limit`` releases of an object, the newest first."""
    return [
        Release(*row) for row in conn.execute(statement("declared/lookups/releases"), {"id": object_id, "limit": limit})
    ]


@dataclass(frozen=True, slots=True)
class Leader:
    """The last leader.

    Args:
        holder: host, process and number; None: there never was one.
        alive: whether it has renewed its lease of late.
        reaches_engine: whether the engine has answered it of late.
    """

    holder: str | None
    epoch: int | None
    renewed_at: datetime | None
    engine_seen_at: datetime | None
    alive: bool
    reaches_engine: bool


def leader(conn: psycopg.Connection) -> Leader:
    """Who leads, or did last."""
    row = conn.execute(statement("declared/lookups/leader")).fetchone()
    assert row is not None
    return Leader(*row)


def pause(conn: psycopg.Connection, kind: str, object_id: UUID, tenant: UUID | None) -> Pause | None:
    """The widest pause that holds an object; None: none does."""
    parameters = {"kind": kind, "id": object_id, "tenant": tenant}
    row = conn.execute(statement("declared/lookups/pause"), parameters).fetchone()
    return None if row is None else Pause(row[0], row[1] or "", row[2] or "", row[3].isoformat())


def deployed(conn: psycopg.Connection, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Of each of ``ids`` that has one: the release that all tasks came to run last."""
    return dict(conn.execute(statement("declared/lookups/deployed"), {"ids": list(ids)}).fetchall())
