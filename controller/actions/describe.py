"""Everything that is known of one object: what is wanted, how it is, its parts, tasks, events and inventory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import errors
from pydantic.alias_generators import to_camel

from controller.actions import swarm_view
from controller.actions.objects import find_one, status_document
from controller.actions.paths import one
from controller.actions.swarm_view import Task
from controller.declared import config_vars, lookups, reader
from controller.declared.fields import VARIABLE
from controller.declared.lookups import Event, Owner, Quota
from controller.declared.reader import DeclaredObject
from controller.records import InventoryRow
from controller.settings import Settings
from reconcilers.registry import registered
from specs.kinds import KINDS, TENANT, children


@dataclass(frozen=True, slots=True)
class Description:
    """What is known.

    Args:
        object: spec and status.
        parts: declared objects right below it.
        events: the last ones, the newest first.
        inventory: what was made on the engine for it.
        inventory_error: why that is not known; empty when it is.
        tasks: as the engine knows them; None for a kind that has none of its own.
        engine_error: why they are not known; empty when they are.
        quotas: of a tenant: how much it has of what it may have so much of.
        owner: the source whose files declare it, at which commit, and which fields; None: none.
        of_config: sources that declare config vars of it, and which.
    """

    object: DeclaredObject
    parts: Sequence[DeclaredObject]
    events: Sequence[Event]
    inventory: Sequence[InventoryRow]
    inventory_error: str
    tasks: Sequence[Task] | None
    engine_error: str
    quotas: Sequence[Quota] = ()
    owner: Owner | None = None
    of_config: Sequence[Owner] = ()

    @property
    def owners(self) -> list[Owner]:
        """All sources that declare something of it."""
        return [*([self.owner] if self.owner else []), *self.of_config]

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            **status_document(self.object),
            "owners": [each.document() for each in self.owners],
            "parts": [status_document(o) for o in self.parts],
            "events": [_fields(e) for e in self.events],
            "tasks": None if self.engine_error else [_fields(t) for t in self.tasks or ()],
            **({"quotas": [_fields(q) for q in self.quotas]} if self.quotas else {}),
            "inventory": None if self.inventory_error else [_fields(row) for row in self.inventory],
        }


def describe(conn: psycopg.Connection, settings: Settings, word: str, name: str | None, *, events: int) -> Description:
    """What is known of the object of this kind and path; its tasks where the engine can be reached.

    Args:
        conn: a connection of a role that may read.
        settings: say where the engine is.
        word: its kind, as people write it.
        name: its path.
        events: how many of the last ones.

    Raises:
        ActionError: there never was one.
    """
    kind, path = one(word, name)
    found = find_one(conn, kind, path)
    inventory, inventory_error = _inventory(conn, found)
    tasks, engine_error = _tasks(settings, found)
    return Description(
        object=found,
        parts=[o for k in children(kind) for o in reader.objects(conn, k, found.path)],
        events=lookups.events(conn, kind.lower(), found.id, events),
        inventory=inventory,
        inventory_error=inventory_error,
        tasks=tasks,
        engine_error=engine_error,
        quotas=lookups.quotas(conn, found.id) if kind == TENANT else (),
        owner=lookups.owners(conn, found.kind.lower(), [found.id]).get(found.id),
        of_config=_of_config(conn, found),
    )


def _of_config(conn: psycopg.Connection, found: DeclaredObject) -> list[Owner]:
    if not KINDS[found.kind].facts.configurable:
        return []
    names: dict[tuple[str, str], list[str]] = {}
    for name, source, commit in config_vars.owned(conn, str(found.id)):
        names.setdefault((source, commit), []).append(f"{VARIABLE}{name}")
    return [Owner(source, commit, tuple(fields)) for (source, commit), fields in names.items()]


def _inventory(conn: psycopg.Connection, found: DeclaredObject) -> tuple[Sequence[InventoryRow], str]:
    try:
        with conn.transaction():
            return lookups.inventory(conn, [found.id]).get((found.kind.lower(), found.id), []), ""
    except errors.InsufficientPrivilege as error:
        return [], str(error.diag.message_primary)


def _tasks(settings: Settings, found: DeclaredObject) -> tuple[Sequence[Task] | None, str]:
    if found.kind.lower() not in registered():
        return None, ""
    try:
        return swarm_view.tasks(settings, f"{found.kind.lower()}/{found.id}"), ""
    except swarm_view.UNREACHABLE as error:
        return [], str(error)


def _fields(record: Any) -> dict[str, Any]:
    return {to_camel(name): getattr(record, name) for name in type(record).__slots__ if name != "last_good"}
