"""Before a commit: would what was just written run?

Rules that need more than one resource (a domain needs a process with a port) are those of the snapshots, so the
snapshots are asked, of the kinds that have such rules.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors

from controller.declared import lookups, readiness
from controller.declared.constraint_messages import Refusal, SpecRefused
from controller.declared.writer import Target, Written
from reconcilers.ports import Options
from reconcilers.registry import registered
from specs.kinds import KINDS
from specs.problems import InvalidSpec, NoImage


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
    places = {"/".join(_whole(w.target)[1]): w.target.place for w in reversed(written)}
    try:
        with conn.transaction():
            documents = lookups.documents(conn, word, [object_id for _, object_id in keys])
    except errors.InsufficientPrivilege:
        return []  # the controller checks the same and says so in the status
    paths = {p.id: p.path for p in readiness.progress(conn, keys)}
    refusals = []
    for document in documents:
        try:
            registered()[word].read(document.doc, options)
        except NoImage:
            continue  # its first release is still to come
        except InvalidSpec as error:
            path = paths[document.id]
            for problem in error.problems:
                message = f"{problem.field}: {problem.message}" if problem.field else problem.message
                refusals.append(Refusal(places.get(path, ""), f"{kind} {path}", message, problem.hint))
    return refusals


def _whole(target: Target) -> tuple[str, tuple[str, ...]]:
    """Kind and path of what ``target`` is, or is a part of."""
    if KINDS[target.kind].facts.part:
        return KINDS[target.kind].binding.parent or "", target.path[:-1]
    return target.kind, target.path
