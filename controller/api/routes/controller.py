"""How the controller itself is, for whoever runs the platform: who leads, what waits, what the fuse holds back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from controller.access.permissions import PLATFORM
from controller.access.roles import Verb
from controller.actions import fuse
from controller.actions.fuse import Waiting
from controller.api.asked import Answer, Asked
from controller.api.body import JSON
from controller.api.examples import SERVES, SERVES_AT
from controller.api.operations import Operation
from controller.api.places import PREFIX
from controller.api.problems import ProblemError
from controller.api.routes import shared
from controller.declared import controls, lookups
from controller.declared.outlast import outlasting
from specs.kinds import KINDS
from specs.problems import InvalidSpec, Problem

_ADDRESS = f"{PREFIX}/admin/controller"
_COUNTS = ("objects", "processes", "hosts")
_MOST = 10_000


def _state(asked: Asked) -> Answer:
    for_platform(asked, Verb.READ)
    return Answer(_document(asked.conn))


def _confirm(asked: Asked) -> Answer:
    for_platform(asked, Verb.ADMIN)
    sent = _sent(asked.body)
    confirmed = _confirmed(asked.conn, asked, sent)
    if asked.flag("dryRun"):
        return Answer({"changed": bool(confirmed), "rows": []})
    return Answer({**_document(asked.conn), "written": {"confirmed": confirmed}})


def for_platform(asked: Asked, verb: Verb) -> None:
    """Have nobody go on who does not act for the platform.

    Raises:
        ProblemError: he may not, or acts for one organization.
    """
    asked.refuse_unless(verb, PLATFORM, ())
    if not asked.caller.platform:
        raise ProblemError("forbidden", "the controller is the platform's: act for no organization")


@outlasting
def _confirmed(conn: psycopg.Connection, asked: Asked, sent: Sequence[tuple[str, tuple[int, ...]]]) -> int:
    """Confirm all of them as they were read, or none."""
    with conn.transaction(force_rollback=asked.flag("dryRun")):
        there = {f"{each.kind}/{each.id}": each for each in fuse.waiting(conn) if each.confirmed_at is None}
        fits = [
            there[owner]
            for owner, shown in sent
            if owner in there and all(now <= then for now, then in zip(_counts(there[owner]), shown, strict=True))
        ]
        done = fuse.confirm(conn, fits, for_api=True) if fits else 0
        if done < len(sent):
            raise ProblemError(
                "conflict",
                f"{len(sent) - done} of {len(sent)} do not wait, or would lose more than you have seen: read again; "
                "nothing was confirmed",
            )
        return done


def _document(conn: psycopg.Connection) -> dict[str, Any]:
    leader, state, waiting = lookups.leader(conn), fuse.controller_state(conn), fuse.waiting(conn)
    assert state is not None
    names = controls.names(conn)
    return {
        "leader": {
            "holder": leader.holder,
            "since": state.leading_since,
            "epoch": leader.epoch,
            "renewedAt": leader.renewed_at,
            "engineSeenAt": leader.engine_seen_at,
            "alive": leader.alive,
            "reachesEngine": leader.reaches_engine,
        },
        "queue": {"changes": state.changes, "oldestAt": state.oldest_change, "behind": state.behind},
        "fuse": {
            "heldSince": state.held_since,
            "live": state.live,
            "waiting": [_waiting(each) for each in waiting],
        },
        "pauses": [
            {"scope": each.scope, "path": names.get(each.id), "reason": each.reason, "by": each.by, "at": each.at}
            for each in controls.pauses(conn)
        ],
    }


def _waiting(each: Waiting) -> dict[str, Any]:
    return {
        "owner": f"{each.kind}/{each.id}",
        "path": each.name or None,
        "why": each.why,
        "loses": each.loses,
        **dict(zip(_COUNTS, _counts(each), strict=True)),
        "since": each.since,
        "confirmedAt": each.confirmed_at,
        "confirmedBy": each.confirmed_by,
    }


def _counts(each: Waiting) -> tuple[int, ...]:
    return each.objects, each.processes, each.hosts


def _sent(body: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Owner and counts of each that is sent; whatever else was read with it may be sent back.

    Raises:
        InvalidSpec: it is not so; says where.
    """
    owners = body.get("owners") if isinstance(body, dict) and set(body) == {"owners"} else None
    if not isinstance(owners, list) or not 0 < len(owners) <= _MOST:
        raise InvalidSpec([Problem("owners", None, "is no list of what waits", "send items of waiting", ("owners",))])
    found: dict[str, tuple[int, ...]] = {}
    problems = []
    for place, each in enumerate(owners):
        counts: tuple[Any, ...] = tuple(each.get(name) for name in _COUNTS) if isinstance(each, dict) else ()
        whole = bool(counts) and all(type(one) is int and 0 <= one < 2**31 for one in counts)
        if not whole or not isinstance(each.get("owner"), str):
            hint = f"send owner, {', '.join(_COUNTS)} as they were read"
            problems.append(Problem("", None, "is not what waits", hint, ("owners", place)))
            continue
        found[each["owner"]] = counts
    if problems:
        raise InvalidSpec(problems)
    return list(found.items())


