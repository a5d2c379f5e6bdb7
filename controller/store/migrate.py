"""Brings a database to the schema of this version: `load` the files, `plan` what is missing, `apply` it, or `check`.

Each file is applied in one transaction of its own, together with its line in `skypanel.schema_migrations`: after a crash
a file is either there with its line, or not at all. A lock that ends with the transaction lets two runs at once take
turns (also through a pooler that shares sessions), and the one that waited finds the work done.

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

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from controller.store import privileges

OLDEST_SERVER = 140000  # CREATE OR REPLACE TRIGGER
LOCK_TIMEOUT_SECONDS = 10
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOCK = "skypanel.migrate"


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


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file. `checksum` is the SHA-256 of its text, in hex."""

    version: int
    name: str
    sql: str
    checksum: str

    def __str__(self) -> str:
        """The file's name without its suffix."""
        return f"{self.version:04}_{self.name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database has had, and what it still needs, in order."""

    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]


def load() -> tuple[Migration, ...]:
    """All migrations of this version, in order.

    Raises:
        MigrationError: the files are not numbered 1, 2, 3 ...
    """
    found = []
    for file in resources.files("migrations").iterdir():
        if match := _FILE_NAME.fullmatch(file.name):
            text = file.read_text(encoding="utf-8")
            found.append(Migration(int(match[1]), match[2], text, hashlib.sha256(text.encode()).hexdigest()))
    found.sort(key=lambda migration: migration.version)
    if [migration.version for migration in found] != list(range(1, len(found) + 1)):
        raise MigrationError(
            "the migration files are not numbered 1, 2, 3 ...: this installation is damaged,"
            f" it has {', '.join(map(str, found)) or 'none'}"
        )
    return tuple(found)


def plan(conn: psycopg.Connection, migrations: Sequence[Migration] | None = None) -> Plan:
    """What is applied and what is not; changes nothing.

    Args:
        conn: a connection that is not in a transaction.
        migrations: instead of the files of this version.

    Raises:
        MigrationError: one of the tree above, except PendingMigrationsError.
    """
    known = load() if migrations is None else tuple(migrations)
    _check_server(conn)
    with _readable_errors("read the record of migrations"), conn.transaction():
        return _compare(known, _record(conn))


def check(conn: psycopg.Connection, migrations: Sequence[Migration] | None = None) -> None:
    """Raises a MigrationError unless the database is at exactly this version."""
    pending = plan(conn, migrations).pending
    if pending:
        raise PendingMigrationsError(
            f"{len(pending)} of the migrations are not applied ({', '.join(map(str, pending))}): run `skypanel migrate`"
        )
    with _readable_errors("check the rights"), conn.transaction():
        privileges.check_row_security(conn)


