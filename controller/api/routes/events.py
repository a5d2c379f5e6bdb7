"""What happened to the objects that the caller may see."""

from __future__ import annotations

from controller.actions.errors import ActionError
from controller.actions.paths import kind_of
from controller.api.asked import Answer, Asked
from controller.api.examples import SERVES, SERVES_AT
from controller.api.operations import Operation, Parameter, whole
from controller.api.problems import Fault, ProblemError
from controller.declared import happened
from specs.kinds import KINDS

_USUAL = 100
_TEXT = {"type": "string"}
_EXAMPLE = {
    "id": 4711, "kind": KINDS[SERVES].word(), "object": "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30",
    "path": SERVES_AT, "type": "Warning", "reason": "ImageNotFound",
    "message": "its registry has no such tag, digest or repository", "count": 1,
    "firstAt": "2026-11-28T09:00:00Z", "lastAt": "2026-11-28T09:00:00Z",
}  # fmt: skip
_EVENT = {
    "type": "object",
    "required": ["id", "kind", "object", "path", "type", "reason", "message", "count", "firstAt", "lastAt"],
    "properties": {
        **dict.fromkeys(("kind", "object", "path", "type", "reason", "message", "firstAt", "lastAt"), _TEXT),
        "id": {"type": "integer"},
        "count": {"type": "integer"},
    },
}


def _list(asked: Asked) -> Answer:
    kind = None
    if said := asked.query.get("kind"):
        try:
            kind = kind_of(said)
        except ActionError as error:
            raise ProblemError("malformed", str(error), [Fault(error.hint, parameter="kind")]) from None
    most = int(asked.query.get("limit", _USUAL))
    rows = happened.listed(
        asked.conn,
        tenant=None if asked.caller.platform else asked.caller.organization,
        kind=KINDS[kind].word() if kind else None,
        path=asked.query.get("path"),
        before=int(asked.query["before"]) if "before" in asked.query else None,
        most=most,
    )
    words = {cls.word(): name for name, cls in KINDS.items()}
    seen = [
        each
        for each in rows
        if each.kind in words
        and each.path
        and asked.access.may(asked.caller, "read", words[each.kind], tuple(each.path.split("/")))
    ]
    following = rows[-1].id if len(rows) == most else None
    return Answer({"items": [each.document() for each in seen], "next": following})


OPERATIONS = [
    Operation(
        "GET", "/api/events", "listEvents", "events", "List what happened, the newest first.", _list,
        {"items": [_EXAMPLE], "next": None},
        means="Equal events in a row are one, with a count. `next` is `before` of the next page.",
        answers={
            "type": "object", "required": ["items", "next"],
            "properties": {"items": {"type": "array", "items": _EVENT}, "next": {"type": ["integer", "null"]}},
        },
        parameters=(
            Parameter("kind", "Only of this kind.", {"type": "string", "enum": [cls.word() for cls in KINDS.values()]}),
            Parameter("path", "Only of the object at this path, and of what is below it."),
            Parameter("before", "Only those before this one.", whole(0, 2**63 - 1)),
            Parameter("limit", f"So many at most; {_USUAL} when left out.", whole(1, 500)),
        ),
        problems=("malformed",),
    )
]  # fmt: skip
