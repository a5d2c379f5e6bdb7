"""Config vars of what can have them: names are listed, values are written, and no answer has one."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import psycopg

from controller.access.roles import Verb
from controller.actions.config import (
    Assignment,
    Done,
    Place,
    change,
    listed,
    own,
    parse,
    place,
    variable_document,
)
from controller.api import etags, places
from controller.api.asked import Answer, Asked, Waiting
from controller.api.body import JSON, MERGE, TEXT
from controller.api.examples import SERVES_AT
from controller.api.operations import Operation
from controller.api.problems import not_found
from controller.api.routes import shared
from controller.declared.config_vars import Variable
from controller.declared.outlast import outlasting
from controller.declared.readiness import affected
from controller.declared.rows import hold
from specs.config import check_name, check_value
from specs.kinds import KINDS, LAYERS
from specs.problems import InvalidSpec, Problem, RefusedError

_FORM = "a text, null to unset it, or {value or base64, asFile}"
_FIELDS = {"value", "base64", "asFile"}


class Sent(NamedTuple):
    """What is to be set, and names that are not to be."""

    wanted: Sequence[Assignment]
    names: Sequence[str]


def made() -> list[Operation]:
    """Of every kind that variables can be set for."""
    return [each for kind in LAYERS for each in _of(kind)]


def _of(kind: str) -> list[Operation]:
    cls, area = KINDS[kind], next(iter(places.areas(kind)))
    address, group = f"{places.address(area, kind)}/config", f"{area}: config vars"
    word = cls.word()
    return [
        Operation(
            "GET", address, f"listConfigOf{kind}", group, f"List what is set for one {word}: names, and never a value.",
            partial(_list, kind), _LISTED, answers=_ANSWERS, problems=("not-found",),
            means="With what is set above it. Where a name is set in several, the nearest is `effective`.",
        ),
        Operation(
            "PATCH", address, f"changeConfigOf{kind}", group, f"Set and unset config vars of one {word}, all or none.",
            partial(_change, kind), {**_LISTED, "written": [_WRITTEN]}, answers=_ANSWERS, takes=_TAKES, sent=_SENT,
            forms=(MERGE, JSON, TEXT), writes=True,
            parameters=(shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.IF_MATCH),
            problems=("not-found", "invalid", "conflict", "in-progress", "key-reused", "precondition-failed", "no-key"),
            means="By name a value, or null to unset it; what is not named stays. As `text/plain` it is a file of "
            "NAME=value lines (`.env`). No answer, log or record has a value.",
        ),
    ]  # fmt: skip


def _list(kind: str, asked: Asked) -> Answer:
    path = _place(asked, kind, "read")
    return _said(asked, place(asked.conn, "/".join(path)))


def _change(kind: str, asked: Asked) -> Answer:
    path = _place(asked, kind, Verb.CONFIG)
    sent = _of_lines(asked.body) if isinstance(asked.body, str) else _of_document(asked.body)
    where = place(asked.conn, "/".join(path))
    before = {each.name for each in own(asked.conn, where)}
    done = _write(asked.conn, asked, kind, where, sent)
    written = [_written(each, before) for each in done]
    if asked.flag("dryRun"):
        return Answer({"changed": bool(written), "written": written})
    seconds = shared.wait_seconds(asked.query)
    word, row_id = where.key
    keys = affected(asked.conn, [(word, row_id, True)]) if seconds else []
    return _said(asked, where, written, Waiting(keys, seconds) if seconds else None)


@outlasting
def _write(
    conn: psycopg.Connection,
    asked: Asked,
    kind: str,
    where: Place,
    sent: Sent,
) -> list[Done]:
    with conn.transaction(force_rollback=asked.flag("dryRun")):
        if "if-match" in asked.headers:
            hold(conn, KINDS[kind].binding, where.key[1])
            etags.check_version(asked.headers, _tag(own(conn, where)))
        return change(conn, asked.settings.vault, where, *sent)


def _said(
    asked: Asked,
    where: Place,
    written: Sequence[dict[str, Any]] | None = None,
    waiting: Waiting | None = None,
) -> Answer:
    items = [variable_document(where, each) for each in listed(asked.conn, where)]
    body = {"items": items} if written is None else {"items": items, "written": written}
    return Answer(body, headers={"ETag": _tag(own(asked.conn, where))}, waiting=waiting)


def _tag(found: Sequence[Variable]) -> str:
    """Of what is set there itself: another one with each change of it."""
    versions = [(each.name, each.version, each.as_file, each.changed_at.isoformat()) for each in found]
    return f'"c{hashlib.sha256(repr(versions).encode()).hexdigest()[:16]}"'


def _written(done: Done, before: set[str]) -> dict[str, Any]:
    if done.version is None:
        return {"name": done.name, "action": "unset"}
    return {"name": done.name, "action": "changed" if done.name in before else "set", "version": done.version}


def _place(asked: Asked, kind: str, verb: str) -> tuple[str, ...]:
    """The path of what the caller may do this to; it is there, and not deleted."""
    path = shared.place(asked, kind, verb)
    if shared.found(asked, kind, path).deleted_at is not None:
        raise not_found()
    return path


# -- what is sent; no value is in any message ----------------------------------------------------------------------


def _of_lines(text: str) -> Sent:
    found = parse(text, "body")
    if not found:
        raise InvalidSpec([Problem("", None, "sets nothing", "send lines of NAME=value")])
    return Sent(found, ())


def _of_document(body: Any) -> Sent:
    """What is to be set, and names that are not to be.

    Raises:
        InvalidSpec: it is no such document; says each name that is wrong.
    """
    if not isinstance(body, dict):
        raise InvalidSpec([Problem("", None, "is no object", "send a value or null by the name of each variable")])
    wanted: list[Assignment] = []
    names: list[str] = []
    problems: list[Problem] = []
    for name, said in body.items():
        if said is None:
            names.append(name)
            continue
        found = list(_faults(name, said))
        problems += found
        if not found:
            wanted.append(_assignment(name, said))
    if problems:
        raise InvalidSpec(problems)
    return Sent(wanted, names)


def _faults(name: str, said: Any) -> Iterator[Problem]:
    try:
        check_name(name)
    except RefusedError as error:
        yield Problem(name, None, error.message, error.hint, (name,))
        return
    if isinstance(said, dict) and (set(said) - _FIELDS or len({"value", "base64"} & set(said)) != 1):
        yield Problem(name, None, "is not a value", f"send {_FORM}", (name,))
        return
    fields = said if isinstance(said, dict) else {"value": said}
    for field in ("value", "base64"):
        if field in fields and not isinstance(fields[field], str):
            yield Problem(name, None, "is not a text", f"send {_FORM}", (name,))
            return
    if not isinstance(fields.get("asFile", False), bool):
        yield Problem(name, None, "asFile is true or false", "", (name, "asFile"))
        return
    try:
        check_value(name, _assignment(name, said).value)
    except binascii.Error:
        yield Problem(name, None, "is not base64", "", (name, "base64"))
    except RefusedError as error:
        yield Problem(name, None, error.message, error.hint, (name,))


def _assignment(name: str, said: Any) -> Assignment:
    fields = said if isinstance(said, dict) else {"value": said}
    as_file = fields.get("asFile")
    if "base64" in fields:
        try:
            return Assignment(name, base64.b64decode(fields["base64"].encode("ascii"), validate=True), as_file)
        except UnicodeEncodeError:
            raise binascii.Error from None
    return Assignment(name, fields["value"].encode(), as_file)


_LISTED = {
    "items": [
        {
            "name": "DATABASE_URL",
            "version": 3,
            "asFile": False,
            "setFor": f"{KINDS[LAYERS[-1]].word()} {SERVES_AT}",
            "effective": True,
            "changedAt": "2026-11-28T09:00:00Z",
            "declaredBy": None,
        }
    ]
}
_WRITTEN = {"name": "DATABASE_URL", "action": "changed", "version": 3}
_SENT = {"DATABASE_URL": "postgres://shop@db.example/shop", "DEBUG": None}
_VALUE = {"type": "string", "writeOnly": True}
_TAKES = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$", "maxLength": 255},
    "additionalProperties": {
        "anyOf": [
            {"type": "null"},
            _VALUE,
            {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "value": _VALUE,
                    "base64": {**_VALUE, "contentEncoding": "base64"},
                    "asFile": {"type": "boolean"},
                },
                "oneOf": [{"required": ["value"]}, {"required": ["base64"]}],
            },
        ]
    },
}
_ANSWERS = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "version", "asFile", "setFor", "effective", "changedAt"],
                "properties": {
                    "name": {"type": "string"},
                    "version": {"type": "integer"},
                    "asFile": {"type": "boolean"},
                    "setFor": {"type": "string"},
                    "effective": {"type": "boolean"},
                    "changedAt": {"type": "string", "format": "date-time"},
                    "declaredBy": {"type": ["string", "null"]},
                },
            },
        },
        "written": {"type": "array", "items": {"type": "object", "required": ["name", "action"]}},
    },
}
