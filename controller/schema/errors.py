"""What can stop a migration. The messages say what is wrong and what to do.

MigrationError
├── ServerTooOldError        PostgreSQL is older than 14
├── DatabaseTooNewError      the database has migrations that this version does not know
├── EditedMigrationError     a file is not what was applied
├── ForeignTablesError       tables with our names that are not ours
├── MissingPrivilegeError    the role may not do it; says what to grant
├── PendingMigrationsError   `check` only: there is something to apply
└── MigrationFailedError     PostgreSQL refused a statement
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import errors


class MigrationError(Exception):
    """The database cannot be brought to this version, or is not at it."""


class ServerTooOldError(MigrationError):
    """PostgreSQL is older than 14."""


class DatabaseTooNewError(MigrationError):
    """The database has migrations that this version does not know."""


class EditedMigrationError(MigrationError):
    """A file is not what was applied."""


class ForeignTablesError(MigrationError):
    """Tables with our names that are not ours."""


class MissingPrivilegeError(MigrationError):
    """The role may not do it."""


class PendingMigrationsError(MigrationError):
    """There is something to apply."""


class MigrationFailedError(MigrationError):
    """PostgreSQL refused a statement."""


@contextlib.contextmanager
def readable(action: str) -> Iterator[None]:
    """Turns what PostgreSQL refuses into a MigrationError that says during which action."""
    try:
        yield
    except errors.InsufficientPrivilege as error:
        raise MissingPrivilegeError(
            f"cannot {action}: {_said(error)}. Run it as the role that owns the schema skypanel"
            " and may REFERENCE the panel's tables and put a TRIGGER on organizations"
        ) from error
    except errors.LockNotAvailable as error:
        raise MigrationFailedError(
            f"cannot {action}: a table stayed locked for too long. Nothing of it is applied;"
            " run it again when the panel is less busy"
        ) from error
    except psycopg.Error as error:
        if error.sqlstate is None:  # the connection broke: that is not about migrations
            raise
        raise MigrationFailedError(f"cannot {action}: {_said(error)}") from error


def _said(error: psycopg.Error) -> str:
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return ". ".join(part.rstrip(".") for part in parts if part) or str(error)
