"""Declares what the files of a source say: as the organization that it belongs to, in one transaction, or not at all.

The connection is one of ``skypanel_api``, which sees rows of the organization that the transaction names: also a defect
in here writes nothing of another one. The last statement of the transaction asks whether this process leads, and
whether the source is still the one that was read. Of rows that are there, the fields that the files name are written,
and no other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb, set_json_loads

from controller.access.permissions import allows
from controller.access.roles import Verb
from controller.actions.apply import apply_checked
from controller.actions.validate import check_registries
from controller.declared import holding, rows, writer
from controller.declared.config_documents import ConfigDocuments, Variable
from controller.declared.constraint_messages import SpecRefused
from controller.declared.holding import Held, Holding
from controller.declared.writer import Target, Written
from controller.postgres.connecting import connection_string, session
from controller.postgres.database import DatabaseUnavailable
from controller.postgres.decoding import shown
from controller.postgres.statements import statement
from controller.postgres.tenancy import Tenancy, TenantConnection, acting
from controller.sources.variables import ROLE, foreign, note, unset, with_variables
from reconcilers.outcomes import ConflictError, FencedError
from reconcilers.ports import Options
from reconcilers.sources import Declared, SourceError, Taken, Wanted
from specs.encrypted import Opener
from specs.kinds import KINDS, SOURCE, TENANT_WORD
from specs.loader import Files, Located, SpecFilesError, load_contents
from specs.placeholders import Value

MEANS = "git"
_MOST_PROBLEMS = 20
_DELETION, _MARK = "deletion", "deleted_at"
_FOUGHT = ("took", "contested")
_KIND = {cls.word(): kind for kind, cls in KINDS.items()}


def read(
    files: Mapping[str, bytes],
    organization: str,
    opener: Opener | None = None,
    values: Mapping[str, Value] | None = None,
) -> Files:
    """What ``files`` declare; ``opener`` opens those that are encrypted, and placeholders stand for ``values``.

    Raises:
        SourceError: ``SpecRefused``: something is wrong in them, or is not the organization's.
    """
    try:
        found = load_contents(files, opener, values)
    except SpecFilesError as error:
        raise refused([str(problem) for problem in error.problems]) from None
    problems = [*_foreign(found.resources, organization), *foreign(found.variables, organization)]
    if problems:
        raise refused(problems)
    if not found:
        raise refused(["the files declare nothing, so nothing is taken away"])
    return found


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
        self,
        wanted: Wanted,
        commit: str,
        entries: Sequence[Located],
        files: int,
        lease: Mapping[str, Any],
        *,
        variables: ConfigDocuments | None = None,
    ) -> Declared:
        """Declare ``entries`` for the organization of ``wanted``; in a thread of its own.

        Args:
            wanted: the source.
            commit: what is declared of it.
            entries: all that it declares.
            files: how many files they were read from.
            lease: parameters of the lease, as the database is asked for it.
            variables: config vars that it declares.

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
        ended: list[_Ended] = []
        held: list[Holding] = []

        def hold() -> Holding:
            held[:] = [_holding(conn, wanted.id)]
            return held[0]

        def conclude(written: Sequence[Written]) -> None:
            ended[:] = [_conclude(conn, asked, written, held[0], variables.done if variables else ())]

        try:
            with self._connected() as conn, acting(conn, tenancy):
                try:
                    apply_checked(conn, entries, self._options, conclude, hold, variables=variables)
                except _TakenError as taken:
                    conn.execute(statement("sources/rows/claimed"), {"row": wanted.id, "objects": Jsonb(taken.objects)})
                    given = {"row": wanted.id, "variables": Jsonb(taken.variables)}
                    conn.execute(statement("sources/rows/wanted"), given)
                    raise refused(taken.problems, "ObjectTaken") from None
        except SpecRefused as error:
            raise refused([str(refusal) for refusal in error.refusals]) from None
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(error) from None
        (end,) = ended
        pruned = sum(each.changed for each in end.pruned)
        return Declared(
            files,
            len(entries),
            pruned,
            taken=end.taken,
            contested=end.contested,
            variables=len(variables.done) if variables else 0,
            unset=end.unset,
        )

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

    def __init__(
        self, problems: Sequence[str], objects: Sequence[Mapping[str, str]], variables: Sequence[Mapping[str, str]]
    ) -> None:
        super().__init__(*problems)
        self.problems = problems
        self.objects = objects
        self.variables = variables


