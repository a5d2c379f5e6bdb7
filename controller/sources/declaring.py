"""Declares what the files of a source say: as the organization that it belongs to, in one transaction, or not at all.

The connection is one of ``skypanel_api``, which sees rows of the organization that the transaction names: also a defect
in here writes nothing of another one. The last statement of the transaction asks whether this process leads, and
whether the source is still the one that was read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb, set_json_loads

from controller.access.permissions import allows
from controller.access.roles import Role, Verb
from controller.actions.apply import apply_checked
from controller.actions.validate import check_registries
from controller.declared import writer
from controller.declared.constraint_messages import SpecRefused
from controller.declared.writer import Target, Written
from controller.postgres.connecting import connection_string, session
from controller.postgres.database import DatabaseUnavailable
from controller.postgres.decoding import shown
from controller.postgres.statements import statement
from controller.postgres.tenancy import Tenancy, TenantConnection, acting
from reconcilers.outcomes import ConflictError, FencedError
from reconcilers.ports import Options
from reconcilers.sources import Declared, SourceError, Wanted
from specs.kinds import KINDS, TENANT_WORD
from specs.loader import Located, SpecFilesError, load_contents

MEANS = "git"
ROLE = Role.ADMIN
"""What a source may in its organization: whoever writes one is that."""
_MOST_PROBLEMS = 20
_KIND = {cls.word(): kind for kind, cls in KINDS.items()}


def read(files: Mapping[str, bytes], organization: str) -> list[Located]:
    """What ``files`` declare.

    Raises:
        SourceError: ``SpecRefused``: something is wrong in them, or is not the organization's.
    """
    try:
        entries = load_contents(files)
    except SpecFilesError as error:
        raise refused([str(problem) for problem in error.problems]) from None
    problems = list(_foreign(entries, organization))
    if problems:
        raise refused(problems)
    if not entries:
        raise refused(["the files declare nothing, so nothing is taken away"])
    return entries


def _foreign(entries: Sequence[Located], organization: str) -> Iterator[str]:
    for entry in entries:
        resource = entry.resource
        name = f"{resource.kind}/{resource.metadata.name}"
        whose = resource.metadata.parents.get(TENANT_WORD)
        if whose is not None and whose != organization:
            place = entry.at(("metadata", TENANT_WORD))
            yield f"{place}: {name}: metadata.organization: the source is {organization}'s and declares nothing else"
        elif whose is None or not allows(ROLE, Verb.WRITE, resource.kind):
            yield f"{entry.place}: {name}: is not for an organization to declare, so neither for a source of it"


def refused(problems: Sequence[str], reason: str = "SpecRefused") -> SourceError:
    """The error that names ``problems``."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SourceError(reason, f"{problems[0]}{more}", problems=tuple(problems[:_MOST_PROBLEMS]))


class Desk:
    """Writes what sources declare.

    Args:
        url: connection string of a login that has skypanel_api; empty: there is none.
        options: as the controller has them.
    """

    def __init__(self, url: str, options: Options) -> None:
        self._url = url
        self._options = options

    def declare(
        self, wanted: Wanted, commit: str, entries: Sequence[Located], files: int, lease: Mapping[str, Any]
    ) -> Declared:
        """Declare ``entries`` for the organization of ``wanted``; in a thread of its own.

        Args:
            wanted: the source.
            commit: what is declared of it.
            entries: all that it declares.
            files: how many files they were read from.
            lease: parameters of the lease, as the database is asked for it.

        Raises:
            as ``Sources.declare``.
        """
        try:
            check_registries(entries, self._options.allowed_registries)
        except SpecFilesError as error:
            raise refused([str(problem) for problem in error.problems]) from None
        tenancy = Tenancy(
            organization=UUID(wanted.organization_id),
            actor=f"source {wanted.organization}/{wanted.name}",
            means=MEANS,
            reason=f"source {wanted.name}",
            commit=commit,
        )
        asked = {**lease, "row": wanted.id, "generation": wanted.generation, "commit": commit, "files": files}
        pruned: list[Written] = []

        def conclude(written: Sequence[Written]) -> None:
            pruned[:] = _conclude(conn, asked, written)

        try:
            with self._connected() as conn, acting(conn, tenancy):
                try:
                    apply_checked(conn, entries, self._options, conclude)
                except _TakenError as taken:
                    conn.execute(statement("sources/rows/claimed"), {"row": wanted.id, "objects": Jsonb(taken.objects)})
                    raise refused(taken.problems, "ObjectTaken") from None
        except SpecRefused as error:
            raise refused([str(refusal) for refusal in error.refusals]) from None
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(error) from None
        return Declared(files, len(entries), sum(each.changed for each in pruned))

    def _connected(self) -> TenantConnection[Any]:
        if not self._url:
            raise SourceError(
                "LoginMissing",
                "the controller has no login to declare sources with: set SKYPANEL_API_DATABASE_URL, of a login that "
                "has skypanel_api",
            )
        try:
            conninfo = connection_string(self._url, "skypanel-sources", writes=True)
        except ValueError:
            raise SourceError("LoginMissing", "SKYPANEL_API_DATABASE_URL is not a connection string") from None
        conn: TenantConnection[Any] = TenantConnection.connect(conninfo, autocommit=True)
        set_json_loads(shown, conn)
        conn.execute(session(conninfo).encode())
        return conn


class _TakenError(Exception):
    """Other sources declare some of it; what is wrong, and which objects it is that are declared here."""

    def __init__(self, problems: Sequence[str], objects: Sequence[Mapping[str, str]]) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.objects = objects


def _conclude(conn: psycopg.Connection, asked: Mapping[str, Any], written: Sequence[Written]) -> Sequence[Written]:
    """What the transaction ends with: what the source declares no longer is deleted; whatever it raises undoes all."""
    targets = {(KINDS[each.target.kind].word(), str(each.id)): each.target for each in written}
    objects = [{"kind": kind, "id": object_id} for kind, object_id in targets]
    found = conn.execute(statement("sources/rows/applied"), {**asked, "objects": Jsonb(objects)}).fetchall()
    said = {row[0] for row in found}
    if "fenced" in said:
        raise FencedError
    if "changed" in said:
        raise ConflictError("SourceChanged", "the source has changed since it was read; it is read again")
    problems = []
    for _, kind, object_id, other in (row for row in found if row[0] == "taken"):
        target = targets[kind, object_id]
        problems.append(f"{target.place}: {target}: the source {other} declares it, too: take it out of one of them")
    if problems:
        raise _TakenError(problems, objects)
    left = [Target(_KIND[kind], tuple(path.split("/"))) for said, kind, _, path in found if said == "left"]
    return writer.delete(conn, [each for each in left if allows(ROLE, Verb.DELETE, each.kind)])
