"""Releases: what ran, and going back to one of them, which is a field of the spec."""

from __future__ import annotations

from dataclasses import replace

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from controller.actions.errors import ActionError
from controller.actions.objects import reads
from controller.actions.released import KIND, Release, document, state
from controller.actions.released import place as place_by
from controller.declared import lookups
from controller.declared.constraint_messages import explain
from controller.declared.objects import DeclaredObject
from controller.declared.outlast import outlasting
from reconcilers.ports import Options
from reconcilers.registry import registered
from specs.kinds import KINDS
from specs.problems import InvalidSpec
from specs.releases import changes

__all__ = ["KIND", "Release", "document", "go_on", "listed", "place", "roll_back", "state"]

_OF = """
SELECT version, image_ref AS image, settings, processes, config_snapshot AS variables, digest, content_of,
       made_by AS by, reason AS why, source_commit AS commit, created_at AS made_at, deployed_at, is_primary AS newest,
       command_ended_at, command_exit_code, command_failure, coalesce(resolved -> 'digests' ->> 0, '') AS meant
  FROM public.paas_releases WHERE environment_id = %s ORDER BY version
"""


def place(conn: psycopg.Connection, path: str) -> DeclaredObject:
    """As ``released.place``, of a database."""
    return place_by(reads(conn), path)


def listed(conn: psycopg.Connection, owner: DeclaredObject) -> list[Release]:
    """Those that are kept, the newest first."""
    found: list[Release] = []
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(_OF, [owner.id]):
            made = Release(changed=(), **row)
            found.append(replace(made, changed=changes(found[-1], made)) if found else made)
    return found[::-1]


@outlasting
def roll_back(
    conn: psycopg.Connection, owner: DeclaredObject, version: int | None, options: Options
) -> tuple[int, bool]:
    """Have ``owner`` run the content of a release; which, and whether it is known that it can.

    Args:
        conn: the database.
        owner: whose.
        version: the release; None: the last one before the newest that all tasks ran, and that is something else.
        options: of the installation.

    Raises:
        ActionError: there is none, or it cannot run with what else is declared today.
    """
    kept = listed(conn, owner)
    if version is None:
        newest = next((each for each in kept if each.newest), None)
        earlier = (r for r in kept if newest and not r.newest and r.deployed_at and r.digest != newest.digest)
        version = next((r.version for r in earlier), None)
        if version is None:
            hint = f"`skypanel releases {owner.name}` lists those that are kept: name one"
            raise ActionError(f"{owner.name} has no earlier release that all tasks ran", hint)
    with conn.transaction():
        _set(conn, owner, version)
        return version, _refuse_what_cannot_run(conn, owner, options)


@outlasting
def go_on(conn: psycopg.Connection, owner: DeclaredObject) -> bool:
    """Have ``owner`` run again what is declared; whether it did not."""
    return _set(conn, owner, None)


def _set(conn: psycopg.Connection, owner: DeclaredObject, version: int | None) -> bool:
    if owner.deleted_at is not None:
        raise ActionError(f"{owner.name} is deleted", f"`skypanel restore {owner.kind.lower()} {owner.name}`")
    binding = KINDS[KIND].binding
    query = sql.SQL("UPDATE {} SET release = %s WHERE id = %s AND release IS DISTINCT FROM %s").format(
        sql.Identifier("public", binding.table)
    )
    try:
        return conn.execute(query, [version, owner.id, version]).rowcount > 0
    except psycopg.errors.IntegrityError as error:
        if (meaning := explain(error)) is None:
            raise
        raise ActionError(f"{owner.name} {meaning[0]}", meaning[1]) from None


def _refuse_what_cannot_run(conn: psycopg.Connection, owner: DeclaredObject, options: Options) -> bool:
    """Whether that could be looked at."""
    word = KINDS[KIND].word()
    try:
        with conn.transaction():
            documents = lookups.documents(conn, word, [owner.id])
    except psycopg.errors.InsufficientPrivilege:
        return False  # the controller checks the same and says so in the status
    for found in documents:
        try:
            registered()[word].foresee(found.doc, options)
        except InvalidSpec as error:
            first = error.problems[0]
            said = f"{owner.name} cannot run it: {first.field}: {first.message}"
            raise ActionError(said, first.hint or "change what else is declared first") from None
    return True
