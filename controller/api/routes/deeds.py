"""What is done with an object by a word of its own: deploy, restart, roll back, promote.

Each is a use-case that the command line has, and changes the spec: plan, generation and release are those of every
other write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import psycopg

from controller.actions import releases, restart
from controller.actions.apply import concerned, written_document
from controller.actions.deploy import IMAGE, with_image
from controller.actions.promote import PROCESS
from controller.actions.promote import promote as promote_release
from controller.api import etags, places
from controller.api.asked import Answer, Asked
from controller.api.body import JSON
from controller.api.examples import object_example
from controller.api.operations import Operation
from controller.api.problems import not_found
from controller.api.routes import objects, shared
from controller.api.tenants import saying
from controller.declared.fields import spec_changes
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.writer import Target, Written
from specs.kinds import KINDS
from specs.loader import Located
from specs.problems import InvalidSpec, Problem, RefusedError

Work = Callable[[psycopg.Connection, DeclaredObject], Mapping[str, Any]]
"""Does it to the locked object; gives what is said of it beside the changes."""
REASON = {"reason": {"type": "string", "maxLength": 500, "description": "Why; releases and the audit say it."}}


def made() -> list[Operation]:
    """Of each kind, what can be done with it."""
    found = [each for kind in KINDS if kind == releases.KIND for each in _of_released(kind)]
    return found + [_restart_of(kind) for kind in (releases.KIND, restart.PART)]


def operation(  # noqa: PLR0917 - what is its own of each
    kind: str, word: str, summary: str, handler: Any, fields: Mapping[str, Any], sent: Any, means: str, **more: Any
) -> Operation:
    """What is done with an object of ``kind`` by ``POST`` to ``word`` below it."""
    area = places.areas(kind)[-1]
    parameters = more.pop("parameters", (shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.IF_MATCH))
    return Operation(
        "POST", f"{places.address(area, kind)}/{word}", f"{word}{kind}", f"{area}: {KINDS[kind].plural()}", summary,
        partial(handler, kind), object_example(kind), means=means,
        answers={"$ref": f"#/components/schemas/{kind}Object"}, problems=("not-found", *objects.WRITTEN),
        parameters=parameters, forms=(JSON,), sent=sent, writes=True,
        takes={"type": "object", "additionalProperties": False, "properties": dict(fields)}, **more,
    )  # fmt: skip


def _of_released(kind: str) -> list[Operation]:
    word = KINDS[kind].word()
    number = {"release": {"type": "integer", "minimum": 1}}
    commit = {"commit": {"type": "string", "maxLength": 255}}
    return [
        operation(
            kind, "deploy", f"Have an {word} run another image, or another tag of the one that it has.", _deploy,
            {IMAGE: {"type": "string"}, "tag": {"type": "string"}, **REASON, **commit},
            {"tag": "1.5", "reason": "faster checkout", "commit": "c0ffee"},
            "One of `image` and `tag`. It sets `image` in the spec.",
        ),
        operation(
            kind, "rollback", f"Have an {word} run the content of an earlier release.", _roll_back,
            {**number, "undo": {"type": "boolean"}, **REASON}, {"reason": "checkout fails"},
            "It sets `release` in the spec; left out: the last one before the newest that all tasks ran. `undo`: what "
            "is declared runs again.", optional=True,
        ),
        operation(
            kind, "promote", f"Have an {word} run what another one of the same app runs.", _promote,
            {"from": {"type": "string"}, **number, **REASON}, {"from": "staging", "reason": "checked by QA"},
            "The address is that of the one which is to run it; `from` names the other one, `release` one of its "
            "releases: the last one that all its tasks ran, when left out. Needs `write`, and `delete` of processes.",
        ),
    ]  # fmt: skip


def _restart_of(kind: str) -> Operation:
    return operation(
        kind, "restart", f"Replace the tasks of one {KINDS[kind].word()} by new ones of the same release.", _restart,
        REASON, {}, "It sets `restartToken` in the spec. Tasks are replaced as by any other change.", optional=True,
    )  # fmt: skip


def _deploy(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "deploy")
    said = shared.fields(asked.body, {IMAGE: str, "tag": str, "reason": str, "commit": str})
    if len({IMAGE, "tag"} & set(said)) != 1:
        raise InvalidSpec([Problem("", None, "names no image", "send one of image and tag")])
    shared.found(asked, kind, path)

    def change(now: DeclaredObject | None) -> Located:
        before = {} if now is None else now.document()
        try:
            document = with_image(before, said.get(IMAGE, ""), said.get("tag", ""))
        except RefusedError as error:
            raise InvalidSpec([Problem("tag", None, error.message, error.hint, ("tag",))]) from None
        return places.posted(kind, path, document)

    with saying(asked.conn, said.get("reason", ""), said.get("commit", "")):
        return objects.write(places.areas(kind)[-1], kind, asked, path, change, replaces=False)


def _roll_back(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "rollback")
    said = shared.fields(asked.body, {"release": int, "undo": bool, "reason": str})
    if said.get("undo") and "release" in said:
        raise InvalidSpec([Problem("release", None, "is not with undo, which runs what is declared", "", ("release",))])

    def work(conn: psycopg.Connection, owner: DeclaredObject) -> Mapping[str, Any]:
        if said.get("undo"):
            releases.go_on(conn, owner)
            return {"release": None}
        version, known = releases.roll_back(conn, owner, said.get("release"), asked.settings.options)
        return {"release": version, "known": known}

    return _change(kind, asked, path, work, said.get("reason", ""))


def _restart(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "restart")
    said = shared.fields(asked.body, {"reason": str})

    def work(conn: psycopg.Connection, found: DeclaredObject) -> Mapping[str, Any]:
        part = kind != releases.KIND
        owner = shared.found(asked, releases.KIND, path[:-1]) if part else found
        restart.restart(conn, owner, path[-1] if part else None)
        return {}

    return _change(kind, asked, path, work, said.get("reason", ""))


def _promote(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "write")
    for verb in ("write", "delete"):
        asked.refuse_unless(verb, PROCESS, path)
    said = shared.fields(asked.body, {"from": str, "release": int, "reason": str})
    if not said.get("from"):
        raise InvalidSpec([Problem("from", None, "is required", f"name another {KINDS[kind].word()}", ("from",))])
    source = shared.found(asked, kind, (*path[:-1], said["from"]))
    with saying(asked.conn, said.get("reason", "")):
        written, more = _promoted(asked.conn, asked, kind, path, source)
    if asked.flag("dryRun"):
        rows = [written_document(each) for each in written]
        return Answer({"changed": any(each.changed for each in written), "rows": rows, **more})
    here = next(each for each in written if (each.target.kind, each.target.path) == (kind, path))
    return objects.done(places.areas(kind)[-1], asked, here, concerned(asked.conn, written), more)


@outlasting
def _promoted(
    conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...], source: DeclaredObject
) -> tuple[list[Written], dict[str, Any]]:
    with conn.transaction():
        target = held(conn, asked, kind, path)
        number, options, dry = asked.body.get("release"), asked.settings.options, asked.flag("dryRun")
        done = promote_release(conn, source, target, number, options, dry_run=dry)
    parts = [written_document(each) for each in done.written if each.target.kind != kind]
    said = {"from": source.name, "release": done.release.version, "image": done.release.named}
    return done.written, {"promoted": {**said, "differs": list(done.differs), "parts": parts}}


def _change(kind: str, asked: Asked, path: tuple[str, ...], work: Work, reason: str) -> Answer:
    """Do ``work``, which changes the spec; the object as it is then, or the plan of it."""
    with saying(asked.conn, reason):
        before, after, said = _changed(asked.conn, asked, kind, path, work)
    if asked.flag("dryRun"):
        answer = objects.plan(asked, [places.posted(kind, path, after.document())])
        return replace(answer, body=answer.body | said)
    changes = spec_changes(before.document()["spec"], after.document()["spec"])
    entry = places.posted(kind, path, after.document())
    written = Written(Target(kind, path, entry=entry), after.id, "updated" if changes else "unchanged", changes)
    return objects.done(places.areas(kind)[-1], asked, written, concerned(asked.conn, [written]), said)


@outlasting
def _changed(
    conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...], work: Work
) -> tuple[DeclaredObject, DeclaredObject, Mapping[str, Any]]:
    with conn.transaction(force_rollback=asked.flag("dryRun")):
        before = held(conn, asked, kind, path)
        said = work(conn, before)
        return before, shared.found(asked, kind, path), said


def held(conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject:
    """The living object, locked, in the generation that the caller has seen."""
    now = shared.held(conn, asked, kind, path)
    if now is None:
        raise not_found()
    etags.check(asked.headers, now.generation, required=False)
    return now
