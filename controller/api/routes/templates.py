"""Deployment of a template: a new app of an organization, with all that the template says of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.access.roles import Verb
from controller.actions.apply import concerned, written_document
from controller.actions.backend import ENVIRONMENT, NewApp
from controller.actions.templates import MADE, Made, deploy
from controller.actions.variables import CONFIG
from controller.api import places
from controller.api.asked import Answer, Asked, Waiting
from controller.api.body import JSON
from controller.api.examples import SERVES_AT, plan_example
from controller.api.operations import Operation
from controller.api.problems import not_found
from controller.api.routes import shared
from controller.api.tenants import saying
from specs.config import check_name
from specs.kinds import KINDS, TEMPLATE, TENANT
from specs.problems import InvalidSpec, Problem, RefusedError

_LONGEST = 32_768
_WORD = KINDS[TEMPLATE].word()
_AT = f"{places.address('paas', TENANT)}/{KINDS[TEMPLATE].plural()}/{{{_WORD}}}/deploy"
_APP, _ENVIRONMENT = (KINDS[kind].word() for kind in MADE[:2])


def _deploy(asked: Asked) -> Answer:
    tenant = shared.place(asked, TENANT, Verb.READ)[0]
    wanted = _wanted(asked, tenant)
    path = (tenant, wanted.app, wanted.environment)
    for kind, names in zip(MADE[:2], (path[:2], path), strict=True):
        asked.refuse_unless(Verb.WRITE, kind, names)
    asked.refuse_unless(Verb.CONFIG, MADE[1], path)
    found = shared.living(asked, TEMPLATE, (wanted.template,))
    if found is None or not shared.offered(asked, found):
        raise not_found()
    settings = asked.settings
    with saying(asked.conn, asked.query.get("reason", "")):
        made = deploy(asked.conn, wanted, settings.vault, settings.options, dry_run=asked.flag("dryRun"))
    if asked.flag("dryRun"):
        return Answer({"changed": True, **_said(made)})
    seconds = shared.wait_seconds(asked.query)
    waiting = Waiting(concerned(asked.conn, made.written), seconds, made.written) if seconds else None
    area = places.areas(MADE[1])[-1]
    return Answer(_said(made), 201, {"Location": places.place(area, MADE[1], path)}, waiting=waiting)


def _said(made: Made) -> dict[str, Any]:
    return {"rows": [written_document(each) for each in made.written], CONFIG: list(made.variables)}


def _wanted(asked: Asked, tenant: str) -> NewApp:
    body = asked.body
    if not isinstance(body, dict):
        raise InvalidSpec([Problem("", None, "is no object", f"send {_APP}")])
    said = shared.fields(
        {name: value for name, value in body.items() if name != CONFIG},
        {_APP: str, _ENVIRONMENT: str, "plan": str},
    )
    if not said.get(_APP):
        raise InvalidSpec([Problem(_APP, None, "is required", "a name that is free: blog", (_APP,))])
    return NewApp(
        asked.names[_WORD],
        tenant,
        said[_APP],
        said.get(_ENVIRONMENT) or ENVIRONMENT,
        said.get("plan", ""),
        _values(body.get(CONFIG, {})),
    )


def _values(said: Any) -> Mapping[str, str]:
    """Values of config vars; none of them is repeated."""
    if not isinstance(said, dict):
        raise InvalidSpec([Problem(CONFIG, None, "is no object", "send values by name", (CONFIG,))])
    problems = []
    for name, value in said.items():
        if not isinstance(value, str) or len(value) > _LONGEST or "\0" in value:
            problems.append(
                Problem(CONFIG, None, "is no text that a value can be", f"{_LONGEST} characters", (CONFIG, name))
            )
        try:
            check_name(name)
        except RefusedError as error:
            problems.append(Problem(CONFIG, None, error.message, error.hint, (CONFIG, name)))
    if problems:
        raise InvalidSpec(problems)
    return said


_EXAMPLE = {"rows": [{**row, "action": "created"} for row in plan_example()["rows"]], CONFIG: ["SECRET_KEY"]}
_NAME = {"type": "string", "minLength": 1, "maxLength": 63}

OPERATIONS = [
    Operation(
        "POST", _AT, "deployTemplate", f"paas: {KINDS[TEMPLATE].plural()}",
        "Make a new app of a template: all that it says of one, or nothing.", _deploy, _EXAMPLE,
        forms=(JSON,), writes=True, status=201,
        sent={_APP: SERVES_AT.split("/")[1], CONFIG: {"ADMIN_EMAIL": "ops@acme.example"}},
        takes={
            "type": "object", "additionalProperties": False, "required": [_APP],
            "properties": {
                _APP: _NAME, _ENVIRONMENT: _NAME, "plan": _NAME,
                CONFIG: {"type": "object", "additionalProperties": {"type": "string", "maxLength": _LONGEST}},
            },
        },
        parameters=(shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.REASON),
        problems=("not-found", "invalid", "conflict", "in-progress", "key-reused", "no-key"),
        means="`config` has values of the config vars that the template asks for, and others of its own if you like. "
        "Secrets that it has made are sealed at once, and in no answer. What becomes of the template later changes "
        "nothing of it.",
    )
]  # fmt: skip
