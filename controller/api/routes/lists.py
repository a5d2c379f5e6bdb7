"""Lists of declared objects, in pages: of all that the caller may see, or of what one owner has."""

from __future__ import annotations

from functools import partial
from typing import Any
from urllib.parse import urlencode

from controller.api import cursors, places
from controller.api.asked import Answer, Asked
from controller.api.examples import object_example
from controller.api.operations import Operation, Parameter, whole
from controller.api.routes import shared
from controller.declared import reader
from controller.declared.reader import DeclaredObject, Page
from specs.kinds import KINDS, TENANT_WORD, ancestors, of_tenant

_MOST, _USUAL = 500, 100
_PARTS = ("metadata", "spec", "status", "owners", "can")
_PART = "|".join(_PARTS)
_PARTS_OF_IT = {"type": "object", "description": "Those that `fields` names."}
_LIMIT = Parameter("limit", f"So many at most; {_USUAL} when left out.", whole(1, _MOST))
_CURSOR = Parameter("cursor", "`next` of the page before.")
_FIELDS = Parameter(
    "fields",
    f"Parts of each object, separated by commas: {', '.join(_PARTS)}.",
    {"type": "string", "pattern": f"^({_PART})(,({_PART}))*$"},
)
_READY = Parameter("ready", "Only those that are so.", {"type": "string", "enum": ["true", "false", "unknown"]})
_REASON = Parameter("reason", "Only those whose status gives this reason.", {"type": "string", "maxLength": 63})
_OF = Parameter(TENANT_WORD, f"Only of the {TENANT_WORD} of this name.", {"type": "string", "maxLength": 63})


def made() -> list[Operation]:
    """Of every kind, in every area that it stands in."""
    return [
        _of(area, kind, nested=nested)
        for kind in KINDS
        for area in places.areas(kind)
        for nested in ((False, True) if ancestors(kind) else (False,))
    ]


def _of(area: str, kind: str, *, nested: bool) -> Operation:
    cls = KINDS[kind]
    within = "" if area == places.areas(kind)[-1] else f"In{area.capitalize()}"
    owner = f" of one {KINDS[ancestors(kind)[-1]].word()}" if nested else ""
    stated = cls.facts.has_status and cls.facts.status_from is None
    filters = [*((_READY, _REASON) if stated else ()), *((_OF,) if not nested and of_tenant(kind) else ())]
    many = cls.plural()[0].upper() + cls.plural()[1:]
    of = f"Of{ancestors(kind)[-1]}" if nested else ""
    whole_object = {"$ref": f"#/components/schemas/{kind}Object"}
    return Operation(
        "GET", places.collection(area, kind, nested=nested), f"list{many}{of}{within}", f"{area}: {cls.plural()}",
        f"List {cls.plural()}{owner}, and how they stand.", partial(_list, kind, nested),
        {"items": [object_example(kind)], "next": None},
        means="In the order of their names. `next` is the cursor of the next page; null: this is the last.",
        answers={
            "type": "object", "required": ["items", "next"],
            "properties": {
                "items": {"type": "array", "items": {"anyOf": [whole_object, _PARTS_OF_IT]}},
                "next": {"type": ["string", "null"]},
            },
        },
        parameters=(_LIMIT, _CURSOR, _FIELDS, *filters), problems=("malformed", "not-found"),
    )  # fmt: skip


def _list(kind: str, nested: bool, asked: Asked) -> Answer:
    path = places.path_in(kind, asked.names) if nested else ()
    shared.refuse_others(asked, kind, path)
    own = (asked.caller.organization_slug,) if of_tenant(kind) and not asked.caller.platform else ()
    asked.refuse_unless("read", kind, path or own)
    parts = _fields(asked.query.get("fields"))
    chosen = {name: value for name, value in asked.query.items() if name not in ("limit", "cursor")}
    query = cursors.query_of(asked.address, chosen)
    after = cursors.read(asked.cursor_key, query, asked.query["cursor"]) if "cursor" in asked.query else ()
    most = int(asked.query.get("limit", _USUAL))
    page = Page(most + 1, after, asked.query.get("ready", "").capitalize(), asked.query.get("reason", ""))
    organizations = [*own, *([asked.query[TENANT_WORD]] if TENANT_WORD in asked.query else ())]
    if len(set(organizations)) > 1:  # of another one
        return Answer({"items": [], "next": None})
    found = reader.objects(asked.conn, kind, path, organizations=organizations, page=page)
    if nested and not found and not after:
        shared.found(asked, ancestors(kind)[-1], path)
    more, found = len(found) > most, found[:most]
    following = cursors.make(asked.cursor_key, query, _after(found[-1])) if more else None
    seen = [
        one for one in found if asked.access.may(asked.caller, "read", kind, one.path) and shared.offered(asked, one)
    ]
    items = [_shown(document, parts) for document in shared.answered(asked, seen)]
    headers = {}
    if following:
        more_query = urlencode({**chosen, "limit": str(most), "cursor": following})
        headers["Link"] = f'<{asked.address}?{more_query}>; rel="next"'
    return Answer({"items": items, "next": following}, headers=headers)


def _after(last: DeclaredObject) -> tuple[str, ...]:
    return (*last.path, last.created_at.isoformat())


def _fields(said: str | None) -> frozenset[str]:
    return frozenset(_PARTS if said is None else said.split(","))


def _shown(document: dict[str, Any], parts: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name in parts or name not in _PARTS}
