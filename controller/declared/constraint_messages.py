"""What PostgreSQL's refusals of a spec mean, in the words of somebody who writes specs.

SpecRefused   one or more resources cannot be written; nothing was
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import errors

from specs.facts import SAID
from specs.kinds import KINDS

_MEANINGS = {constraint: said for cls in KINDS.values() for constraint, said in cls.facts.refusals.items()}
_SORTS = {
    errors.UniqueViolation: "already exists",
    errors.RestrictViolation: "something still refers to it",  # PostgreSQL 18; before, a foreign key's
    errors.ForeignKeyViolation: "something that it refers to is missing, or something still refers to it",
    errors.NotNullViolation: "a value is missing",
    errors.CheckViolation: "a value breaks a rule of the database",
    errors.InsufficientPrivilege: "the role of DATABASE_URL may not write it",
}
RETRYABLE = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)
"""A run at the same time may be the reason; the second attempt sees what that one wrote."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One resource that cannot be written.

    Args:
        place: ``file:line:column``; empty when it came from no file.
        resource: ``Kind path``.
        message: what is wrong.
        hint: how to mend it; may be empty.
    """

    place: str
    resource: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        text = ": ".join(filter(None, (self.place, self.resource, self.message)))
        return f"{text} ({self.hint})" if self.hint else text


class SpecRefused(ValueError):  # noqa: N818 - it is refused, not broken
    """Resources cannot be written, and none was; ``refusals`` has every reason, ``str()`` one a line."""

    def __init__(self, refusals: Iterable[Refusal]) -> None:
        self.refusals = list(refusals)
        super().__init__("\n".join(map(str, self.refusals)))


def explain(error: psycopg.Error) -> tuple[str, str] | None:
    """What is wrong and how to mend it; None when ``error`` says nothing about the spec (a lost connection)."""
    if isinstance(error, psycopg.OperationalError) or error.sqlstate is None:
        return None
    constraint = error.diag.constraint_name or ""
    said = (error.diag.message_primary or "").rstrip(".")
    if constraint in _MEANINGS:
        meaning, hint = _MEANINGS[constraint]
        return meaning.replace(SAID, said), hint
    known = next((text for sort, text in _SORTS.items() if isinstance(error, sort)), None)
    if isinstance(error, errors.InsufficientPrivilege):
        return f"{known} ({said})", "use a role that is a member of skypanel_panel"
    if known is None:
        return f"the database refuses it: {said}", error.diag.message_hint or ""
    rule = f" ({_words(constraint)})" if constraint else f" ({said})"
    return known + rule, error.diag.message_hint or ""


def _words(constraint: str) -> str:
    """``paas_environments_port_range`` as ``environments: port range``."""
    _, _, name = constraint.partition("_")
    table, _, rule = name.partition("_")
    return f"{table}: {rule.replace('_', ' ')}" if rule else constraint
