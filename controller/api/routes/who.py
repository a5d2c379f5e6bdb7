"""Who calls, and what he may do."""

from __future__ import annotations

from typing import Any

from controller.actions.errors import ActionError
from controller.actions.paths import full_path, kind_of
from controller.api.asked import Answer, Asked
from controller.api.examples import SERVES, SERVES_AT
from controller.api.operations import Operation, Parameter
from controller.api.problems import Fault, ProblemError
from specs.kinds import KINDS, TENANT_WORD
from specs.permits import VERBS

_WHO: dict[str, Any] = {
    "actor": "ops@acme.example", "means": "token", "role": "owner", "platform": False,
    TENANT_WORD: {"id": "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30", "name": "acme"}, "https": True,
}  # fmt: skip
_KINDS = [cls.word() for cls in KINDS.values()]


def _whoami(asked: Asked) -> Answer:
    caller = asked.caller
    organization = None
    if caller.organization is not None:
        organization = {"id": caller.organization, "name": caller.organization_slug}
    said = {"actor": caller.actor, "means": caller.means, "role": str(caller.role), "platform": caller.platform}
    return Answer({**said, TENANT_WORD: organization, "https": bool(asked.settings.skypanel_edge_cert_resolver)})


def _can(asked: Asked) -> Answer:
    try:
        kind = kind_of(asked.query["kind"])
        path = full_path(kind, asked.query["path"]) if asked.query.get("path") else ()
    except ActionError as error:
        raise ProblemError("malformed", str(error), [Fault(error.hint, parameter="kind")]) from None
    verb = asked.query["verb"]
    return Answer(
        {"verb": verb, "kind": kind, "path": "/".join(path), "may": asked.access.may(asked.caller, verb, kind, path)}
    )


OPERATIONS = [
    Operation("GET", "/api/whoami", "whoami", "access", "Say who this token is, and where it acts.", _whoami, _WHO,
        means="`https`: whether environments are answered with TLS.",
        answers={
            "type": "object", "required": ["actor", "means", "role", "platform", TENANT_WORD, "https"],
            "properties": {
                "actor": {"type": "string"}, "means": {"type": "string"}, "role": {"type": "string"},
                "platform": {"type": "boolean"}, "https": {"type": "boolean"},
                TENANT_WORD: {
                    "type": ["object", "null"], "required": ["id", "name"],
                    "properties": {"id": {"type": "string"}, "name": {"type": "string"}},
                },
            },
        },
    ),
    Operation(
        "GET", "/api/can", "can", "access", "Say whether this token may do something with an object.", _can,
        {"verb": "deploy", "kind": SERVES, "path": SERVES_AT, "may": True},
        parameters=(
            Parameter("verb", "What is to be done.", {"type": "string", "enum": list(VERBS)}, required=True),
            Parameter("kind", "With what; a kind in any form.", {"type": "string", "enum": _KINDS}, required=True),
            Parameter("path", "Its names, such as acme/shop/production; with any of the kind when left out."),
        ),
        problems=("malformed",),
    ),
]  # fmt: skip
