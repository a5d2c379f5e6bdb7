"""Exit codes, and what is said when a command fails: one clear line, without a traceback.

0    done
1    error: bad input, refused, or the database or engine cannot be used; nothing was half done
2    plan, migrate --check, gc: something would change (nothing was changed)
3    up, doctor: the engine cannot be used at all: too old, or not a Swarm manager
4    --wait: not ready in time, or stalled; what was asked for is written and goes on
130  interrupted
"""

from __future__ import annotations

from enum import IntEnum

import psycopg
from psycopg import errors
from pydantic import ValidationError
from typer import Abort, Exit
from typer.exceptions import TyperException

from controller.actions.errors import ActionError, NotInTimeError
from controller.declared.constraint_messages import SpecRefused
from controller.kit.expected import ExpectedError
from controller.kit.redaction import redact
from controller.schema.errors import MigrationError
from controller.swarm.errors import EngineError, UnsupportedEngine
from reconcilers.outcomes import ReconcileError
from specs.loader import SpecFilesError


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
        case UnsupportedEngine():
            return _lines(error), ExitCode.UNSUPPORTED_ENGINE
        case Exit():
            return [], ExitCode(error.exit_code)
        case Abort() | KeyboardInterrupt():
            return ["interrupted"], ExitCode.INTERRUPTED
        case BaseExceptionGroup() if len(error.exceptions) == 1:
            return explain(error.exceptions[0])
    said = _said(error)
    return None if said is None else (said, ExitCode.ERROR)


def _said(error: BaseException) -> list[str] | None:
    match error:
        case SpecFilesError() | SpecRefused() | MigrationError() | ReconcileError() | ExpectedError():
            return _lines(error)
        case EngineError():
            return [f"Docker Engine: {error.message}"]
        case ValidationError():
            return [_setting(detail) for detail in error.errors(include_url=False)]
        case psycopg.Error():
            return [_database(error)]
        case TyperException():
            return [error.format_message()]
    return None


def readable(lines: list[str]) -> list[str]:
    """``lines`` without passwords."""
    return [redact(line) for line in lines]


def _database(error: psycopg.Error) -> str:
    said = " ".join((error.diag.message_primary or str(error)).split())
    match error:
        case errors.InsufficientPrivilege():
            return f"the role of DATABASE_URL may not do this: {said} (use one that may: see docs/reference/cli.md)"
        case errors.UndefinedTable() | errors.UndefinedColumn() | errors.InvalidSchemaName():
            return f"the database's schema is not the one of this version: {said} (run `skypanel migrate`)"
        case errors.QueryCanceled() | errors.LockNotAvailable():
            return f"PostgreSQL took too long: {said} (nothing was changed; run it again)"
        case psycopg.OperationalError():
            return f"PostgreSQL does not answer: {said} (check DATABASE_URL, and that the server runs)"
    return f"PostgreSQL: {said}"


def _lines(said: object) -> list[str]:
    return str(said).splitlines()


def _setting(detail: object) -> str:
    assert isinstance(detail, dict)
    name = ".".join(str(part) for part in detail["loc"]).upper()
    return f"{name}: {detail['msg']}" if name else str(detail["msg"])
