"""Brings a database to the schema of this version: `plan` what is missing, `apply` it, or `check`.

Each file is applied in one transaction of its own, together with its line in `skypanel.schema_migrations` (of
an installed package's files: `skypanel.package_migrations`): after a crash a file is either there with its line,
or not at all. A lock that ends with the transaction lets
two runs at once take turns (also through a pooler that shares sessions); the one that waited finds the work
done. At the end every right of our groups is given again, as a restored database may lack them, and every policy that
is not as it should be is made. All functions
raise the errors of `controller.schema.errors`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import TypeVar

import psycopg
from psycopg import errors
from psycopg.pq import TransactionStatus

from controller.kit import clock
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
from controller.schema.files import Migration, load, load_packages

__all__ = ["Migration", "MigrationError", "Plan", "apply", "check", "describe", "load", "plan"]

T = TypeVar("T")
OLDEST_SERVER = 140000  # CREATE OR REPLACE TRIGGER
# The panel's tables may be busy. Waiting for a lock on them makes all that come later wait too: not for long, and less
# than PostgreSQL waits before it looks for a deadlock (a second), as it might end somebody else's transaction. What a
# file makes is bound to PostgreSQL's own operators and functions, never to one that somebody else has put in public.
_CAUTIONS = (
    "SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = 0; SET LOCAL client_min_messages = warning;"
    " SET LOCAL search_path = pg_catalog, pg_temp"
)
_PATIENCE_SECONDS, _PAUSE_SECONDS = 20.0, 0.05
"""So long a file is begun anew when a lock could not be had; in between others get theirs."""


Record = dict[tuple[str, int], tuple[str, str]]
"""Package (empty: ours) and version to name and checksum."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a database has had, and what it still needs, in order."""

    applied: tuple[Migration, ...]
    pending: tuple[Migration, ...]


def plan(conn: psycopg.Connection, migrations: Sequence[Migration] | None = None) -> Plan:
    """What is applied and what is not; changes nothing.

    Args:
        conn: a connection that is not in a transaction.
        migrations: instead of the files of this version and of the installed packages.

    Raises:
        MigrationError: of any sort except PendingMigrationsError.
    """
    if conn.info.transaction_status is not TransactionStatus.IDLE:
        raise ValueError("the connection is in a transaction: each migration needs one of its own")
    if conn.info.server_version < OLDEST_SERVER:
        version = conn.info.parameter_status("server_version")
        raise ServerTooOldError(f"the server is PostgreSQL {version}: version 14 or newer is needed")
    known = (*load(), *load_packages()) if migrations is None else migrations
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
    known = (*load(), *load_packages()) if migrations is None else migrations
    applied = []
    for migration in plan(conn, known).pending:
        with readable(f"apply {migration}"):
            if _patiently(conn, partial(_apply_if_pending, conn, migration, known)):
                applied.append(migration)
    if migrations is None:
        with readable("give the rights"):
            _patiently(conn, partial(_give_rights, conn))
        with readable("keep tenants apart"):
            for (statement,) in conn.execute("SELECT skypanel.isolations()").fetchall():
                _patiently(conn, partial(_isolate, conn, statement))
    return tuple(applied)


def _patiently(conn: psycopg.Connection, do: Callable[[], T]) -> T:
    """What ``do`` gives, in a transaction that one run at a time has; begun anew while others hold locks."""
    begun = clock.monotonic()
    while True:
        try:
            with conn.transaction():
                _take_turn(conn)
                return do()
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if clock.monotonic() - begun > _PATIENCE_SECONDS:
                raise
        time.sleep(_PAUSE_SECONDS)


def _apply_if_pending(conn: psycopg.Connection, migration: Migration, known: Sequence[Migration]) -> bool:
    """Whether it was; else another run has done it meanwhile."""
    record = _record(conn)
    if migration not in _compare(known, record).pending:
        return False
    _apply_one(conn, migration, first=not record)
    return True


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


def _isolate(conn: psycopg.Connection, statement: str) -> None:
    """One policy or filter, which needs its table for itself for a moment; none where all is as it should be."""
    conn.execute(_CAUTIONS)
    conn.execute(statement.encode())


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
    if migration.package:
        conn.execute(
            "INSERT INTO skypanel.package_migrations (package, version, name, checksum) VALUES (%s, %s, %s, %s)",
            [migration.package, migration.version, migration.name, migration.checksum],
        )
        return
    conn.execute(
        "INSERT INTO skypanel.schema_migrations (version, name, checksum) VALUES (%s, %s, %s)",
        [migration.version, migration.name, migration.checksum],
    )


def _record(conn: psycopg.Connection) -> Record:
    """As the database has it; empty where it has no record."""
    record: Record = {}
    if _has_record(conn):
        rows = conn.execute("SELECT version, name, checksum FROM skypanel.schema_migrations")
        record |= {("", version): (name, checksum) for version, name, checksum in rows}
    if _has_record(conn, "package_migrations"):
        rows = conn.execute("SELECT package, version, name, checksum FROM skypanel.package_migrations")
        record |= {(package, version): (name, checksum) for package, version, name, checksum in rows}
    return record


def _has_record(conn: psycopg.Connection, table: str = "schema_migrations") -> bool:
    # Not to_regclass: it may remember that the table was absent before this transaction waited for its turn.
    found = conn.execute("SELECT FROM pg_tables WHERE schemaname = 'skypanel' AND tablename = %s", [table])
    return found.fetchone() is not None


def _compare(known: Sequence[Migration], record: Record) -> Plan:
    """What is applied and what is not; a package that is not installed is none of our business."""
    here = {"", *(migration.package for migration in known)}
    unknown = sorted(key for key in record.keys() - {migration.key for migration in known} if key[0] in here)
    if unknown:
        package, version = unknown[-1]
        whose = f"{package}/" if package else ""
        raise DatabaseTooNewError(
            f"the database has migration {whose}{version:04}_{record[unknown[-1]][0]}, which"
            f" {f'the installed {package}' if package else 'this version'} lacks:"
            " install the version that applied it, or a newer one"
        )
    for migration in known:
        name, checksum = record.get(migration.key, (migration.name, migration.checksum))
        if (name, checksum) != (migration.name, migration.checksum):
            raise EditedMigrationError(
                f"{migration.file} differs from the file that was applied to this database"
                f" ({migration.version:04}_{name}, SHA-256 {checksum[:12]}, now {migration.checksum[:12]}):"
                " put the old file back, and make the change in a new one"
            )
    return Plan(
        applied=tuple(migration for migration in known if migration.key in record),
        pending=tuple(migration for migration in known if migration.key not in record),
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
