"""Makes an app of a template: app, environment, processes and config vars, all of them in one transaction or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from pydantic import ValidationError

from controller.actions import config
from controller.actions.apply import apply
from controller.actions.backend import NewApp
from controller.actions.config import Assignment
from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.declared import reader
from controller.declared.outlast import outlasting
from controller.declared.writer import Written
from controller.vault.vault import Vault
from reconcilers.ports import Options
from specs import templates
from specs.kinds import KINDS, TEMPLATE
from specs.loader import Located
from specs.problems import InvalidSpec, RefusedError, problems_of
from specs.yaml_syntax import Position

MADE = tuple(cls.kind_name() for cls in templates.MADE)
"""Kinds of what is made: whoever deploys has to be permitted to write them, and config vars of the second one."""


@dataclass(frozen=True, slots=True)
class Made:
    """What was made.

    Args:
        written: objects, owners first.
        variables: names of config vars.
    """

    written: Sequence[Written]
    variables: Sequence[str]


@outlasting
def deploy(conn: psycopg.Connection, wanted: NewApp, vault: Vault, options: Options, *, dry_run: bool = False) -> Made:
    """Make it; with ``dry_run`` nothing is left of it.

    Raises:
        ActionError: there is no such template, it cannot run, the app is there, or a config var is missing or refused.
        InvalidSpec: a name is none.
        SpecRefused: the database refuses it; nothing was made.
        ExpectedError: there is no key to seal values with.
    """
    with conn.transaction(force_rollback=dry_run):
        template = find_one(conn, TEMPLATE, (wanted.template,))
        try:
            declared: Any = KINDS[TEMPLATE].model_validate(template.document())
            templates.refuse_what_cannot_run(declared)
            values = templates.variables(declared, wanted.config)
        except (ValidationError, InvalidSpec) as error:
            raise ActionError(f"template {wanted.template} breaks a rule: {_first(error)}") from None
        except RefusedError as error:
            raise ActionError(error.message, error.hint) from None
        _refuse_what_is_there(conn, wanted)
        written = apply(conn, _entries(declared, wanted), options)
        if values:
            where = config.place(conn, f"{wanted.organization}/{wanted.app}/{wanted.environment}")
            config.assign(conn, vault, where, [Assignment(name, value.encode()) for name, value in values.items()])
        return Made(written, sorted(values))


def _entries(declared: Any, wanted: NewApp) -> list[Located]:
    try:
        made = templates.resources(declared, wanted.organization, wanted.app, wanted.environment, wanted.plan)
    except ValidationError as error:
        raise ActionError(f"it cannot be made: {_first(error)}") from None
    return [Located(each, KINDS[TEMPLATE].word(), Position(1, 1)) for each in made]


def _refuse_what_is_there(conn: psycopg.Connection, wanted: NewApp) -> None:
    kind = MADE[0]
    path = (wanted.organization, wanted.app)
    if any(each.deleted_at is None for each in reader.objects(conn, kind, path)):
        raise ActionError(
            f"{KINDS[kind].word()} {'/'.join(path)} is there already", "choose another name: nothing of it is touched"
        )


def _first(error: ValidationError | InvalidSpec) -> str:
    found = error.problems if isinstance(error, InvalidSpec) else problems_of(error)
    return f"{found[0].field}: {found[0].message}" if found else "it cannot be read"
