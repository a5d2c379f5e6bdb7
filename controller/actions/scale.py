"""Scale: how many tasks the processes of an environment shall have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg

from controller.actions.change import Changed, Make, change
from controller.actions.objects import reads
from controller.actions.released import SCALE
from controller.actions.scaling import chosen, parse
from controller.declared.reader import DeclaredObject
from reconcilers.ports import Options

__all__ = ["chosen", "parse", "scale"]


def scale(
    conn: psycopg.Connection,
    owner: DeclaredObject,
    wanted: Mapping[str, int],
    options: Options,
    *,
    dry_run: bool = False,
) -> Changed:
    """Have processes of ``owner`` run so many tasks, all of them or none.

    Args:
        conn: the database.
        owner: what has releases.
        wanted: number by process; of one that declares none, of ``web``: its own.
        options: of the installation.
        dry_run: take everything back again.

    Raises:
        ActionError: it has no such process.
        SpecRefused: it is too many, or against a rule; nothing was written.
    """
    changes: list[tuple[DeclaredObject, Make]] = [
        (found, _to(number)) for found, number in chosen(reads(conn), owner, wanted)
    ]
    return change(conn, changes, options, dry_run=dry_run)


def _to(number: int) -> Make:
    def make(document: dict[str, Any]) -> dict[str, Any]:
        return {**document, "spec": {**(document.get("spec") or {}), SCALE: number}}

    return make
