"""Host names of environments: added, given up, and as addresses that a browser opens."""

from __future__ import annotations

from typing import Any

import psycopg

from controller.actions.apply import apply
from controller.actions.change import Said, declared
from controller.actions.errors import ActionError
from controller.actions.host_names import FIELD, HOST, PLURAL, address, of
from controller.actions.releases import KIND
from controller.declared.objects import DeclaredObject
from controller.declared.outlast import outlasting
from controller.declared.writer import Written
from reconcilers.ports import Options
from specs.kinds import KINDS, ancestors
from specs.resource import API_VERSION

__all__ = ["HOST", "PLURAL", "add", "address", "declaration", "of"]


@outlasting
def add(conn: psycopg.Connection, owner: DeclaredObject, host: str, process: str, options: Options) -> Written:
    """Have the edge send requests for ``host`` to a process of ``owner``.

    Raises:
        ActionError: it is no host name, or the owner is deleted.
        SpecRefused: another one has it; nothing was written.
    """
    return apply(conn, [declaration(owner, host, process)], options)[0]


def declaration(owner: DeclaredObject, host: str, process: str) -> Said:
    """What declares that.

    Raises:
        ActionError: it is no host name, or the owner is deleted.
    """
    if owner.deleted_at is not None:
        raise ActionError(f"{owner.name} is deleted", f"`skypanel restore {owner.kind.lower()} {owner.name}`")
    owners = dict(zip((KINDS[each].word() for each in (*ancestors(KIND), KIND)), owner.path, strict=True))
    document: dict[str, Any] = {
        "apiVersion": API_VERSION,
        "kind": HOST,
        "metadata": {"name": host, **owners},
        "spec": {FIELD: process} if process else {},
    }
    return declared(HOST, document)