_WAITS = {
    "owner": f"{KINDS[SERVES].word()}/0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30",
    "path": SERVES_AT,
    "why": "absent",
    "loses": "2 objects",
    "objects": 2,
    "processes": 0,
    "hosts": 0,
    "since": "2026-11-28T09:00:00Z",
    "confirmedAt": None,
    "confirmedBy": None,
}
_EXAMPLE = {
    "leader": {
        "holder": "manager-1:4711",
        "since": "2026-11-28T08:00:00Z",
        "epoch": 1795849200123001,
        "renewedAt": "2026-11-28T09:00:00Z",
        "engineSeenAt": "2026-11-28T09:00:00Z",
        "alive": True,
        "reachesEngine": True,
    },
    "queue": {"changes": 0, "oldestAt": None, "behind": 0},
    "fuse": {"heldSince": "2026-11-28T09:00:00Z", "live": 120, "waiting": [_WAITS]},
    "pauses": [],
}
_ANSWERS = {
    "type": "object",
    "required": ["leader", "queue", "fuse", "pauses"],
    "properties": {
        "leader": {"type": "object", "required": ["holder", "since", "alive", "reachesEngine"]},
        "queue": {"type": "object", "required": ["changes", "oldestAt", "behind"]},
        "fuse": {
            "type": "object",
            "required": ["heldSince", "live", "waiting"],
            "properties": {"waiting": {"type": "array", "items": {"type": "object", "required": ["owner", *_COUNTS]}}},
        },
        "pauses": {"type": "array", "items": {"type": "object", "required": ["scope", "path", "by", "at"]}},
    },
}
_COUNT = {"type": "integer", "minimum": 0}
_TAKES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["owners"],
    "properties": {
        "owners": {
            "type": "array",
            "minItems": 1,
            "maxItems": _MOST,
            "items": {
                "type": "object",
                "required": ["owner", *_COUNTS],
                "properties": {"owner": {"type": "string"}, **dict.fromkeys(_COUNTS, _COUNT)},
            },
        }
    },
}

OPERATIONS = [
    Operation(
        "GET", _ADDRESS, "getController", "admin: controller", "Say who leads, what waits, and what is held back.",
        _state, _EXAMPLE, answers=_ANSWERS, problems=("not-found",),
        means="`queue.changes` are written and not looked at yet, since `oldestAt`; `behind` are objects of which "
        "nothing was said in their present generation, or that are not removed yet. `fuse.waiting` waits for a "
        "confirmation.",
    ),
    Operation(
        "POST", f"{_ADDRESS}/confirm", "confirmRemovals", "admin: controller",
        "Confirm removals that the fuse holds back, as they were read.", _confirm,
        {**_EXAMPLE, "written": {"confirmed": 1}}, answers=_ANSWERS, takes=_TAKES, sent={"owners": [_WAITS]},
        forms=(JSON,), writes=True, parameters=(shared.DRY_RUN, shared.IDEMPOTENCY_KEY),
        problems=("not-found", "invalid", "conflict", "in-progress", "key-reused"),
        means="Send items of `fuse.waiting` as you have read them: all are confirmed, or none where one of them would "
        "lose more by now. If the rows should exist, restore them instead.",
    ),
]  # fmt: skip
