"""What routes of objects share: whose they are, and how one is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import psycopg

from controller.actions.standing import documents
from controller.api.asked import Asked
from controller.api.mends import Mends
from controller.api.operations import Parameter
from controller.api.places import path_in
from controller.api.problems import not_found
from controller.declared import lookups, reader
from controller.declared.reader import DeclaredObject
from controller.declared.rows import hold
from specs.kinds import KINDS, of_tenant
from specs.problems import InvalidSpec, Problem

_LONGEST = 500
_CALLED = {str: "text", int: "whole number", bool: "true or false", list: "list"}

DRY_RUN = Parameter(
    "dryRun", "`true`: nothing is changed, and the plan is answered.", {"type": "string", "enum": ["true", "false"]}
)
WAIT = Parameter(
    "wait",
    "Seconds to wait until it is as declared; `waited` says how far it came. What was written stays, whatever that is.",
    {"type": "integer", "minimum": 1, "maximum": 120},
)
_LINE = {"type": "string", "maxLength": 500, "pattern": "^[^\\x00-\\x1f\\x7f]*$"}
REASON = Parameter("reason", "Why, for whoever reads releases and the audit.", _LINE)
COMMIT = Parameter("commit", "Commit of what is declared; releases say it.", {**_LINE, "maxLength": 255})
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "A text of your own for this one change: sent again within 24 hours, it is answered as the first time.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    header=True,
)
IF_MATCH = Parameter("If-Match", "The `ETag` that was read, or `*`.", header=True)
ORGANIZATION = Parameter(
    "X-Organization-ID", "Id or slug of the organization to act in, for who is a member of several.", header=True
)


def refuse_others(asked: Asked, kind: str, path: Sequence[str]) -> None:
    """Have nothing be there that is another organization's.

    Raises:
        ProblemError: not found.
    """
    if not of_tenant(kind) or asked.caller.platform:
        return
    if path and path[0] != asked.caller.organization_slug:
        raise not_found()


def place(asked: Asked, kind: str, verb: str) -> tuple[str, ...]:
    """The path in the address, of what the caller may do this to.

    Raises:
        ProblemError: he may not, or may not even know of it.
    """
    path = path_in(kind, asked.names)
    refuse_others(asked, kind, path)
    asked.refuse_unless(verb, kind, path)
    return path


def found(asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject:
    """The object at ``path``: the living one, else the one that is being deleted.

    Raises:
        ProblemError: there is none.
    """
    if (one := find(asked, kind, path)) is None or not offered(asked, one):
        raise not_found()
    return one


def find(asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject | None:
    """The same; None: there is none."""
    present = reader.objects(asked.conn, kind, path)
    return max(present, key=lambda each: (each.deleted_at is None, each.created_at), default=None)


def living(asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject | None:
    """The same; None also where it is being deleted."""
    now = find(asked, kind, path)
    return None if now is None or now.deleted_at is not None else now


def held(conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject | None:
    """The living object, locked: as it is when everybody who was changing it is done."""
    now = living(asked, kind, path)
    if now is None:
        return None
    if hold(conn, KINDS[kind].binding, now.id) == now.generation:
        return now
    return living(asked, kind, path)


def offered(asked: Asked, one: DeclaredObject) -> bool:
    """Whether he may know of it: what of the catalogue is not offered any more is the platform's alone."""
    field = KINDS[one.kind].facts.offered
    return not field or asked.caller.platform or bool(one.spec.get(field, True))


def fields(body: Any, known: Mapping[str, type]) -> dict[str, Any]:
    """What a body says, of which each field is known, of its type, and no longer than a line of text.

    Raises:
        InvalidSpec: it is not so; says each field.
    """
    if not isinstance(body, dict):
        raise InvalidSpec([Problem("", None, "is no object", f"send some of {', '.join(known)}, or {{}}")])
    problems = []
    for name, said in body.items():
        if name not in known:
            problems.append(Problem(name, None, "is not a field here", f"known are {', '.join(known)}", (name,)))
        elif not isinstance(said, known[name]) or (isinstance(said, bool) and known[name] is not bool):
            problems.append(Problem(name, None, f"is no {_CALLED[known[name]]}", "", (name,)))
        elif isinstance(said, str) and (len(said) > _LONGEST or not said.isprintable()):
            problems.append(Problem(name, None, f"is a line of {_LONGEST} characters at most", "", (name,)))
        elif isinstance(said, int) and not 0 <= said < 2**31:
            problems.append(Problem(name, None, "is no such number", "", (name,)))
    if problems:
        raise InvalidSpec(problems)
    return body


def answered(asked: Asked, objects: Sequence[DeclaredObject]) -> list[dict[str, Any]]:
    """Documents of ``objects``, each with who owns which fields, what this caller may do, and the call of its mend."""
    made = documents(asked.conn, objects)
    of_kind: dict[str, list[UUID]] = {}
    for one in objects:
        of_kind.setdefault(KINDS[one.kind].word(), []).append(one.id)
    owners = {
        id_: owner for kind, ids in of_kind.items() for id_, owner in lookups.owners(asked.conn, kind, ids).items()
    }
    mends = Mends(asked.conn, asked.access, asked.caller)
    for one, document in zip(objects, made, strict=True):
        document["status"]["mendCall"] = mends.call(one, document["status"])
        document["owners"] = [owners[one.id].document()] if one.id in owners else []
        document["can"] = list(asked.access.can(asked.caller, one.kind, one.path))
    return made


def wait_seconds(query: Mapping[str, str]) -> float:
    """What ``wait`` says; 0: not at all."""
    return float(query.get("wait", 0))
