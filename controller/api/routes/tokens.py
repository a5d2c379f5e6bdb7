"""API tokens of an organization, and of the platform: listed, made, rotated, revoked.

A token is in the answer of who asked for it, once. What is remembered for an ``Idempotency-Key`` is that answer without
it. Nobody gives away more than he has: neither by a new token, nor by taking over one by its rotation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import psycopg

from controller.access import token_rows
from controller.access.roles import Role, Verb
from controller.access.token_rows import TokenRow
from controller.actions import tokens
from controller.actions.errors import ActionError
from controller.api import places
from controller.api.asked import Answer, Asked
from controller.api.body import JSON
from controller.api.operations import BOOLEAN, Operation, Parameter
from controller.api.problems import Fault, ProblemError, not_found
from controller.api.routes import shared
from specs.kinds import TENANT
from specs.problems import InvalidSpec, Problem

_WRITTEN = ("not-found", "invalid", "conflict", "in-progress", "key-reused")
_PARAMETERS = (shared.DRY_RUN, shared.IDEMPOTENCY_KEY)
_MOST = 100
_EVERY = Parameter("all", "`true`: those that expired or were revoked, too.", BOOLEAN)


def made() -> list[Operation]:
    """Of an organization, and of the platform."""
    return [
        *_of(places.address("paas", TENANT), "paas", "", f"one {TENANT.lower()}"),
        *_of(f"{places.PREFIX}/admin", "admin", "OfPlatform", "the platform"),
    ]


def _of(above: str, area: str, suffix: str, whose: str) -> list[Operation]:
    address, one, group = f"{above}/tokens", f"{above}/tokens/{{token}}", f"{area}: API tokens"
    own = area == "paas"
    role = str(Role.MEMBER if own else Role.PLATFORM_VIEWER)
    example = {**_EXAMPLE, "role": role} if own else {**_EXAMPLE, "role": role, "organization": None, "apps": None}
    sent = {"name": "ci-deploy", "verbs": ["read", "deploy"], "expires": "30d", **({"apps": ["shop"]} if own else {})}
    given = {**example, "token": _SHOWN}
    return [
        Operation(
            "GET", address, f"listTokens{suffix}", group, f"List the API tokens of {whose}; never a token.",
            partial(_list, own), {"items": [example]}, parameters=(_EVERY,), problems=("forbidden", "not-found"),
            answers={"type": "object", "required": ["items"],
                     "properties": {"items": {"type": "array", "items": _TOKEN}}},
        ),
        Operation(
            "POST", address, f"createToken{suffix}", group, f"Make an API token of {whose}, and answer it this once.",
            partial(_create, own), given, sent=sent, takes=_TAKES, answers=_GIVEN, forms=(JSON,), writes=True,
            parameters=_PARAMETERS, problems=_WRITTEN, status=201,
            means="A machine's, with a role of its own; `mine`: never more than you are at that moment. It may no more "
            "than you, whatever is asked for, and ends with the token that you came with at the latest. With an "
            "`Idempotency-Key` that was used before `token` is null.",
        ),
        Operation(
            "GET", one, f"getToken{suffix}", group, "Read what one API token is limited to, and when it was used.",
            partial(_get, own), example, answers=_TOKEN, problems=("forbidden", "not-found"),
        ),
        Operation(
            "POST", f"{one}/rotate", f"rotateToken{suffix}", group, "Replace an API token by a new one of its limits.",
            partial(_rotate, own), given, sent={"overlap": "1h"}, takes=_ROTATES, answers=_GIVEN, forms=(JSON,),
            optional=True, writes=True, parameters=_PARAMETERS, problems=_WRITTEN,
            means="It is answered this once. The old one is good for `overlap` more, 24h when left out.",
        ),
        Operation(
            "DELETE", one, f"revokeToken{suffix}", group, "End an API token at once, with the one that it replaced.",
            partial(_revoke, own), {**example, "state": "revoked"}, answers=_TOKEN, writes=True,
            parameters=_PARAMETERS, problems=_WRITTEN, means="For good. It stays on record.",
        ),
    ]  # fmt: skip


def _list(own: bool, asked: Asked) -> Answer:
    found = token_rows.seen(asked.conn, _tenant(own, asked), every=asked.flag("all"))
    return Answer({"items": [tokens.document(each) for each in found]})


def _get(own: bool, asked: Asked) -> Answer:
    return Answer(tokens.document(_found(own, asked)))


def _create(own: bool, asked: Asked) -> Answer:
    tenant = _tenant(own, asked)
    wanted = _wanted(asked, tenant)
    if not asked.access.within(asked.caller, _role_of(wanted), wanted.apps, wanted.verbs):
        raise _too_much()
    return _given(asked, tenant, lambda conn: tokens.create(conn, wanted), 201)


def _rotate(own: bool, asked: Asked) -> Answer:
    said = _checked(shared.fields(asked.body, {"overlap": str, "expires": str}))
    found = _found(own, asked)
    if found.user_id is not None and not asked.caller.platform and _me(asked) != found.user_id:
        raise ProblemError("forbidden", "it is another user's, who alone may have another one")
    if not asked.access.within(asked.caller, found.role, found.apps or (), found.verbs or ()):
        raise _too_much()
    tenant = found.organization or ""
    overlap, expires, until = said.get("overlap", "24h"), said.get("expires", ""), asked.caller.until
    _refuse_outliving(said, until)
    return _given(asked, tenant, lambda conn: tokens.rotate(conn, found.id, overlap, expires, until), 200)


def _revoke(own: bool, asked: Asked) -> Answer:
    found = _found(own, asked)
    with asked.conn.transaction(force_rollback=asked.flag("dryRun")):
        tokens.revoke(asked.conn, found.id)
    if asked.flag("dryRun"):
        return Answer({"changed": True, "rows": []})
    return Answer(tokens.document(_found(own, asked)))


def _given(asked: Asked, tenant: str, make: Callable[[psycopg.Connection], tokens.Made], status: int) -> Answer:
    """The new token, and all that is no secret of it."""
    with asked.conn.transaction(force_rollback=asked.flag("dryRun")):
        made = make(asked.conn)
        (row,) = token_rows.seen(asked.conn, tenant, made.id, every=True)
    if asked.flag("dryRun"):
        return Answer({"changed": True, "rows": []})
    document = tokens.document(row)
    headers = {"Location": f"{asked.address}/{row.id}"} if status == 201 else {}
    return Answer({**document, "token": made.token}, status, headers, kept={**document, "token": None})


def _tenant(own: bool, asked: Asked) -> str:
    """The organization of the address; empty: the platform. The caller manages its tokens."""
    if own:
        path = shared.place(asked, TENANT, Verb.ADMIN)
        shared.found(asked, TENANT, path)
        return path[0]
    asked.refuse_unless(Verb.ADMIN, TENANT, ())
    if not asked.caller.platform:
        raise ProblemError("forbidden", "tokens of the platform are its administrators'")
    return ""


def _found(own: bool, asked: Asked) -> TokenRow:
    found = token_rows.seen(asked.conn, _tenant(own, asked), asked.names["token"], every=True)
    if not found:
        raise not_found()
    return found[0]


def _me(asked: Asked) -> Any:
    """The user that the caller is himself."""
    return None if asked.caller.impersonator else asked.caller.user_id


def _too_much() -> ProblemError:
    hint = "name a role and verbs that you have yourself"
    return ProblemError("forbidden", "it may more than you, so it is not yours to give", [Fault(hint)])


# -- what is sent --------------------------------------------------------------------------------------------------


def _wanted(asked: Asked, tenant: str) -> tokens.Asked:
    known = {"name": str, "role": str, "apps": list, "verbs": list, "expires": str, "mine": bool}
    said = _checked(shared.fields(asked.body, known))
    _refuse_outliving(said, asked.caller.until)
    if "name" not in said:
        raise InvalidSpec([Problem("name", None, "is required", "such as ci-deploy", ("name",))])
    user = _me(asked) if said.get("mine") else ""
    if user is None:
        hint = "leave mine out: then it is a machine's"
        raise InvalidSpec([Problem("mine", None, "you are no user who calls by himself", hint, ("mine",))])
    role = said.get("role", "")
    if user and not role:  # no more than he is here, which may be less than he is elsewhere
        role = str(Role.OWNER if tenant and asked.caller.role.of_platform else asked.caller.role)
    return tokens.Asked(
        said["name"], tenant, user, role, said.get("apps", ()), said.get("verbs", ()),
        said.get("expires", f"{tokens.DEFAULT_DAYS}d"), asked.caller.until,
    )  # fmt: skip


def _refuse_outliving(said: Mapping[str, Any], until: datetime | None) -> None:
    """Have nothing end after what its maker came with. Who names no time is given what there is.

    Raises:
        InvalidSpec: it would.
    """
    if until is None or "expires" not in said:
        return
    if datetime.now(UTC) + tokens.duration(said["expires"], "expires", tokens.LONGEST) > until:
        hint = f"what you came with ends at {until:%Y-%m-%d %H:%M} UTC: name a shorter time, or none"
        raise InvalidSpec([Problem("expires", None, "is longer than you yourself are let in", hint, ("expires",))])


def _role_of(wanted: tokens.Asked) -> str:
    """As ``create`` takes it."""
    if wanted.role:
        return wanted.role
    return str(Role.MEMBER if wanted.organization else Role.PLATFORM_VIEWER)


def _checked(said: dict[str, Any]) -> dict[str, Any]:
    """With words that are none refused, each by its pointer."""
    problems = [
        Problem(name, None, f"is no list of {_MOST} words at most", "", (name,))
        for name in ("apps", "verbs")
        if len(words := said.get(name, [])) > _MOST or not all(isinstance(w, str) and w.isprintable() for w in words)
    ]
    looks: list[tuple[tuple[str | int, ...], Callable[[], object]]] = []
    if "role" in said:
        looks.append((("role",), partial(tokens.role_of, said["role"])))
    if not problems:
        looks += [(("verbs", at), partial(tokens.verb_of, word)) for at, word in enumerate(said.get("verbs", ()))]
    for name, longest in (("expires", tokens.LONGEST), ("overlap", tokens.LONGEST_OVERLAP)):
        if name in said and (name, said[name]) not in (("overlap", "0"), ("overlap", "0s")):
            looks.append(((name,), partial(tokens.duration, said[name], name, longest)))
    for path, look in looks:
        try:
            look()
        except ActionError as error:
            problems.append(Problem(str(path[0]), None, str(error), error.hint, path))
    if problems:
        raise InvalidSpec(problems)
    return said


_SHOWN = "skp_3fJq0vT9xYbK_(43 characters of secret, and 6 that check it)"
_EXAMPLE: dict[str, Any] = {
    "id": "3fJq0vT9xYbK", "name": "ci-deploy", "organization": "acme", "user": None, "role": "member",
    "apps": ["shop"], "verbs": ["read", "deploy"], "state": "good", "madeAt": "2026-11-28T09:00:00Z",
    "madeBy": "ops@acme.example", "expiresAt": "2026-12-28T09:00:00Z", "replacesUntil": None, "revokedAt": None,
    "usedAt": None, "usedFrom": None,
}  # fmt: skip
_TEXT, _MAYBE = {"type": "string"}, {"type": ["string", "null"]}
_TEXTS = {"type": ["array", "null"], "items": _TEXT}
_TOKEN: dict[str, Any] = {
    "type": "object",
    "required": ["id", "name", "role", "state", "expiresAt"],
    "properties": {
        **dict.fromkeys(("id", "name", "role", "madeAt", "madeBy", "expiresAt"), _TEXT),
        **dict.fromkeys(("organization", "user", "replacesUntil", "revokedAt", "usedAt", "usedFrom"), _MAYBE),
        **dict.fromkeys(("apps", "verbs"), _TEXTS),
        "state": {"enum": ["good", "expired", "revoked"]},
    },
}
_GIVEN = {**_TOKEN, "properties": {**_TOKEN["properties"], "token": {**_MAYBE, "description": "Shown this once."}}}
_DURATION = {"type": "string", "pattern": "^[0-9]{1,8}[dhms]$"}
_TAKES = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"},
        "role": {"enum": [str(role) for role in Role]},
        "apps": {"type": "array", "items": _TEXT},
        "verbs": {"type": "array", "items": {"enum": [str(verb) for verb in Verb]}},
        "expires": _DURATION,
        "mine": {"type": "boolean"},
    },
}
_ROTATES = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"overlap": {"type": "string", "pattern": "^(0|[0-9]{1,8}[dhms])$"}, "expires": _DURATION},
}
