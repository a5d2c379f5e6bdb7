"""Exit codes, and what is said when a command fails: one clear line, without a traceback.

0    done
1    error: bad input, refused, or the database or engine cannot be used; nothing was half done
2    plan, migrate --check, gc: something would change (nothing was changed)
3    up, doctor: the engine cannot be used at all: too old, or not a Swarm manager
4    --wait: not ready in time, or stalled; what was asked for is written and goes on, or others have changed it since
130  interrupted
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any

from typer import Abort, Exit
from typer.exceptions import TyperException

from controller.actions.errors import ActionError, NotInTimeError
from controller.kit.redaction import redact


class ExitCode(IntEnum):
    """What the process ends with; see the module."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    UNSUPPORTED_ENGINE = 3
    NOT_READY = 4
    INTERRUPTED = 130


def explain(error: BaseException) -> tuple[list[str], ExitCode] | None:
    """Lines to say and the exit code; None for what should not have happened, which deserves its traceback."""
    match error:
        case ActionError():
            code = ExitCode.NOT_READY if isinstance(error, NotInTimeError) else ExitCode.ERROR
            return _lines(f"{error} ({error.hint})" if error.hint else error), code
        case Exit():
            return [], ExitCode(error.exit_code)
        case Abort() | KeyboardInterrupt():
            return ["interrupted"], ExitCode.INTERRUPTED
        case BaseExceptionGroup() if len(error.exceptions) == 1:
            return explain(error.exceptions[0])
        case TyperException():
            return [error.format_message()], ExitCode.ERROR
    names = [f"{cls.__module__}.{cls.__qualname__}" for cls in type(error).__mro__]
    say = next((EXPECTED[name] for name in names if name in EXPECTED), None)
    return say and (say(error), ExitCode.UNSUPPORTED_ENGINE if _UNSUPPORTED in names else ExitCode.ERROR)


def readable(lines: list[str]) -> list[str]:
    """``lines`` without passwords."""
    return [redact(line) for line in lines]


def _database(error: Any, otherwise: str = "PostgreSQL: {}") -> list[str]:
    said = " ".join((error.diag.message_primary or str(error)).split())
    match error.sqlstate:
        case "42501":  # insufficient_privilege
            said = f"the role of DATABASE_URL may not do this: {said}"
        case "42P01" | "42703" | "3F000":  # undefined_table, undefined_column, invalid_schema_name
            said = f"the database's schema is not the one of this version: {said} (run `skypanel migrate`)"
        case "57014" | "55P03":  # query_canceled, lock_not_available
            said = f"PostgreSQL took too long: {said} (nothing was changed; run it again)"
        case _:
            said = otherwise.format(said)
    return [said]


def _is_refusal(said: str) -> bool:
    """Whether a server is there and does not want this login; it says so in words alone."""
    return "FATAL" in said and any(why in said for why in ("does not exist", "authentication", "pg_hba.conf", "permi"))


def _lines(said: object) -> list[str]:
    return str(said).splitlines()


def _setting(detail: object) -> str:
    assert isinstance(detail, dict)
    name = ".".join(str(part) for part in detail["loc"]).upper()
    said = str(detail["msg"]).removeprefix("Value error, ")
    return f"{name}: {said}" if name else said


_AWAY = "PostgreSQL does not answer: {} (check DATABASE_URL, and that the server runs)"
_REFUSES = "PostgreSQL refuses the connection: {} (check user, password and database of DATABASE_URL)"
_UNSUPPORTED = "controller.swarm.errors.UnsupportedEngine"
EXPECTED: Mapping[str, Callable[[Any], list[str]]] = {
    "controller.kit.expected.ExpectedError": _lines,
    "controller.client.errors.ClientError": lambda error: _lines(f"{error} ({error.hint})" if error.hint else error),
    "controller.declared.constraint_messages.SpecRefused": _lines,
    "controller.schema.errors.MigrationError": _lines,
    "controller.swarm.errors.EngineError": lambda error: [f"Docker Engine: {error.message}"],
    "psycopg.Error": _database,
    "psycopg.OperationalError": lambda error: _database(error, _REFUSES if _is_refusal(str(error)) else _AWAY),
    "pydantic_core._pydantic_core.ValidationError": lambda error: [
        _setting(detail) for detail in error.errors(include_url=False)
    ],
    "reconcilers.outcomes.ReconcileError": _lines,
    "specs.loader.SpecFilesError": _lines,
    _UNSUPPORTED: _lines,
}
"""How errors are said, by the names of their classes: who asked for the classes would load all that can fail, to say
that a command is misspelt."""
