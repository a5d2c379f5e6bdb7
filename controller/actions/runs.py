"""Runs: have a command run once, ask that it stops, and how far it is."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psycopg
from pydantic import ValidationError

from controller.actions.apply import apply
from controller.actions.change import Said
from controller.actions.errors import ActionError
from controller.actions.run_ends import Ended, until_over
from controller.actions.wait import POLL_SECONDS
from controller.declared import readiness
from controller.declared.reader import DeclaredObject
from controller.declared.readiness import Progress
from controller.declared.writer import Written
from reconcilers.ports import Options
from specs.kinds import KINDS, RUN, ancestors
from specs.problems import problems_of
from specs.yaml_syntax import Position

OWNER = KINDS[RUN].binding.parent or ""
"""The kind that runs are made in."""
STOPPED = {"stopped": True}
"""What a spec says of one that is to be stopped."""
_CHARACTERS = 12


def name_of(*said: str) -> str:
    """A name for a run: another one each time, or the same for the same that is ``said``."""
    if not said:
        return f"run-{secrets.token_hex(_CHARACTERS // 2)}"
    return f"run-{hashlib.sha256(chr(0).join(said).encode()).hexdigest()[:_CHARACTERS]}"


def make(
    conn: psycopg.Connection, owner: DeclaredObject, spec: Mapping[str, Any], options: Options, name: str = ""
) -> Written:
    """Have a command run once in ``owner``.

    Args:
        conn: the database.
        owner: what it runs in.
        spec: of the run, in the names of YAML.
        options: as far as they are known here.
        name: of the run; empty: one is made.

    Raises:
        ActionError: the spec breaks a rule.
        SpecRefused: it is refused; nothing was written.
    """
    if owner.deleted_at is not None:
        raise ActionError(f"{owner.name} is deleted", f"`skypanel restore {owner.kind.lower()} {owner.name}`")
    cls = KINDS[RUN]
    words = [KINDS[each].word() for each in ancestors(RUN)]
    metadata = {"name": name or name_of(), **dict(zip(words, owner.path, strict=True))}
    document = {"kind": RUN, "metadata": metadata, "spec": dict(spec)}
    try:
        resource = cls.model_validate(document)
    except ValidationError as error:
        problem = problems_of(error, model=cls, document=document)[0]
        raise ActionError(f"{problem.field.removeprefix('spec.')}: {problem.message}", problem.hint) from None
    return apply(conn, [Said(resource, "", Position(1, 1))], options)[0]


def follow(conn: psycopg.Connection, written: Written, show: Callable[[Sequence[Progress]], None]) -> Ended:
    """Wait until it is over, for as long as that takes.

    Args:
        conn: a connection that is not in a transaction.
        written: the run.
        show: is given how far it is, at each look.
    """
    assert written.id is not None
    key = KINDS[RUN].word(), written.id
    return until_over(lambda: readiness.progress(conn, [key]), show, POLL_SECONDS)