def apply(conn: psycopg.Connection, migrations: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """Applies what is not applied yet and gives that; nothing when there is nothing to do.

    Args:
        conn: a connection that is not in a transaction, of the role that shall own the schema.
        migrations: instead of the files of this version.

    Raises:
        MigrationError: one of the tree above. Files before the one that failed stay applied.
    """
    steps: list[Migration] = []
    for migration in plan(conn, migrations).pending:
        with _readable_errors(f"apply {migration}"), conn.transaction():
            if _apply_one(conn, migration, migrations):
                steps.append(migration)
    return tuple(steps)


def _apply_one(
    conn: psycopg.Connection, migration: Migration, migrations: Sequence[Migration] | None
) -> bool:
    """Applies one in the current transaction; False when another run has done it in the meantime."""
    known = load() if migrations is None else tuple(migrations)
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_LOCK])
    conn.execute("SET LOCAL client_min_messages = warning; SET LOCAL statement_timeout = 0")
    # The panel's tables may be busy. Waiting for them makes all that come later wait too, so not for long.
    conn.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'".encode())
    record = _record(conn)
    if migration not in _compare(known, record).pending:
        return False
    if not record:
        _check_ground(conn)
        conn.execute(resources.files("migrations").joinpath("ledger.sql").read_bytes())
    conn.execute(migration.sql.encode())
    conn.execute(
        "INSERT INTO skypanel.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )
    return True


def _record(conn: psycopg.Connection) -> dict[int, tuple[str, str]]:
    """Version -> name and checksum, as the database has it; empty where it has no record."""
    row = conn.execute("SELECT to_regclass('skypanel.schema_migrations') IS NOT NULL").fetchone()
    if not (row and row[0]):
        return {}
    rows = conn.execute("SELECT version, name, checksum FROM skypanel.schema_migrations").fetchall()
    return {version: (name, checksum) for version, name, checksum in rows}


def _compare(known: Sequence[Migration], record: dict[int, tuple[str, str]]) -> Plan:
    unknown = sorted(record.keys() - {migration.version for migration in known})
    if unknown:
        raise DatabaseTooNewError(
            f"the database has migration {unknown[-1]:04}_{record[unknown[-1]][0]}, and this version knows"
            f" {len(known)}: install the version that applied it, or a newer one"
        )
    for migration in known:
        name, checksum = record.get(migration.version, (migration.name, migration.checksum))
        if (name, checksum) != (migration.name, migration.checksum):
            raise EditedMigrationError(
                f"migrations/{migration}.sql is not the file that this database has had"
                f" ({migration.version:04}_{name}, SHA-256 {checksum[:12]}..., now {migration.checksum[:12]}...):"
                " put the old file back, and make the change in a new one"
            )
    return Plan(
        applied=tuple(migration for migration in known if migration.version in record),
        pending=tuple(migration for migration in known if migration.version not in record),
    )


def _check_server(conn: psycopg.Connection) -> None:
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError(
            "the connection is in a transaction: commit first, each migration needs one of its own"
        )
    if conn.info.server_version < OLDEST_SERVER:
        version = conn.info.parameter_status("server_version")
        raise ServerTooOldError(f"the server is PostgreSQL {version}: version 14 or newer is needed")


def _check_ground(conn: psycopg.Connection) -> None:
    """Before the first migration: may we, and is the place free?"""
    if missing := privileges.missing(conn):
        raise MissingPrivilegeError(
            f"role {conn.info.user} may not apply the migrations; let a superuser or the owner run:\n  "
            + "\n  ".join(missing)
        )
    rows = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')"
        " AND relname ~ '^(paas|caas)_' AND to_regprocedure('skypanel.raise_generation()') IS NULL ORDER BY relname"
    ).fetchall()
    created = set(
        re.findall(r"TABLE IF NOT EXISTS public\.(\w+)", "".join(migration.sql for migration in load()))
    )
    foreign = [name for (name,) in rows if name in created]
    if foreign:
        raise ForeignTablesError(
            f"the database has tables of another product under our names ({', '.join(foreign)}):"
            " rename them, or drop them when they are left over from an earlier attempt"
        )


class _readable_errors:  # noqa: N801 - reads as a statement
    """Turns what PostgreSQL refuses into a MigrationError that says during which step."""

    def __init__(self, action: str) -> None:
        self._action = action

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, privileges.RowSecurityError):
            raise MissingPrivilegeError(str(error)) from None
        if isinstance(error, errors.InsufficientPrivilege):
            raise MissingPrivilegeError(
                f"cannot {self._action}: {_primary(error)}. Run it as the role that owns the schema skypanel"
                " and may REFERENCE and put a TRIGGER on the panel's tables"
            ) from error
        if isinstance(error, errors.LockNotAvailable):
            raise MigrationFailedError(
                f"cannot {self._action}: a table stayed locked for {LOCK_TIMEOUT_SECONDS} s. Nothing of this file is"
                " applied; run it again when the panel is less busy"
            ) from error
        if isinstance(error, psycopg.Error) and error.sqlstate is not None:
            raise MigrationFailedError(f"cannot {self._action}: {_primary(error)}") from error


def _primary(error: psycopg.Error) -> str:
    parts = (error.diag.message_primary, error.diag.message_detail, error.diag.message_hint)
    return ". ".join(part for part in parts if part) or str(error)


def describe(migrations: Sequence[Migration]) -> Iterator[str]:
    """One line a migration, for people."""
    for migration in migrations:
        first = next((line for line in migration.sql.splitlines() if line.startswith("-- ")), "-- ")
        yield f"{migration}  {first.removeprefix('-- ')}"
