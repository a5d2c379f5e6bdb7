"""Is this a database that a controller of this version can lead on? Asked before each election, until it is.

What is wrong here does not pass by itself, and is no reason to end either: a process that ends is started again, and
again. It waits, says what to do, and goes on as soon as it was done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cache
from uuid import uuid4

import psycopg
import structlog
from psycopg import sql

from controller.kit import clock
from controller.postgres.connecting import connected
from controller.postgres.database import Database
from controller.postgres.statements import statement
from controller.schema.files import Migration, load, load_packages
from reconcilers.outcomes import TransientError

log = structlog.get_logger(__name__)

HEARS_SECONDS = 5.0
_HOLDS_SECONDS, _AGAIN_SECONDS = 30.0, 5.0
_LOGIN = "use a login that has skypanel_controller and nothing else (`skypanel setup` makes one)"
POOLER = (
    "notifications do not arrive: DATABASE_URL leads through a pooler in transaction or statement mode, which shares "
    "sessions; use the server's own address, or a pool in session mode"
)


class UnfitDatabase(TransientError):  # noqa: N818 - reads as what happened
    """The database answers, and cannot be worked with; the message says what to do."""


class Fitness:
    """Looks at the schema's version, the role, and whether sessions are one's own; remembers the answer for a while.

    Args:
        database: what is asked.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._hears = False
        self._mighty = False
        self._until = 0.0
        self._refused: UnfitDatabase | None = None

    @property
    def refused(self) -> str:
        """Why the database is not fit; empty when it is, or was not asked yet."""
        return self._refused.message if self._refused else ""

    async def check(self) -> None:
        """Return when the database is fit.

        Raises:
            UnfitDatabase: it is not; said in the log when that is new.
            TransientError: it does not answer.
        """
        if clock.monotonic() >= self._until:
            refused = await self._look()
            if refused is not None and str(refused) != str(self._refused):
                log.error("database.unfit", reason=refused.reason, mend=refused.message)
            self._refused = refused
            self._until = clock.monotonic() + (_HOLDS_SECONDS if refused is None else _AGAIN_SECONDS)
        if self._refused is not None:
            raise self._refused

    async def _look(self) -> UnfitDatabase | None:
        if not self._hears:
            self._hears = await hears(self._database.conninfo)
        if not self._hears:
            return UnfitDatabase("PoolerInTheWay", POOLER)
        rows = await self._database.fetch(statement("schema/checks/migrations"))
        refused = schema_refusal(dict(rows)) or await self._role_refusal()
        if refused is not None or not _of_packages():
            return refused
        rows = await self._database.fetch(statement("schema/checks/package_migrations"))
        return packages_refusal({(package, version): name for package, version, name in rows})

    async def _role_refusal(self) -> UnfitDatabase | None:
        """A role without the rights cannot lead; one with too many can, and somebody should know."""
        ((role, is_superuser, spec, status, reads),) = await self._database.fetch(statement("schema/checks/privileges"))
        if not (status and reads):
            return UnfitDatabase("RoleLacksRights", f"the role {role} may not write status: {_LOGIN}")
        if (is_superuser or spec) and not self._mighty:
            error = f"the role {role} may write specs, which a controller never does"
            log.warning("database.role", error=error, mend=_LOGIN)
            self._mighty = True
        return None


async def hears(conninfo: str) -> bool:
    """Whether a session hears what another one notifies: behind a pooler that shares sessions it does not.

    Raises:
        TransientError: no answer.
    """
    channel = f"skypanel_probe_{uuid4().hex}"
    try:
        async with asyncio.timeout(3 * HEARS_SECONDS):
            async with connected(conninfo) as listening:
                await listening.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
                async with connected(conninfo) as other:
                    await other.execute(sql.SQL("NOTIFY {}").format(sql.Identifier(channel)))
                async for _ in listening.notifies(timeout=HEARS_SECONDS, stop_after=1):
                    return True
    except (psycopg.Error, OSError, TimeoutError) as error:
        raise TransientError("DatabaseUnavailable", f"PostgreSQL does not answer: {error}") from error
    return False


@cache
def _known() -> tuple[Migration, ...]:
    return load()


@cache
def _of_packages() -> tuple[Migration, ...]:
    return load_packages()


def schema_refusal(applied: dict[int, str]) -> UnfitDatabase | None:
    """What is wrong with a schema that has had these migrations, number and name; None: nothing."""
    known = _known()
    newest = max(applied, default=0)
    if newest > known[-1].version:
        return UnfitDatabase(
            "SchemaTooNew",
            f"the database has migration {newest:04}_{applied[newest]}, which this version lacks: install the version "
            "that applied it, or a newer one",
        )
    missing = [migration for migration in known if migration.version not in applied]
    if missing:
        return UnfitDatabase("SchemaOutdated", f"the database lacks migration {missing[0]}: run `skypanel migrate`")
    return None


def packages_refusal(applied: Mapping[tuple[str, int], str]) -> UnfitDatabase | None:
    """The same of the installed packages' migrations, by package and number; one that is not installed may be there."""
    known = _of_packages()
    for migration in known:
        if migration.key not in applied:
            return UnfitDatabase("SchemaOutdated", f"the database lacks migration {migration}: run `skypanel migrate`")
    here = {migration.package for migration in known}
    for key in sorted(applied.keys() - {migration.key for migration in known}):
        if key[0] in here:
            return UnfitDatabase(
                "SchemaTooNew",
                f"the database has migration {key[0]}/{key[1]:04}_{applied[key]}, which the installed {key[0]} lacks: "
                "install the version that applied it, or a newer one",
            )
    return None
