"""How far what was written has come: what a client asks again and again while it waits, and shows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from controller.api.asked import Answer, Asked
from controller.api.body import JSON
from controller.api.examples import SERVES, SERVES_AT
from controller.api.operations import Operation
from controller.declared import readiness
from controller.declared.readiness import Progress
from specs.kinds import KINDS
from specs.problems import InvalidSpec, Problem

_MOST = 1000
_WORDS = {cls.word(): kind for kind, cls in KINDS.items()}
_FIELDS = {"kind": str, "id": str, "changed": bool}


def _progress(asked: Asked) -> Answer:
    written, deleted, concerns = _said(asked.body)
    keys = (
        readiness.affected(asked.conn, written, deleted=deleted)
        if concerns
        else [(kind, object_id) for kind, object_id, _ in written]
    )
    found = readiness.progress(asked.conn, keys)
    return Answer({"items": [each.document() for each in found if _may_read(asked, each)]})


def _may_read(asked: Asked, each: Progress) -> bool:
    kind = _WORDS.get(each.kind)
    if kind is None:
        return False
    path = () if each.path == str(each.id) else tuple(each.path.split("/"))  # its row is not there, or not his
    return asked.access.may(asked.caller, "read", kind, path or _own(asked))


def _own(asked: Asked) -> tuple[str, ...]:
    return () if asked.caller.platform else (asked.caller.organization_slug,)


def _said(body: Any) -> tuple[list[tuple[str, UUID, bool]], bool, bool]:
    """Kind, id and whether it was changed; whether it was deleted; whether what they concern is meant.

    Raises:
        InvalidSpec: it is no such document.
    """
    if not isinstance(body, dict) or not isinstance(body.get("objects"), list):
        raise InvalidSpec([Problem("objects", None, "is no list", "send kind and id of each", ("objects",))])
    problems = [Problem(name, None, "is not a field here", "", (name,)) for name in body if name not in _BODY]
    problems += [
        Problem(name, None, "is true or false", "", (name,))
        for name in ("deleted", "concerns")
        if not isinstance(body.get(name, False), bool)
    ]
    if len(body["objects"]) > _MOST:
        problems.append(Problem("objects", None, f"has more than {_MOST}", "ask for them in parts", ("objects",)))
    found = []
    for number, said in enumerate(body["objects"]):
        if (one := _one(said)) is None:
            hint = f"kind is one of {', '.join(_WORDS)}; id is that of its metadata"
            problems.append(Problem("objects", None, "is no object", hint, ("objects", number)))
        else:
            found.append(one)
    if problems:
        raise InvalidSpec(problems)
    return found, body.get("deleted", False), body.get("concerns", True)


def _one(said: Any) -> tuple[str, UUID, bool] | None:
    if not isinstance(said, dict) or not {"kind", "id"} <= set(said) <= set(_FIELDS):
        return None
    if any(not isinstance(value, _FIELDS[name]) for name, value in said.items()) or said["kind"] not in _WORDS:
        return None
    try:
        return said["kind"], UUID(said["id"]), said.get("changed", True)
    except ValueError:
        return None


_TEXT, _FLAG = {"type": "string"}, {"type": "boolean"}
_BODY = {
    "objects": {
        "type": "array",
        "maxItems": _MOST,
        "items": {
            "type": "object",
            "additionalProperties": False,
            "required": ["kind", "id"],
            "properties": {
                "kind": {"enum": list(_WORDS)},
                "id": {"type": "string", "format": "uuid"},
                "changed": {**_FLAG, "description": "Whether it was; true when left out."},
            },
        },
    },
    "deleted": {**_FLAG, "description": "They were deleted, with what is below them."},
    "concerns": {**_FLAG, "description": "What a change of them concerns is meant; else they themselves."},
}
_ITEM = {
    "type": "object",
    "required": ["kind", "id", "path", "deleted", "observedGeneration", "ready", "reason", "message", "stalled"],
    "properties": {
        **dict.fromkeys(("kind", "id", "path", "reason", "message", "nobody"), _TEXT),
        **dict.fromkeys(("deleted", "ready", "stalled", "finalized"), _FLAG),
        "generation": {"type": ["integer", "null"]},
        "observedGeneration": {"type": "integer"},
        "details": {"type": "object"},
    },
}
_ID = "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30"
_EXAMPLE = Progress(
    KINDS[SERVES].word(), UUID(_ID), SERVES_AT, 8, False, 7, False, "RollingOut", "1 of 3 task(s) run", False, False, {}
).document()  # fmt: skip

OPERATIONS = [
    Operation(
        "POST", "/api/progress", "progress", "sets", "Say how far what was written has come; nothing is changed.",
        _progress, {"items": [{**_EXAMPLE, "id": _ID}]}, forms=(JSON,),
        sent={"objects": [{"kind": KINDS[SERVES].word(), "id": _ID}]},
        takes={"type": "object", "additionalProperties": False, "required": ["objects"], "properties": _BODY},
        answers={"type": "object", "required": ["items"],
                 "properties": {"items": {"type": "array", "items": _ITEM}}},
        means="Of the objects that look after what was written, with the status that their generation has. What is not "
        "there any more has no `generation`. Ask again until each is `ready` in its generation, or `stalled`.",
        problems=("invalid",),
    )
]  # fmt: skip
