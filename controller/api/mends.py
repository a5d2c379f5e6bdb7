"""The call that does what the mend of a status says, where one can: of the same table as the sentence, by its ``call``.

It is there for who may do it. Beside the words of ``POST`` below an object (``deeds`` and ``controls``) there are two
changes of its spec.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg

from controller.access.permissions import table
from controller.access.roles import Verb
from controller.api import places
from controller.api.callers import Access, Caller
from controller.declared import controls, reader
from controller.declared.controls import Paused
from controller.declared.reader import DeclaredObject
from reconcilers.conditions import PAUSED
from reconcilers.reasons import reason_of
from reconcilers.registry import registered
from specs.kinds import KINDS, TENANT, TENANT_WORD

PATCHES = {"start": {"suspended": False}, "finish": {"canary": None}}
"""Calls that are changes of the spec, and what of it."""
CALLS = ("reconcile", "resume", "rollback", *PATCHES)
"""All that a reason may name."""


def look_verb(kind: str) -> Verb:
    """What who asks for a look at an object of ``kind`` has to be permitted."""
    return Verb.RESTART if Verb.RESTART in table()[kind] else Verb.WRITE


class Mends:
    """Of some objects, for one caller.

    Args:
        conn: which sees what he may see.
        access: what he may do.
        caller: who asks.
    """

    def __init__(self, conn: psycopg.Connection, access: Access, caller: Caller) -> None:
        self._conn = conn
        self._access = access
        self._caller = caller
        self._pauses: Sequence[Paused] | None = None
        self._tenants: dict[tuple[str, ...], UUID | None] = {}

    def call(self, found: DeclaredObject, status: dict[str, Any]) -> dict[str, Any] | None:
        """Method, path and body; None: there is none, or it is not his to do.

        Args:
            found: the object.
            status: as it is answered.
        """
        word = KINDS[found.kind].word()
        if not status.get("mend") or word not in registered() or found.deleted_at is not None:
            return None
        known = reason_of(found.status.reason, word)
        match known.call if known else "":
            case "reconcile" as name:
                return self._post(name, look_verb(found.kind), found.kind, found.path, {})
            case "resume" as name:
                return self._resume(name, found)
            case "rollback" as name:
                serving = (status.get("release") or {}).get("serving")
                body = {"release": serving}
                return self._post(name, Verb.ROLLBACK, found.kind, found.path, body) if serving else None
            case name if name in PATCHES:
                at = _address(found.kind, found.path)
                said = {"method": "PATCH", "path": at, "body": {"spec": PATCHES[name]}}
                return said if self._access.may(self._caller, Verb.WRITE, found.kind, found.path) else None
        return None

    def _resume(self, name: str, found: DeclaredObject) -> dict[str, Any] | None:
        """In the words of the widest pause that holds it; that of the whole installation is its operator's."""
        assert found.status.reason == PAUSED
        if self._pauses is None:
            self._pauses = controls.pauses(self._conn)
        tenant = self._tenant(found.path[:1])
        for each in self._pauses:
            if each.scope == TENANT_WORD and each.id == tenant:
                return self._post(name, Verb.SUSPEND, TENANT, found.path[:1], {})
            if (each.kind, each.id) == (KINDS[found.kind].word(), found.id):
                return self._post(name, Verb.SUSPEND, found.kind, found.path, {})
            if each.scope not in (TENANT_WORD, "object"):
                return None
        return None

    def _tenant(self, path: tuple[str, ...]) -> UUID | None:
        if path not in self._tenants:
            self._tenants[path] = next((one.id for one in reader.objects(self._conn, TENANT, path)), None)
        return self._tenants[path]

    def _post(self, name: str, verb: Verb, kind: str, path: tuple[str, ...], body: Any) -> dict[str, Any] | None:
        if verb not in table()[kind] or not self._access.may(self._caller, verb, kind, path):
            return None
        return {"method": "POST", "path": f"{_address(kind, path)}/{name}", "body": body}


def _address(kind: str, path: tuple[str, ...]) -> str:
    return places.place(places.areas(kind)[-1], kind, path)