@dataclass(frozen=True, slots=True)
class _Ended:
    """What the end of a transaction has found: what it deleted and unset, and what it took back from others."""

    pruned: Sequence[Written]
    unset: int
    taken: tuple[Taken, ...]
    contested: tuple[Taken, ...]


def _holding(conn: psycopg.Connection, source: str) -> Holding:
    """What the source has declared before."""
    table = rows.table_name(KINDS[SOURCE].binding.table)
    found = conn.execute(sql.SQL(statement("sources/rows/held")).format(table=table), {"row": source}).fetchall()
    objects = {
        (_KIND[kind], tuple(path.split("/"))): Held(object_id, frozenset(fields))
        for kind, object_id, path, fields, _ in found
        if kind in _KIND and path
    }
    return Holding(objects, lets_go=any(prunes for *_, prunes in found))


def _declared(written: Written, held: Held | None) -> dict[str, Any]:
    """One object as ``skypanel.source_applied`` takes it."""
    target = written.target
    assert target.entry is not None
    resource = target.entry.resource
    columns = {**holding.columns(resource), "name": resource.binding.key_column, _DELETION: _MARK}
    fields = holding.declared_fields(resource)
    mine = {columns[name] for name in fields if name in columns}
    return {
        "kind": KINDS[target.kind].word(),
        "id": str(written.id),
        "path": "/".join(target.path),
        "fields": fields,
        "columns": sorted({*mine, columns["name"], _MARK}),
        "changed": [{"field": name, "col": columns[name]} for name in _changed(written, held) if name in columns],
        "was": str(held.id) if held and held.id != written.id else None,
    }


def _changed(written: Written, held: Held | None) -> Iterator[str]:
    """What of the fields that were declared before was not as it had been; and the object itself, if that was gone."""
    if held is None or not written.changed:
        return
    if written.action == "restored" or held.id != written.id:
        yield _DELETION
    changed = {change.field.partition(".")[0] for change in written.changes}
    yield from sorted(changed & (held.fields | {"name"}))


def _conclude(
    conn: psycopg.Connection,
    asked: Mapping[str, Any],
    written: Sequence[Written],
    held: Holding,
    variables: Sequence[Variable],
) -> _Ended:
    """What the transaction ends with: what the source declares no longer is deleted; whatever it raises undoes all."""
    written = [each for each in written if each.target.entry is not None]  # others have config vars of it alone
    objects = [_declared(each, held.of(each.target.kind, each.target.path)) for each in written]
    targets = {(each["kind"], each["id"]): one.target for each, one in zip(objects, written, strict=True)}
    told, configured = note(conn, asked, variables)
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
    problems += configured["taken"]
    if problems:
        raise _TakenError(problems, [{"kind": each["kind"], "id": each["id"]} for each in objects], told)
    gone = unset(conn, configured["left"])
    rows_left = [row for row in found if row[0] == "left"]
    kept = with_variables(conn, [row[2] for row in rows_left])
    left = [Target(_KIND[kind], tuple(path.split("/"))) for _, kind, i, path in rows_left if (kind, i) not in kept]
    pruned = writer.delete(conn, [each for each in left if allows(ROLE, Verb.DELETE, each.kind)])
    of = {said: tuple(_taken(targets[k, i], other) for what, k, i, other in found if what == said) for said in _FOUGHT}
    return _Ended(pruned, gone, (*of["took"], *configured["took"]), (*of["contested"], *configured["contested"]))


def _taken(target: Target, told: str) -> Taken:
    by = json.loads(told)
    return Taken(str(target), tuple(by["fields"]), by["by"])
