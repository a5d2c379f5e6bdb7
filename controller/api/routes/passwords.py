"""Passwords of registries' users: set, and given back by nothing, as `skypanel registries set` does it."""

from __future__ import annotations

from typing import Any

import psycopg

from controller.access.roles import Verb
from controller.actions import registries
from controller.actions.errors import ActionError
from controller.api import etags, places
from controller.api.asked import Answer, Asked, Waiting
from controller.api.body import JSON
from controller.api.examples import object_example
from controller.api.operations import Operation
from controller.api.problems import not_found
from controller.api.routes import objects, shared
from controller.declared.outlast import outlasting
from controller.declared.reader import DeclaredObject
from controller.declared.readiness import affected
from reconcilers.logins import Login
from specs.kinds import KINDS, LOGIN, TENANT
from specs.problems import InvalidSpec, Problem, RefusedError
from specs.registries import USERNAME_LIMIT, check_registry_host, check_username

_FIELDS = ("username", "password")


def made() -> list[Operation]:
    """Of the kind that signs in somewhere."""
    area = places.areas(LOGIN)[-1]
    return [
        Operation(
            "GET", f"{places.address(area, LOGIN)}/password", f"getPasswordOf{LOGIN}",
            f"{area}: {KINDS[LOGIN].plural()}", "Say whether a password is set, and since when; never the password.",
            _get, {"set": True, "version": 3, "changedAt": "2026-11-28T09:00:00Z"}, problems=("not-found",),
            answers={
                "type": "object", "required": ["set", "version", "changedAt"],
                "properties": {
                    "set": {"type": "boolean"}, "version": {"type": "integer"}, "changedAt": {"type": "string"},
                },
            },
        ),
        Operation(
            "PUT", f"{places.address(area, LOGIN)}/password", f"setPasswordOf{LOGIN}",
            f"{area}: {KINDS[LOGIN].plural()}", "Set the password that images of one host are pulled with.", _set,
            {**object_example(LOGIN), "written": {"version": 3}},
            answers={"$ref": f"#/components/schemas/{LOGIN}Object"}, sent={"username": "ci", "password": "..."},
            takes=_TAKES, forms=(JSON,), writes=True, problems=("not-found", "no-key", *objects.WRITTEN),
            parameters=(shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.IF_MATCH),
            means="With `username` it makes the user, or changes who he is, which needs `write` as well. No task is "
            "restarted; the controller then asks whether he is taken, which `wait` waits for. Give a password, or a "
            "token that lasts like one. Nothing gives it back.",
        )
    ]  # fmt: skip


def _get(asked: Asked) -> Answer:
    path = shared.place(asked, LOGIN, "read")
    shared.found(asked, LOGIN, path)
    found = next((each for each in registries.listed(asked.conn, path[0]) if each.registry == path[-1]), None)
    if found is None:
        raise not_found()
    return Answer({"set": found.sealed, "version": found.version, "changedAt": found.changed_at})


def _set(asked: Asked) -> Answer:
    path = shared.place(asked, LOGIN, Verb.CONFIG)
    if (found := shared.find(asked, TENANT, path[:1])) is None or found.deleted_at is not None:
        raise not_found()
    host, said = path[-1], _said(asked.body, path[-1])
    row, version = _written(asked.conn, asked, path, host, said)
    if asked.flag("dryRun"):
        return Answer({"changed": True, "rows": []})
    document = shared.answered(asked, [row])[0] | {"written": {"version": version}}
    seconds = shared.wait_seconds(asked.query)
    keys = affected(asked.conn, [(KINDS[LOGIN].word(), row.id, True)]) if seconds else []
    headers = {"ETag": etags.etag(row.generation)}
    return Answer(document, headers=headers, waiting=Waiting(keys, seconds) if seconds else None)


@outlasting
def _written(
    conn: psycopg.Connection, asked: Asked, path: tuple[str, ...], host: str, said: dict[str, str]
) -> tuple[DeclaredObject, int]:
    with conn.transaction(force_rollback=asked.flag("dryRun")):
        now = shared.held(conn, asked, LOGIN, path)
        if now is None and "username" not in said:
            raise not_found()
        etags.check(asked.headers, None if now is None else now.generation, required=False)
        before = "" if now is None else str(now.document()["spec"]["username"])
        login = Login(host, said.get("username", before), said["password"])
        if login.username != before:
            asked.refuse_unless("write", LOGIN, path)
        tenant = registries.organization(conn, path[0])
        version = registries.assign(conn, asked.settings.vault, tenant, login)
        return shared.found(asked, LOGIN, path), version


def _said(body: Any, host: str) -> dict[str, str]:
    """What is sent; no password is in any message.

    Raises:
        InvalidSpec: it is not right; says each field.
    """
    if not isinstance(body, dict):
        raise InvalidSpec([Problem("", None, "is no object", "send password, and username where he is new")])
    problems = [Problem(name, None, "is not a field here", "", (name,)) for name in body if name not in _FIELDS]
    problems += [Problem(n, None, "is no text", "", (n,)) for n in _FIELDS if not isinstance(body.get(n, ""), str)]
    if "password" not in body:
        problems.append(Problem("password", None, "is missing", "", ("password",)))
    if problems:
        raise InvalidSpec(problems)
    for text, check, at in ((host, check_registry_host, ()), (body.get("username"), check_username, ("username",))):
        try:
            if text is not None:
                check(text)
        except RefusedError as error:
            raise InvalidSpec([Problem("", None, error.message, error.hint, at)]) from None
    try:
        return {**body, "password": registries.password_of(body["password"].encode("utf-8", "surrogatepass"))}
    except ActionError as error:
        raise InvalidSpec([Problem("password", None, str(error), "", ("password",))]) from None


_TAKES = {
    "type": "object",
    "additionalProperties": False,
    "required": ["password"],
    "properties": {
        "username": {"type": "string", "minLength": 1, "maxLength": USERNAME_LIMIT},
        "password": {"type": "string", "minLength": 1, "maxLength": registries.LONGEST, "writeOnly": True},
    },
}
