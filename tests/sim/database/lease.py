"""The lease on the simulated database: the real one, over a connection that knows its three statements."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from controller.kit import clock
from controller.postgres.database import Database
from controller.postgres.statements import statement
from controller.store.lease import Lease
from tests.sim.database.database import SimDatabase
from tests.sim.database.link import Link, direct, now
from tests.sim.database.rows import Held


class SimLease(Lease):
    """One process's hold on the lease.

    Args:
        database: the shared truth.
        name: the installation.
        seconds: time to live after a renewal.
        holder: who this process is; another one for each process and each of its starts.
        link: see ``tests.sim.database.link``.
    """

    def __init__(self, database: SimDatabase, name: str, seconds: float, *, holder: str, link: Link = direct) -> None:
        super().__init__(cast("Database", _Connection(database, link)), name, seconds)
        self.holder = holder


class _Connection:
    """``Database.fetch`` for the statements of the lease."""

    def __init__(self, database: SimDatabase, link: Link) -> None:
        self._database = database
        self._link = link

    async def fetch(
        self, query: str, parameters: Mapping[str, Any], *, seconds: float, apart: bool
    ) -> list[tuple[Any, ...]]:
        name, effect = _EFFECTS[query]
        sent = dict(parameters)
        return await self._link(name, (), lambda: self._do(name, effect, sent))

    def _do(
        self, name: str, effect: Callable[[SimDatabase, Mapping[str, Any]], Held | None], sent: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        database = self._database
        n, held = database.next_statement(), effect(database, sent)
        if held is not None:
            database.leases[sent["lease"]] = held
        epoch = held.epoch if held else sent["epoch"]
        database.wrote(n, (sent["holder"], epoch), name, (), accepted=held is not None, rows=int(held is not None))
        return [(held.epoch, clock.wall())] if held else []


def _acquire(database: SimDatabase, sent: Mapping[str, Any]) -> Held | None:
    held = database.leases.get(sent["lease"])
    if held is not None and held.expires_at > now():
        return None
    newest = max((other.epoch for other in database.leases.values()), default=0)
    return Held(sent["holder"], max(newest, sent["epoch"]) + 1, now() + sent["seconds"])


def _renew(database: SimDatabase, sent: Mapping[str, Any]) -> Held | None:
    if not database.leads(sent["lease"], sent["holder"], sent["epoch"]):
        return None
    return Held(sent["holder"], sent["epoch"], now() + sent["seconds"])


def _release(database: SimDatabase, sent: Mapping[str, Any]) -> Held | None:
    held = database.leases.get(sent["lease"])
    if held is None or (held.holder, held.epoch) != (sent["holder"], sent["epoch"]):
        return None
    return held._replace(expires_at=now())


_EFFECTS = {
    statement(f"store/lease/{name.removeprefix('lease_')}"): (name, effect)
    for name, effect in (("lease_acquire", _acquire), ("lease_renew", _renew), ("lease_release", _release))
}
