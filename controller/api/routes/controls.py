"""What is said to the controller about an object, and is no spec: pause, resume, look at it now."""

from __future__ import annotations

from functools import partial

import psycopg

from controller.access.permissions import table
from controller.access.roles import Verb
from controller.actions import reconcile
from controller.actions.pause import Scope
from controller.api import etags, places
from controller.api.asked import Answer, Asked, Waiting
from controller.api.mends import look_verb
from controller.api.operations import Operation, Parameter
from controller.api.routes import shared
from controller.api.routes.deeds import REASON, held, operation
from controller.declared import controls
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.readiness import affected
from reconcilers.registry import registered
from specs.kinds import KINDS, TENANT


def made() -> list[Operation]:
    """Of each kind that has a reconciler; of those that somebody may pause, that too."""
    reconciled = [kind for kind, cls in KINDS.items() if cls.word() in registered()]
    found = [each for kind in reconciled if Verb.SUSPEND in table()[kind] for each in _pauses_of(kind)]
    return found + [each for kind in reconciled for each in (_look_of(kind), _looked_of(kind))]


def _pauses_of(kind: str) -> list[Operation]:
    what = "everything of one" if kind == TENANT else "one"
    word = KINDS[kind].word()
    parameters: tuple[Parameter, ...] = (shared.DRY_RUN, shared.IDEMPOTENCY_KEY, shared.IF_MATCH)
    return [
        operation(
            kind, "pause", f"Stop the controller's work on {what} {word}.", partial(_pause, True), REASON,
            {"reason": "looking into a leak"}, "What runs goes on as it is; nothing is made, changed, repaired or "
            "removed until it is resumed. To stop its tasks, set `suspended`.", optional=True, parameters=parameters,
        ),
        operation(
            kind, "resume", f"Let the controller's work on {what} {word} go on.", partial(_pause, False), {}, {},
            "A wider pause still holds what is in it.", optional=True, parameters=(*parameters, shared.WAIT),
        ),
    ]  # fmt: skip


def _look_of(kind: str) -> Operation:
    return operation(
        kind, "reconcile", f"Have the controller look at one {KINDS[kind].word()} now, and try again what failed.",
        _look, {}, {}, "Answered when it is asked for. It reads from the engine what lives of it, and waits for no "
        "backoff.", optional=True, parameters=(shared.IDEMPOTENCY_KEY,), status=202,
    )  # fmt: skip


def _looked_of(kind: str) -> Operation:
    area = places.areas(kind)[-1]
    return Operation(
        "GET", f"{places.address(area, kind)}/reconcile", f"lookOf{kind}", f"{area}: {KINDS[kind].plural()}",
        f"Say whether the controller has looked at one {KINDS[kind].word()} as it was asked to.",
        partial(_looked, kind),
        {"done": True, "reason": "Deployed", "message": "as declared"}, problems=("not-found",),
        means="`request` is `written.request` of what asked for it. `reason` and `message` are those of its status.",
        answers={
            "type": "object", "required": ["done", "reason", "message"],
            "properties": {
                "done": {"type": "boolean"}, "reason": {"type": "string"}, "message": {"type": "string"},
            },
        },
        parameters=(Parameter("request", "As it was answered.", {"type": "string", "maxLength": 64}),),
    )  # fmt: skip


def _pause(stops: bool, kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "suspend")
    said = shared.fields(asked.body, {"reason": str} if stops else {})
    found, was = _paused(asked.conn, asked, kind, path, said.get("reason", "") if stops else None)
    more = {"paused": stops, "changed": not was if stops else was}
    if asked.flag("dryRun"):
        return Answer({"changed": more["changed"], "rows": []})
    document = shared.answered(asked, [found])[0] | {"written": more}
    seconds = shared.wait_seconds(asked.query)
    keys = affected(asked.conn, [(KINDS[kind].word(), found.id, True)]) if seconds else []
    waiting = Waiting(keys, seconds) if seconds else None
    return Answer(document, headers={"ETag": etags.etag(found.generation)}, waiting=waiting)


@outlasting
def _paused(
    conn: psycopg.Connection, asked: Asked, kind: str, path: tuple[str, ...], reason: str | None
) -> tuple[DeclaredObject, bool]:
    """Pause it, or resume it where there is no ``reason``; whether it was paused by itself."""
    name = "/".join(path)
    word = KINDS[kind].word()
    scope = Scope(None, None, name, everything=False) if kind == TENANT else Scope(word, name, None, everything=False)
    with conn.transaction(force_rollback=asked.flag("dryRun")):
        found = held(conn, asked, kind, path)
        place = scope.find(conn)
        if reason is None:
            return found, controls.resume(conn, place.scope, place.key)
        was = any((each.scope, each.id) == (place.scope, found.id) for each in controls.pauses(conn))
        controls.pause(conn, place.scope, place.key, reason)
        return found, was


def _look(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, look_verb(kind))
    shared.fields(asked.body, {})
    found = shared.found(asked, kind, path)
    request = reconcile.ask(asked.conn, KINDS[kind].word(), "/".join(path))
    document = shared.answered(asked, [found])[0] | {"written": {"request": request.token}}
    return Answer(document, 202, {"ETag": etags.etag(found.generation)})


def _looked(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "read")
    found = shared.found(asked, kind, path)
    done, reason, message = reconcile.how(asked.conn, (KINDS[kind].word(), found.id), asked.query.get("request", ""))
    return Answer({"done": done, "reason": reason, "message": message})
