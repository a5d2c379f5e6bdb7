"""Before a commit: would what was just written run?

Rules that need more than one resource (a domain needs a process with a port) are those of the snapshots, so the
snapshots are asked, of the kinds that have such rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg
from psycopg import errors

from controller.declared import lookups, readiness
from controller.declared.constraint_messages import Refusal, SpecRefused
from controller.declared.writer import Target, Written
from reconcilers.ports import Options
from reconcilers.registry import registered
from specs.kinds import KINDS, children
from specs.problems import InvalidSpec, NoImage, Path, Problem
from specs.releases import overlaid


def check_whole(conn: psycopg.Connection, written: Sequence[Written], options: Options) -> None:
    """Refuse what would only stall, with the controller's settings as far as they are known here.

    Raises:
        SpecRefused: what was written, or the whole that it is a part of, breaks a rule of the whole.
    """
    refusals = []
    for kind, cls in KINDS.items():
        if cls.facts.whole_rules:
            refusals += _refusals(
                conn, kind, [w for w in written if w.changed and _whole(w.target)[0] == kind], options
            )
    if refusals:
        raise SpecRefused(refusals)


def _refusals(conn: psycopg.Connection, kind: str, written: Sequence[Written], options: Options) -> list[Refusal]:
    word = KINDS[kind].word()
    keys = readiness.affected(conn, [w.status_key for w in written])
    try:
        with conn.transaction():
            documents = lookups.documents(conn, word, [object_id for _, object_id in keys])
    except errors.InsufficientPrivilege:
        return []  # the controller checks the same and says so in the status
    paths = {p.id: p.path for p in readiness.progress(conn, keys)}
    targets = {(w.target.kind, w.target.path): w.target for w in written}
    some = {_whole(w.target)[1]: w.target for w in reversed(written)}
    refusals = []
    for document in documents:
        try:
            registered()[word].foresee(document.doc, options)
        except NoImage:
            continue  # its first release is still to come
        except InvalidSpec as error:
            path = tuple(paths[document.id].split("/"))
            for problem in error.problems:
                target, field = _as_written(Target(kind, path), problem, overlaid(document.doc))
                said = targets.get((target.kind, target.path))
                place = said.at(field) if said else some[path].place if path in some else ""
                message = f"{'.'.join(map(str, field)) or problem.field}: {problem.message}".removeprefix(": ")
                refusals.append(Refusal(place, str(target), message, problem.hint))
    return refusals


def _as_written(whole: Target, problem: Problem, document: Mapping[str, Any]) -> tuple[Target, Path]:
    """Of which object a problem is, and of which field as a file has it: rows are known by their columns."""
    target, columns = whole, problem.path
    part = next((kind for kind in children(whole.kind) if columns[:1] == (KINDS[kind].plural(),)), None)
    if part and len(columns) > 1:
        row = document[str(columns[0])][columns[1]]
        target = Target(part, (*whole.path, str(row.get(KINDS[part].binding.key_column))))
        columns = columns[2:]
    cls = KINDS[target.kind]
    for name, column in cls.binding.columns.items():
        if columns[:1] == (column.name,):
            fields = cls.model_fields["spec"].annotation.model_fields  # type: ignore[union-attr]
            return target, ("spec", fields[name].alias or name, *columns[1:])
    return target, ()


def _whole(target: Target) -> tuple[str, tuple[str, ...]]:
    """Kind and path of what ``target`` is, or is a part of."""
    if KINDS[target.kind].facts.part:
        return KINDS[target.kind].binding.parent or "", target.path[:-1]
    return target.kind, target.path
