"""One declared object: read, make or replace, change, delete, explain. Made of the kinds, and naming none of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import psycopg

from controller.actions.apply import apply, concerned, written_document
from controller.actions.delete import below
from controller.actions.delete import delete as delete_targets
from controller.actions.explain import explain
from controller.actions.objects import reads
from controller.actions.preview import preview
from controller.actions.pruning import Pruning
from controller.actions.restore import restore
from controller.api import etags, places
from controller.api.asked import Answer, Asked, Waiting
from controller.api.body import JSON, MERGE
from controller.api.examples import SERVES, SERVES_AT, object_example, spec_example
from controller.api.looks import for_tenants
from controller.api.operations import Operation
from controller.api.problems import not_found
from controller.api.routes import shared
from controller.api.tenants import saying
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.writer import Target, Written
from specs.kinds import KINDS
from specs.loader import Located

Make = Callable[[DeclaredObject | None], Located]
WRITTEN = ("conflict", "in-progress", "precondition-failed", "invalid", "key-reused", "precondition-required")


def made() -> list[Operation]:
    """Operations of every kind in every area that it stands in."""
    return [each for kind in KINDS for area in places.areas(kind) for each in _of(area, kind)]


def _of(area: str, kind: str) -> list[Operation]:
    cls, home = KINDS[kind], places.areas(kind)[-1]
    address, group = places.address(area, kind), f"{area}: {cls.plural()}"
    within = "" if area == home else f"In{area.capitalize()}"
    example = object_example(kind)
    read = Operation(
        "GET", address, f"get{kind}{within}", group, f"Read one {cls.word()}: what is asked for, and how it stands.",
        partial(_get, kind), example, answers={"$ref": f"#/components/schemas/{kind}Object"},
        problems=("not-found",),
    )  # fmt: skip
    if area != home:
        return [read]
    sent = {"spec": spec_example(kind)}
    parameters = (shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.IF_MATCH, shared.REASON)
    answers = {"$ref": f"#/components/schemas/{kind}Object"}
    return [
        read,
        Operation(
            "PUT", address, f"put{kind}", group, f"Make one {cls.word()}, or replace what is asked of it.",
            partial(_put, area, kind), example, sent=sent, answers=answers, forms=(JSON,), writes=True,
            parameters=parameters, problems=("not-found", *WRITTEN),
            takes={"$ref": f"#/components/schemas/{kind}Sent"},
            means="What is left out has its default. One that exists is replaced only with `If-Match`; "
            "`If-None-Match: *` makes a new one only. 201 where it is new.",
        ),
        Operation(
            "PATCH", address, f"patch{kind}", group, f"Change some fields of one {cls.word()}.",
            partial(_patch, area, kind), example, sent={"spec": _first_field(kind)}, answers=answers,
            forms=(MERGE, JSON), writes=True, parameters=parameters, problems=("not-found", *WRITTEN),
            means="A merge patch (RFC 7396) of the document: a field that is null is set back to its default.",
        ),
        Operation(
            "DELETE", address, f"delete{kind}", group, f"Delete one {cls.word()}, with everything below it.",
            partial(_delete, area, kind), example, answers=answers, writes=True, parameters=parameters,
            problems=("not-found", *WRITTEN), status=202 if cls.binding.deleted_in else 200,
            means="Its name is free at once. What runs is then removed; `wait` waits until nothing of it is left.",
        ),
        *_restoring(area, kind),
        Operation(
            "GET", f"{address}/explain", f"explain{kind}", group,
            f"Say why one {cls.word()} is not as declared, or why it changed: the cause and its mend first.",
            partial(_explain, kind), _EXPLAINED, problems=("not-found", "conflict"),
        ),
    ]  # fmt: skip


def _restoring(area: str, kind: str) -> list[Operation]:
    cls = KINDS[kind]
    if not cls.binding.deleted_in:
        return []
    return [
        Operation(
            "POST", f"{places.address(area, kind)}/restore", f"restore{kind}", f"{area}: {cls.plural()}",
            f"Take the deletion of a {cls.word()} back, with what was deleted together with it.",
            partial(_restore, area, kind), object_example(kind), answers={"$ref": f"#/components/schemas/{kind}Object"},
            forms=(JSON,), optional=True, sent={}, takes={"type": "object", "additionalProperties": False},
            writes=True, parameters=(shared.WAIT, shared.IDEMPOTENCY_KEY, shared.REASON),
            problems=("not-found", *WRITTEN),
            means="Of the one of this name that was deleted last; rows are kept for a while after their removal. "
            "`restored` names what came back with it.",
        )
    ]  # fmt: skip


def _restore(area: str, kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "write")
    shared.fields(asked.body, {})
    with saying(asked.conn, asked.query.get("reason", "")):
        written = restore(asked.conn, KINDS[kind].word(), "/".join(path))
    back = [f"{one.kind.lower()} {one.name}" for one in below(reads(asked.conn), written.target)]
    return done(area, asked, written, concerned(asked.conn, [written]), {"restored": back})


def _get(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "read")
    one = shared.found(asked, kind, path)
    return Answer(shared.answered(asked, [one])[0], headers={"ETag": etags.etag(one.generation)})


def _explain(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "read")
    one = shared.found(asked, kind, path)
    said = explain(asked.conn, asked.settings, KINDS[kind].word(), "/".join(path)).document()
    said["mendCall"] = shared.answered(asked, [one])[0]["status"]["mendCall"]
    return Answer(said if asked.caller.platform else for_tenants(said))


def _put(area: str, kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "write")
    entry = places.posted(kind, path, asked.body)
    return write(area, kind, asked, path, lambda _: entry, replaces=True)


def _patch(area: str, kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "read")
    for verb in _verbs(kind, asked, path):
        asked.refuse_unless(verb, kind, path)
    shared.found(asked, kind, path)

    def change(now: DeclaredObject | None) -> Located:
        before = {} if now is None else now.document()
        return places.posted(kind, path, places.merged(before, asked.body))

    return write(area, kind, asked, path, change, replaces=False)


def _verbs(kind: str, asked: Asked, path: tuple[str, ...]) -> Sequence[str]:
    """What who sends this patch has to be permitted: to write, or what is enough for each field that it names."""
    sent = asked.body
    spec = sent.get("spec") if isinstance(sent, dict) and set(sent) == {"spec"} else None
    if not spec or not isinstance(spec, dict) or asked.access.may(asked.caller, "write", kind, path):
        return ("write",)
    return sorted({KINDS[kind].facts.changed_by.get(name, "write") for name in spec})


def write(area: str, kind: str, asked: Asked, path: tuple[str, ...], make: Make, *, replaces: bool) -> Answer:
    """What ``make`` makes of the object as it is now, written; or its plan."""
    if asked.flag("dryRun"):
        now = shared.living(asked, kind, path)
        etags.check(asked.headers, _generation(now), required=False)
        return plan(asked, [make(now)])
    reason = asked.query.get("reason")
    with nullcontext() if reason is None else saying(asked.conn, reason):  # else somebody further out has said one
        written = _apply(asked.conn, asked, kind, path, make, replaces=replaces)
    keys = concerned(asked.conn, [written])
    return done(area, asked, written, keys)


@outlasting
def _apply(
    conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...], make: Make, *, replaces: bool
) -> Written:
    """Write it, in the generation that was read and that nobody else changes meanwhile."""
    with conn.transaction():
        now = shared.held(conn, asked, kind, path)
        if now is None and not replaces:
            raise not_found()
        etags.check(asked.headers, _generation(now), required=replaces)
        return apply(conn, [make(now)], asked.settings.options)[0]


def _delete(area: str, kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "delete")
    one = shared.found(asked, kind, path)
    if asked.flag("dryRun"):
        etags.check(asked.headers, one.generation, required=False)
        return _plan_of_deletion(asked, Target(kind, one.path))
    with saying(asked.conn, asked.query.get("reason", "")):
        written = _remove(asked.conn, asked, kind, path)
    keys = concerned(asked.conn, [written], deleted=True)
    return done(area, asked, written, keys)


@outlasting
def _remove(conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...]) -> Written:
    with conn.transaction():
        now = shared.held(conn, asked, kind, path)
        if now is None:
            raise not_found()
        etags.check(asked.headers, now.generation, required=True)
        return delete_targets(conn, [Target(kind, now.path)])[0]


def _plan_of_deletion(asked: Asked, target: Target) -> Answer:
    with asked.conn.transaction(force_rollback=True):
        rows = delete_targets(asked.conn, [target])
    return Answer({"changed": True, "rows": [written_document(row) for row in rows]})


def done(
    area: str,
    asked: Asked,
    written: Written,
    keys: Sequence[Any],
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """The object as it is now, with what was done to it, and ``more`` of that."""
    kind, path = written.target.kind, written.target.path
    said = {name: value for name, value in written_document(written).items() if name in ("action", "changes")}
    said |= more or {}
    seconds = shared.wait_seconds(asked.query)
    waiting = Waiting(keys, seconds, [written]) if seconds else None
    now = shared.find(asked, kind, path)
    deleted = written.action == "deleted"
    status = 201 if written.action == "created" else 202 if deleted and now is not None else 200
    if now is None:
        return Answer({"kind": kind, "metadata": {"name": path[-1], "id": written.id}, "written": said}, status)
    document = shared.answered(asked, [now])[0] | {"written": said}
    headers = {"ETag": etags.etag(now.generation)}
    if status == 201:
        headers["Location"] = places.place(area, kind, path)
    return Answer(document, status, headers, waiting=waiting)


def plan(asked: Asked, entries: Sequence[Located], pruning: Pruning | None = None) -> Answer:
    """What a write of ``entries`` would change, and what would be deleted with it; nothing is."""
    live, why = asked.looks.look()
    looked = preview(asked.conn, entries, asked.settings.options, live, asked.of_kinds, pruning=pruning)
    looked.unknown = looked.unknown or why
    said = looked.document()
    return Answer(said if asked.caller.platform else for_tenants(said))


def _generation(now: DeclaredObject | None) -> int | None:
    return None if now is None else now.generation


def _first_field(kind: str) -> dict[str, Any]:
    return dict(list(spec_example(kind).items())[:1])


_EXPLAINED = {
    "kind": SERVES, "name": SERVES_AT, "ready": False, "reason": "ImageNotFound",
    "verdict": f"{KINDS[SERVES].word()} {SERVES_AT} is not ready: its registry has no such tag, digest or repository",
    "cause": {"link": "image", "state": "broken", "mend": "Push it, or set another image"},
    "chain": [{"link": "controller", "state": "ok"}, {"link": "image", "state": "broken"}],
    "mendCall": None,
    "changes": [{"at": "2026-11-28T09:00:00Z", "what": "release 42 was made", "by": "dev@acme.example"}],
    "unseen": [],
}  # fmt: skip
