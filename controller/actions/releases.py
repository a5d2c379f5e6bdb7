"""Releases: what ran, and going back to one of them, which is a field of the spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic.alias_generators import to_camel

from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.actions.paths import depth, form
from controller.declared import lookups, reader
from controller.declared.constraint_messages import explain
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from reconcilers.ports import Options
from reconcilers.registry import registered
from specs.kinds import KINDS, RELEASED
from specs.problems import InvalidSpec
from specs.releases import changes

KIND = RELEASED
"""The kind that has releases."""
_NAMED = 5
_OF = """
SELECT version, image_ref AS image, settings, processes, config_snapshot AS variables, digest, content_of,
       made_by AS by, reason AS why, source_commit AS commit, created_at AS made_at, deployed_at, is_primary AS newest,
       command_ended_at, command_exit_code, command_failure, coalesce(resolved -> 'digests' ->> 0, '') AS meant
  FROM public.paas_releases WHERE environment_id = %s ORDER BY version
"""


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    Args:
        version: counts up from 1.
        image: as tasks run it.
        changed: what of it is something else than in the one before.
        variables: version of each config var, by name.
        content_of: the release that it has its content of.
        by, why, commit: as whoever made the change said; None: nothing.
        newest: whether it is what is to run now.
        deployed_at: when all tasks ran it first; None: they never did.
        command_ended_at: when its command did; None: it has not, or there is none.
        command_exit_code: with what; None: that is not known, or nothing ran.
        command_failure: how it ended badly; None: it ended well.
        meant: digest of what its image was called, which may be an index; empty: as tasks run it.
    """

    version: int
    image: str
    changed: tuple[str, ...]
    settings: Mapping[str, Any]
    processes: Sequence[Mapping[str, Any]]
    variables: Mapping[str, int]
    content_of: int | None
    by: str | None
    why: str | None
    commit: str | None
    made_at: datetime
    deployed_at: datetime | None
    newest: bool
    digest: str
    command_ended_at: datetime | None = None
    command_exit_code: int | None = None
    command_failure: str | None = None
    meant: str = ""

    @property
    def named(self) -> str:
        """The image by what was meant: others judge it as it was judged, and run the same of it."""
        name, at, digest = self.image.partition("@")
        return f"{name}@{self.meant or digest}" if at else name


def state(release: Release) -> str:
    """How far it came, in words."""
    if release.command_failure is not None:
        return "command failed"
    if release.deployed_at is None:
        return "on its way" if release.newest else "never ready"
    return "deployed" if release.newest else "replaced"


def document(release: Release) -> dict[str, Any]:
    """For programs."""
    return {"state": state(release), **{to_camel(name): value for name, value in asdict(release).items()}}


def place(conn: psycopg.Connection, path: str) -> DeclaredObject:
    """The object at ``path`` that has releases; the only one below it, where it names an owner that has one.

    Raises:
        ActionError: there is none, or there are several.
    """
    names = tuple(path.strip("/").split("/"))
    if len(names) > depth(KIND) or not all(names):
        raise ActionError(f"{path!r} is not a path of what has releases", f"write {form(KIND)}")
    if len(names) == depth(KIND):
        return find_one(conn, KIND, names)
    below = [found for found in reader.objects(conn, KIND, names) if found.deleted_at is None]
    if len(below) == 1:
        return below[0]
    if not below:
        raise ActionError(f"{path} has no {KINDS[KIND].word()}", f"write {form(KIND)}; `skypanel get all` lists them")
    named = [found.name for found in below[:_NAMED]]
    more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
    raise ActionError(f"{path} has {len(below)} {KINDS[KIND].plural()}", f"name one: {', '.join(named)}{more}")


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
    for document in documents:
        try:
            registered()[word].foresee(document.doc, options)
        except InvalidSpec as error:
            first = error.problems[0]
            said = f"{owner.name} cannot run it: {first.field}: {first.message}"
            raise ActionError(said, first.hint or "change what else is declared first") from None
    return True
