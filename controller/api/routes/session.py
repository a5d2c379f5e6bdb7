"""Sessions of browsers: a token is exchanged for a cookie, which pages cannot read and other sites cannot use."""

from __future__ import annotations

from typing import Any

from controller.access.sessions import IDLE_HOURS, LONGEST_DAYS, MOST
from controller.api import cookies
from controller.api.asked import Answer, Asked
from controller.api.operations import BOOLEAN, Operation, Parameter
from controller.api.problems import Fault, ProblemError, not_found
from specs.kinds import TENANT_WORD

ADDRESS = "/api/session"


def _begin(asked: Asked) -> Answer:
    if not asked.settings.skypanel_console_origin:
        raise ProblemError("not-found", "there are no sessions here: the operator has named no console")
    if asked.caller.session:
        hint = "send a token in the header Authorization"
        raise ProblemError("forbidden", "a session is made of a token, and not of another session", [Fault(hint)])
    begun = asked.access.begin(asked.conn, asked.headers, asked.settings, asked.caller, asked.client)
    said = {**_who(asked), "session": begun.id, "expiresAt": begun.until}
    return Answer(said, 201, {"Set-Cookie": cookies.made(begun.cookie, begun.until), "Location": ADDRESS})


def _read(asked: Asked) -> Answer:
    caller = asked.caller
    return Answer({**_who(asked), "session": caller.session or None, "expiresAt": caller.ends or caller.until})


def _end(asked: Asked) -> Answer:
    caller = asked.caller
    if asked.flag("all"):
        ended = list(asked.access.end_all(asked.conn, caller))
    elif caller.session:
        asked.access.end(asked.conn, asked.headers)
        ended = [caller.session]
    else:
        raise not_found()
    return Answer({"ended": ended}, 200, {"Set-Cookie": cookies.GONE}, ends=ended)


def _who(asked: Asked) -> dict[str, Any]:
    caller = asked.caller
    here = {"id": caller.organization, "name": caller.organization_slug} if caller.organization is not None else None
    return {"actor": caller.actor, "role": str(caller.role), "platform": caller.platform, TENANT_WORD: here}


_MAYBE = {"type": ["string", "null"]}
_SESSION = {
    "type": "object",
    "required": ["actor", "session", "expiresAt"],
    "properties": {
        "actor": {"type": "string"},
        "role": {"type": "string"},
        "platform": {"type": "boolean"},
        "session": {**_MAYBE, "description": "Its id, which is no secret; null: you came with a token."},
        "expiresAt": {
            **_MAYBE,
            "format": "date-time",
            "description": "Of the session, or of the token; null: not known.",
        },
    },
}
_EXAMPLE: dict[str, Any] = {
    "actor": "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f31 ada@acme.example", "role": "owner", "platform": False,
    TENANT_WORD: {"id": "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30", "name": "acme"}, "session": "3fJq0vT9xYbK",
    "expiresAt": "2026-11-29T09:00:00Z",
}  # fmt: skip
_ALL = Parameter(
    "all", "`true`: all sessions of whoever asks, in every browser; with an API token, all of that token.", BOOLEAN
)

OPERATIONS = [
    Operation(
        "POST", ADDRESS, "beginSession", "access", "Exchange a token for a session of this browser.", _begin, _EXAMPLE,
        answers=_SESSION, status=201, problems=("not-found",), logs_in=True,
        means=f"The token is in the header; the answer sets the cookie `{cookies.NAME}`. The session ends when the "
        f"token does, after {LONGEST_DAYS} days, or when it was not used for {IDLE_HOURS} hours. It may what the token "
        f"may, as that is at each request. Of one person the newest {MOST} stay. For pages of the console alone, and "
        "where the operator has named it.",
    ),
    Operation(
        "GET", ADDRESS, "getSession", "access", "Say who is logged in, and until when.", _read, _EXAMPLE,
        answers=_SESSION,
    ),
    Operation(
        "DELETE", ADDRESS, "endSession", "access", "End this session, or all of yours.", _end,
        {"ended": ["3fJq0vT9xYbK"]}, parameters=(_ALL,), problems=("not-found",),
        answers={"type": "object", "required": ["ended"],
                 "properties": {"ended": {"type": "array", "items": {"type": "string"}}}},
    ),
]  # fmt: skip
