"""Role bindings of an organization, and of the platform: which tokens of an issuer have which role.

Nobody gives away more than he has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from controller.access import binding_rows
from controller.access.binding_rows import BindingRow
from controller.access.roles import Role, Verb
from controller.actions import bindings
from controller.actions.errors import ActionError
from controller.actions.tokens import role_of, verb_of
from controller.api import places
from controller.api.asked import Answer, Asked
from controller.api.body import JSON
from controller.api.operations import Operation
from controller.api.problems import Fault, ProblemError, not_found
from controller.api.routes import shared
from specs.kinds import TENANT
from specs.problems import InvalidSpec, Problem

_WRITTEN = ("not-found", "invalid", "conflict", "in-progress", "key-reused")
_PARAMETERS = (shared.DRY_RUN, shared.IDEMPOTENCY_KEY)
_MOST = 100


def made() -> list[Operation]:
    """Of an organization, and of the platform."""
    return [
        *_of(places.address("paas", TENANT), "paas", "", f"one {TENANT.lower()}"),
        *_of(f"{places.PREFIX}/admin", "admin", "OfPlatform", "the platform"),
    ]


def _of(above: str, area: str, suffix: str, whose: str) -> list[Operation]:
    address, one, group = f"{above}/bindings", f"{above}/bindings/{{binding}}", f"{area}: role bindings"
    own = area == "paas"
    limits = {"apps": ["shop"], "verbs": ["read", "deploy"]} if own else {}
    role = str(Role.MEMBER if own else Role.PLATFORM_VIEWER)
    sent = {
        "name": _EXAMPLE["name"],
        "issuer": _EXAMPLE["issuer"],
        "claims": _EXAMPLE["claims"],
        "role": role,
        **limits,
    }
    example = {**_EXAMPLE, "role": role, "organization": "acme" if own else None, "apps": None, "verbs": None, **limits}
    return [
        Operation(
            "GET", address, f"listBindings{suffix}", group, f"List the role bindings of {whose}.",
            partial(_list, own), {"items": [example]}, problems=("forbidden", "not-found"),
            answers={"type": "object", "required": ["items"],
                     "properties": {"items": {"type": "array", "items": _BINDING}}},
        ),
        Operation(
            "POST", address, f"createBinding{suffix}", group, f"Give tokens of an issuer a role of {whose}.",
            partial(_create, own), example, sent=sent, takes=_TAKES, answers=_BINDING, forms=(JSON,), writes=True,
            parameters=_PARAMETERS, problems=_WRITTEN, status=201,
            means="Those have it that have every claim: one of its values, as it is. The issuer is one that the "
            "operator trusts. It may no more than you, and ends with the token that you came with.",
        ),
        Operation(
            "GET", one, f"getBinding{suffix}", group, "Read which tokens a role binding is for, and what they may.",
            partial(_get, own), example, answers=_BINDING, problems=("forbidden", "not-found"),
        ),
        Operation(
            "DELETE", one, f"deleteBinding{suffix}", group, "Remove a role binding: its tokens have no role by it.",
            partial(_delete, own), example, answers=_BINDING, writes=True, parameters=_PARAMETERS, problems=_WRITTEN,
        ),
    ]  # fmt: skip


def _list(own: bool, asked: Asked) -> Answer:
    return Answer({"items": [bindings.document(each) for each in binding_rows.listed(asked.conn, _tenant(own, asked))]})


def _get(own: bool, asked: Asked) -> Answer:
    return Answer(bindings.document(_found(own, asked)))


def _create(own: bool, asked: Asked) -> Answer:
    tenant = _tenant(own, asked)
    wanted = _wanted(asked, tenant)
    if not asked.access.within(asked.caller, wanted.role_or_default, wanted.apps, wanted.verbs):
        hint = "name a role and verbs that you have yourself"
        raise ProblemError("forbidden", "its tokens could do more than you, so it is not yours to make", [Fault(hint)])
    with asked.conn.transaction(force_rollback=asked.flag("dryRun")):
        bindings.create(asked.conn, wanted, asked.settings.skypanel_oidc_issuers)
        (row,) = binding_rows.listed(asked.conn, tenant, wanted.name)
    if asked.flag("dryRun"):
        return Answer({"changed": True, "rows": []})
    return Answer(bindings.document(row), 201, {"Location": f"{asked.address}/{row.name}"})


def _delete(own: bool, asked: Asked) -> Answer:
    found = _found(own, asked)
    with asked.conn.transaction(force_rollback=asked.flag("dryRun")):
        bindings.remove(asked.conn, found.organization or "", found.name)
    return Answer({"changed": True, "rows": []} if asked.flag("dryRun") else bindings.document(found))


def _tenant(own: bool, asked: Asked) -> str:
    """The organization of the address; empty: the platform. The caller manages who may do what there."""
    if own:
        path = shared.place(asked, TENANT, Verb.ADMIN)
        shared.found(asked, TENANT, path)
        return path[0]
    asked.refuse_unless(Verb.ADMIN, TENANT, ())
    if not asked.caller.platform:
        raise ProblemError("forbidden", "bindings of the platform are its administrators'")
    return ""


def _found(own: bool, asked: Asked) -> BindingRow:
    found = binding_rows.listed(asked.conn, _tenant(own, asked), asked.names["binding"])
    if not found:
        raise not_found()
    return found[0]


# -- what is sent --------------------------------------------------------------------------------------------------


def _wanted(asked: Asked, tenant: str) -> bindings.Asked:
    known = {"name": str, "issuer": str, "claims": dict, "role": str, "apps": list, "verbs": list}
    said = shared.fields(asked.body, known)
    problems = [
        Problem(name, None, "is required", hint, (name,))
        for name, hint in (("name", "such as ci-deploy"), ("claims", "such as repository: [acme/shop]"))
        if name not in said
    ]
    problems += [
        Problem(name, None, f"is no list of {_MOST} words at most", "", (name,))
        for name in ("apps", "verbs")
        if len(said.get(name, [])) > _MOST or not _are_words(said.get(name, []))
    ]
    claims = {name: [value] if isinstance(value, str) else value for name, value in said.get("claims", {}).items()}
    problems += [
        Problem("claims", None, "is no text and no list of texts", "", ("claims", name))
        for name, values in claims.items()
        if not (isinstance(values, list) and _are_words(values))
    ]
    looks: list[tuple[tuple[str | int, ...], Callable[[], object]]] = []
    if "role" in said:
        looks.append((("role",), partial(role_of, said["role"])))
    if not problems:
        looks += [(("verbs", at), partial(verb_of, word)) for at, word in enumerate(said.get("verbs", ()))]
        looks.append((("claims",), partial(bindings.check_claims, said.get("issuer", ""), claims)))
    for path, look in looks:
        try:
            look()
        except ActionError as error:
            problems.append(Problem(str(path[0]), None, str(error), error.hint, path))
    if problems:
        raise InvalidSpec(problems)
    return bindings.Asked(
        said["name"], said.get("issuer", ""), claims, tenant, said.get("role", ""), said.get("apps", ()),
        said.get("verbs", ()), asked.caller.until,
    )  # fmt: skip


def _are_words(found: list[Any]) -> bool:
    return all(isinstance(word, str) and word.isprintable() for word in found)


_EXAMPLE: dict[str, Any] = {
    "name": "ci-deploy", "organization": "acme", "issuer": "https://token.actions.githubusercontent.com",
    "claims": {"repository": ["acme/shop"], "ref": ["refs/heads/main"]}, "role": "member", "apps": ["shop"],
    "verbs": ["read", "deploy"], "madeAt": "2026-11-28T09:00:00Z", "madeBy": "ops@acme.example", "expiresAt": None,
}  # fmt: skip
_TEXT, _MAYBE = {"type": "string"}, {"type": ["string", "null"]}
_TEXTS = {"type": ["array", "null"], "items": _TEXT}
_BINDING: dict[str, Any] = {
    "type": "object",
    "required": ["name", "issuer", "claims", "role"],
    "properties": {
        **dict.fromkeys(("name", "issuer", "role", "madeAt", "madeBy"), _TEXT),
        **dict.fromkeys(("organization", "expiresAt"), _MAYBE),
        "claims": {"type": "object", "additionalProperties": {"type": "array", "items": _TEXT}},
        **dict.fromkeys(("apps", "verbs"), _TEXTS),
    },
}
_TAKES = {
    "type": "object",
    "required": ["name", "claims"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"},
        "issuer": {**_TEXT, "description": "Left out where the operator trusts only one."},
        "claims": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": bindings.MOST_CLAIMS,
            "additionalProperties": {
                "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1, "maxItems": bindings.MOST_VALUES}]
            },
        },
        "role": {"enum": [str(role) for role in Role]},
        "apps": {"type": "array", "items": _TEXT},
        "verbs": {"type": "array", "items": {"enum": [str(verb) for verb in Verb]}},
    },
}
