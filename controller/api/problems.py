"""Every refusal of the API, as RFC 9457 has it, and the one place where an exception becomes one.

A problem says what is wrong, where (a JSON pointer for each field) and how to mend it. Nothing of the inside is in it:
no stack, no SQL, no name of anything that is somebody else's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import structlog
from psycopg import errors
from psycopg_pool import PoolTimeout

from controller.actions.errors import ActionError
from controller.declared.constraint_messages import SpecRefused
from controller.declared.rows import MissingError
from controller.kit.redaction import redact
from controller.vault.vault import ConfigUnreadable, KeyUnavailable
from specs.loader import SpecFilesError
from specs.problems import InvalidSpec, RefusedError

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
PREFIX = "/problems/"
_RETRY_SECONDS = "5"
_SCHEMA = (errors.UndefinedTable, errors.UndefinedColumn, errors.UndefinedFunction, errors.InvalidSchemaName)


@dataclass(frozen=True, slots=True)
class Type:
    """A type of problem; ``problems.toml`` says what each field is."""

    name: str
    status: int
    title: str
    means: str
    mend: str

    @property
    def address(self) -> str:
        """Where its page is, from the root of whatever host answers."""
        return PREFIX + self.name

    @property
    def page(self) -> str:
        """What the page says, in Markdown."""
        return f"## {self.name}\n\n**{self.status} {self.title}.** {self.means}\n\nTo mend it: {self.mend}\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    Args:
        detail: what, and how to mend it.
        pointer: where in the body, as RFC 6901 has it; None: not in it.
        parameter: name of a parameter of the address, or of a header.
        resource: kind and path, where the body has several.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    resource: str | None = None

    def document(self) -> dict[str, str]:
        """Without what it has not."""
        found = {name: getattr(self, name) for name in ("resource", "pointer", "parameter", "detail")}
        return {name: value for name, value in found.items() if value is not None}


@dataclass(slots=True)
class ProblemError(Exception):
    """A request that is not done.

    Args:
        name: of its type.
        detail: what is wrong with this request, a sentence.
        faults: one by one.
        headers: that the answer has.
    """

    name: str
    detail: str
    faults: Sequence[Fault] = ()
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def type(self) -> Type:
        """What it is in general."""
        return types()[self.name]

    def document(self, request: str, instance: str) -> dict[str, Any]:
        """For the answer; ``request`` is its number, ``instance`` the address."""
        found: dict[str, Any] = {
            "type": self.type.address,
            "title": self.type.title,
            "status": self.type.status,
            "detail": redact(self.detail),
            "instance": instance,
            "request": request,
        }
        if self.faults:
            found["errors"] = [each.document() for each in self.faults]
        return found


@cache
def types() -> dict[str, Type]:
    """All that there are, by name."""
    with Path(__file__).with_suffix(".toml").open("rb") as file:
        return {name: Type(name=name, **said) for name, said in tomllib.load(file).items()}


def pointer(path: Iterable[str | int]) -> str:
    """``("spec", "port")`` as ``/spec/port``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def not_found() -> ProblemError:
    """The same words whatever is asked for: what is somebody else's is not told from what is not there."""
    return ProblemError("not-found", "nothing of this name is declared, or it is none of yours")


def of(error: Exception) -> ProblemError:  # noqa: C901, PLR0911 - one a sort
    """What ``error`` is for whoever asked; a defect is logged, and only its number is said."""
    match error:
        case ProblemError():
            return error
        case SpecRefused():
            faults = [
                Fault(_with_hint(r.message, r.hint), r.place or None, resource=r.resource) for r in error.refusals
            ]
            return ProblemError("conflict", "it cannot be done as things are declared; nothing was written", faults)
        case MissingError():
            return ProblemError(
                "conflict", str(error), [Fault(_with_hint(str(error), error.hint), pointer(error.path))]
            )
        case InvalidSpec():
            faults = [Fault(_with_hint(p.message, p.hint), pointer(p.path)) for p in error.problems]
            return ProblemError("invalid", "the document breaks a rule; nothing was written", faults)
        case SpecFilesError():
            found = [Fault(str(p), None, resource=p.resource or None) for p in error.problems]
            return ProblemError("invalid", "the documents break a rule; nothing was written", found)
        case RefusedError():
            return ProblemError("invalid", error.message, [Fault(_with_hint(error.message, error.hint))])
        case ActionError():
            return ProblemError("conflict", str(error), [Fault(_with_hint(str(error), error.hint))])
        case KeyUnavailable() | ConfigUnreadable():
            log.error("api.no_key", error=redact(str(error)))
            return ProblemError("no-key", "values of this organization cannot be sealed here; nothing was written")
        case PoolTimeout():
            return _unavailable("every connection to the database is in use")
        case psycopg.Error():
            return _of_database(error)
    log.error("api.defect", exc_info=error)
    return ProblemError("internal", "what was asked for could not be done")


def _of_database(error: psycopg.Error) -> ProblemError:
    if isinstance(error, errors.InsufficientPrivilege):
        log.warning("api.privilege_missing", error=error.diag.message_primary)
        return ProblemError("forbidden", "this may not be done with what is declared here")
    if isinstance(error, _SCHEMA):
        log.error("api.schema_outdated", error=error.diag.message_primary)
        return _unavailable("the database's schema is not the one of this version")
    if isinstance(error, errors.IntegrityError):
        log.warning("api.refused", error=error.diag.message_primary)
        return ProblemError("conflict", "something that is declared stands against it; nothing was written")
    if isinstance(error, errors.DataError) or error.sqlstate == "22021":
        return ProblemError("invalid", "a value holds characters that cannot be kept")
    if error.sqlstate is None or isinstance(error, psycopg.OperationalError):
        log.warning("api.database_away", error=" ".join(str(error).split()))
        return _unavailable("the database does not answer in time")
    log.error("api.defect", exc_info=error)
    return ProblemError("internal", "what was asked for could not be done")


def _unavailable(detail: str) -> ProblemError:
    return ProblemError("unavailable", detail, headers={"Retry-After": _RETRY_SECONDS})


def _with_hint(message: str, hint: str) -> str:
    return f"{message} ({hint})" if hint else message


def page() -> str:
    """``docs/problems.md``."""
    head = (
        "# Problems\n\nEvery refusal of the [HTTP API](api.md) has a `type`: the address of a section of this page, "
        "which the API serves itself under `/problems/NAME`. Addresses stay as they are.\n"
    )
    return "\n".join([head, *(kind.page for kind in types().values())])
