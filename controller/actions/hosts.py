"""Host names of environments: added, given up, and as addresses that a browser opens."""

from __future__ import annotations

from typing import Any

import psycopg

from controller.actions.apply import apply
from controller.actions.change import declared
from controller.actions.errors import ActionError
from controller.actions.paths import depth
from controller.actions.releases import KIND
from controller.declared import reader
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.writer import Written
from reconcilers.ports import Options
from specs.kinds import KINDS, ancestors
from specs.resource import API_VERSION

HOST = next(kind for kind, cls in KINDS.items() if cls.binding.parent == KIND and cls.globally_named)
"""The kind whose name the edge answers on."""
PLURAL = KINDS[HOST].plural()
_FIELD = next(iter(KINDS[HOST].binding.columns))
"""Of its spec: who answers."""


@outlasting
def add(conn: psycopg.Connection, owner: DeclaredObject, host: str, process: str, options: Options) -> Written:
    """Have the edge send requests for ``host`` to a process of ``owner``.

    Raises:
        ActionError: it is no host name, or the owner is deleted.
        SpecRefused: another one has it; nothing was written.
    """
    if owner.deleted_at is not None:
        raise ActionError(f"{owner.name} is deleted", f"`skypanel restore {owner.kind.lower()} {owner.name}`")
    owners = dict(zip((KINDS[each].word() for each in (*ancestors(KIND), KIND)), owner.path, strict=True))
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": HOST,
        "metadata": {"name": host, **owners},
        "spec": {_FIELD: process} if process else {},
    }
    return apply(conn, [declared(HOST, document)], options)[0]


def of(conn: psycopg.Connection, owner: DeclaredObject) -> list[DeclaredObject]:
    """Those of ``owner``, the ones that answer first.

    Raises:
        ActionError: it has none.
    """
    found = [
        each
        for each in reader.objects(conn, HOST, owner.path)
        if each.path[: depth(KIND)] == owner.path and each.deleted_at is None
    ]
    if not found:
        word = KINDS[HOST].word()
        raise ActionError(f"{owner.name} has no {word}", f"`skypanel {KINDS[HOST].plural()} add {owner.name} HOST`")
    return sorted(found, key=lambda each: not each.status.ready)


def address(host: str, *, encrypted: bool) -> str:
    """Where a browser finds it."""
    return f"http{'s' if encrypted else ''}://{host}/"
