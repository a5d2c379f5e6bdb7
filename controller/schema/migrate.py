"""Brings a database to the schema of this version: `plan` what is missing, `apply` it, or `check`.

Each file is applied in one transaction of its own, together with its line in `skypanel.schema_migrations`:
after a crash a file is either there with its line, or not at all. A lock that ends with the transaction lets
two runs at once take turns (also through a pooler that shares sessions); the one that waited finds the work
done. At the end every right of our groups is given again, as a restored database may lack them. All functions
raise the errors of `controller.schema.errors`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg.pq import TransactionStatus

from controller.schema import privileges
from controller.schema.errors import (
    DatabaseTooNewError,
    EditedMigrationError,
    ForeignTablesError,
    MigrationError,
    MissingPrivilegeError,
    PendingMigrationsError,
    ServerTooOldError,
    readable,
)

__all__ = ["Migration", "MigrationError", "Plan", "apply", "check", "describe", "load", "plan"]

OLDEST_SERVER = 140000  # CREATE OR REPLACE TRIGGER
_FILE_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# The panel's tables may be busy. Waiting for a lock on them makes all that come later wait too: not for long. What a
# file makes is bound to PostgreSQL's own operators and functions, never to one that somebody else has put in public.
_CAUTIONS = (
    "SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = 0; SET LOCAL client_min_messages = warning;"
    " SET LOCAL search_path = pg_catalog, pg_temp"
)


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
    if not found or [migration.version for migration in found] != list(range(1, len(found) + 1)):
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
        MigrationError: of any sort except PendingMigrationsError.
    """
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError("the connection is in a transaction: each migration needs one of its own")
    if conn.info.server_version < OLDEST_SERVER:
        version = conn.info.parameter_status("server_version")
        raise ServerTooOldError(f"the server is PostgreSQL {version}: version 14 or newer is needed")
    known = load() if migrations is None else migrations
    with readable("read the record of migrations"), conn.transaction():
        return _compare(known, _record(conn))


def check(conn: psycopg.Connection, migrations: Sequence[Migration] | None = None) -> None:
    """Raises a MigrationError unless the database is at exactly this version."""
    pending = plan(conn, migrations).pending
    if pending:
        names = ", ".join(map(str, pending))
        raise PendingMigrationsError(f"{len(pending)} not applied: {names}. Run `skypanel migrate`")
    with readable("check the rights"), conn.transaction():
        privileges.check_row_security(conn)
        privileges.check_groups(conn)


def apply(conn: psycopg.Connection, migrations: Sequence[Migration] | None = None) -> tuple[Migration, ...]:
    """Applies what is not applied yet and gives that; nothing when there is nothing to do. Gives all rights again.

    Args:
        conn: a connection that is not in a transaction, of the role that shall own the schema.
        migrations: instead of the files of this version.

    Raises:
        MigrationError: of any sort. Files before the one that failed stay applied.
    """
    known = load() if migrations is None else migrations
    applied = []
    for migration in plan(conn, known).pending:
        with readable(f"apply {migration}"), conn.transaction():
            _take_turn(conn)
            record = _record(conn)
            if migration in _compare(known, record).pending:  # else another run has done it meanwhile
                _apply_one(conn, migration, first=not record)
                applied.append(migration)
    if migrations is None:
        with readable("give the rights"), conn.transaction():
            _take_turn(conn)
            _give_rights(conn)
    return tuple(applied)


def describe(migrations: Sequence[Migration]) -> Iterator[str]:
    """One line a migration, for people: its name and the first line of its file."""
    for migration in migrations:
        yield f"{migration}  {migration.sql.partition(chr(10))[0].removeprefix('-- ')}"


def grants() -> str:
    """The text of the file that gives every right."""
    return resources.files("migrations").joinpath("grants.sql").read_text(encoding="utf-8")


def _take_turn(conn: psycopg.Connection) -> None:
    """One run at a time, until the transaction ends."""
    if not _has_record(conn):
        conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('skypanel.migrate', 0))")
    if _has_record(conn):  # anybody may take that lock; this one only who may write the table
        conn.execute("LOCK TABLE skypanel.schema_migrations IN SHARE ROW EXCLUSIVE MODE")


def _give_rights(conn: psycopg.Connection) -> None:
    if missing := privileges.missing_groups(conn):
        raise MissingPrivilegeError(
            f"groups are missing, which role {conn.info.user} may not make; let a superuser run:\n  "
            + "\n  ".join(missing)
        )
    conn.execute(_CAUTIONS)
    conn.execute(grants().encode())


def _apply_one(conn: psycopg.Connection, migration: Migration, *, first: bool) -> None:
    conn.execute(_CAUTIONS)
    if first:
        _check_ground(conn)
        conn.execute(resources.files("migrations").joinpath("ledger.sql").read_bytes())
    conn.execute(migration.sql.encode())
    conn.execute(
        "INSERT INTO skypanel.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )


def _record(conn: psycopg.Connection) -> dict[int, tuple[str, str]]:
    """Version -> name and checksum, as the database has it; empty where it has no record."""
    if not _has_record(conn):
        return {}
    rows = conn.execute("SELECT version, name, checksum FROM skypanel.schema_migrations")
    return {version: (name, checksum) for version, name, checksum in rows}


def _has_record(conn: psycopg.Connection) -> bool:
    # Not to_regclass: it may remember that the table was absent before this transaction waited for its turn.
    found = conn.execute("SELECT FROM pg_tables WHERE schemaname = 'skypanel' AND tablename = 'schema_migrations'")
    return found.fetchone() is not None


def _compare(known: Sequence[Migration], record: dict[int, tuple[str, str]]) -> Plan:
    unknown = sorted(record.keys() - {migration.version for migration in known})
    if unknown:
        raise DatabaseTooNewError(
            f"the database has migration {unknown[-1]:04}_{record[unknown[-1]][0]}, which this version lacks:"
            " install the version that applied it, or a newer one"
        )
    for migration in known:
        name, checksum = record.get(migration.version, (migration.name, migration.checksum))
        if (name, checksum) != (migration.name, migration.checksum):
            raise EditedMigrationError(
                f"migrations/{migration}.sql is not the file that this database has had"
                f" ({migration.version:04}_{name}, SHA-256 {checksum[:12]}, now {migration.checksum[:12]}):"
                " put the old file back, and make the change in a new one"
            )
    return Plan(
        applied=tuple(migration for migration in known if migration.version in record),
        pending=tuple(migration for migration in known if migration.version not in record),
    )


def _check_ground(conn: psycopg.Connection) -> None:
    """Before the first migration: may this role do it, and is the place free?"""
    if missing := privileges.missing(conn):
        raise MissingPrivilegeError(
            f"role {conn.info.user} may not apply the migrations; let a superuser or the owner run:\n  "
            + "\n  ".join(missing)
        )
    ours = re.findall(r"TABLE IF NOT EXISTS public\.(\w+)", "".join(file.sql for file in load()))
    rows = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname = ANY (%s)"
        " AND to_regprocedure('skypanel.raise_generation()') IS NULL ORDER BY relname",
        [ours],
    )
    if foreign := [name for (name,) in rows]:
        raise ForeignTablesError(
            f"the database has tables of another product under our names ({', '.join(foreign)}):"
            " rename them, or drop them when they are left over from an earlier attempt"
        )
