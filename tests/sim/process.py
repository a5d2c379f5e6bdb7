"""A simulated controller process: the real election, manager, queues, workers, planner and applier, on simulated ends.

Only what lies beyond the border is simulated: the engine's answers, the database's answers, and hints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

import anyio
import structlog

from controller.kit.bell import Bell
from controller.loop.election import Candidate
from controller.loop.identity import Identity, Register
from controller.loop.outside import Outside
from controller.loop.ports import Lease, Store
from controller.postgres.database import DatabaseUnavailable
from controller.records import Key
from controller.settings_sources import of_kinds, sources
from controller.swarm.adapter import SwarmAdapter
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineUnavailable
from controller.swarm.identity import Marks
from reconcilers.port import Port, calls
from reconcilers.registry import registered
from tests.sim.border import Border, Course, SimCrash
from tests.sim.database.config import VAULT
from tests.sim.database.database import SimDatabase
from tests.sim.database.identity import SimRegister
from tests.sim.database.lease import SimLease
from tests.sim.database.store import SimStore
from tests.sim.ports import bordered
from tests.sim.settings import INSTALLATION, LEASE_SECONDS, OPTIONS, TUNING, Names
from tests.sim.swarm.swarm import SimSwarm, documents
from tests.sim.swarm.transport import SimTransport

R = TypeVar("R")
_SORTS = {
    **calls(Store),
    **{f"lease_{name}": sort for name, sort in calls(Lease).items()},
    **{f"identity_{name}": sort for name, sort in calls(Register).items()},
}
"""Whether a statement reads or writes, as the ports say; one that no port has is a defect of the simulator."""
_WORKERS = 4


class SimProcess:
    """One start of one controller process.

    Args:
        name: the same for each start.
        start: which start it is, from 1.
    """

    def __init__(
        self,
        name: str,
        start: int,
        *,
        swarm: SimSwarm,
        database: SimDatabase,
        ports: Mapping[type[Port], Port],
        course: Course,
        names: Names,
    ) -> None:
        self.name = name
        self._course = course
        self._database = database
        self._names = names
        self._task: asyncio.Task[None] | None = None
        self.border = Border(course, name, self._end)
        self.holder = f"{name}{start}"
        self.stopping = anyio.Event()
        self.lease = SimLease(database, INSTALLATION, LEASE_SECONDS, holder=self.holder, link=self._link)
        self._store = SimStore(database, self.lease, link=self._link)
        inner = SimTransport(swarm, client=self.holder, epoch=lambda: self.lease.epoch)
        self._client = EngineClient(_Bordered(inner, self.border, course, names))
        self._client.guard = self.lease.guard
        self.process = Candidate(
            {kind: replace(r, concurrency=_WORKERS) for kind, r in registered().items()},
            lease=self.lease,
            outside=Outside.of(
                self._store,
                SwarmAdapter(self._client, INSTALLATION, edge=swarm.routers),
                options=OPTIONS,
                tuning=TUNING,
                vault=VAULT,
                ports=bordered(ports, self.border, self.lease.guard),
            ),
            listen=self._listen,
            options=OPTIONS,
            tuning=TUNING,
            stopping=self.stopping,
            identity=Identity(
                SimRegister(database, self.lease, link=self._link), Marks(self._client, INSTALLATION), INSTALLATION
            ),
            settings=of_kinds(sources([])),
        )

    async def run(self) -> bool:
        """Run until it is told to stop (True) or dies (False)."""
        self._task = asyncio.create_task(self._run())
        with suppress(asyncio.CancelledError):
            await self._task
        return not self.border.dead

    async def _run(self) -> None:
        structlog.contextvars.bind_contextvars(process=self)
        try:
            while True:
                try:
                    await self._client.check()
                    break
                except EngineUnavailable:
                    await anyio.sleep(0.5)
            await self.process.run()
        except BaseException as error:
            if not self.border.dead:
                raise
            if not isinstance(error, (SimCrash, asyncio.CancelledError, BaseExceptionGroup, Exception)):
                raise

    def end(self) -> None:
        """End it at once, as a crash does."""
        self.border.dead = True
        self._end()

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _link(self, operation: str, keys: tuple[Key, ...], effect: Callable[[], R]) -> R:
        about = " ".join(self._names.of_key(key) for key in keys)
        return await self.border.cross(
            f"database {operation} {about}".rstrip(),
            _SORTS[operation],
            effect,
            broken=lambda why: DatabaseUnavailable(OSError(why)),
            older=(lambda: self._older_load(keys[0], effect)) if operation == "load" else None,
        )

    def _older_load(self, key: Key, effect: Callable[[], R]) -> R:
        self._store.read_back = lambda asked: int(asked == key)
        try:
            return effect()
        finally:
            self._store.read_back = lambda _: 0

    async def _listen(self, changed: Bell, released: Bell) -> None:
        def notified() -> None:
            self.border.hint("hint from the database", changed.ring)

        self._database.listeners.append(notified)
        try:
            changed.ring()
            released.ring()
            await anyio.sleep_forever()
        finally:
            self._database.listeners.remove(notified)


class _Bordered:
    """A transport whose requests and events cross the border."""

    def __init__(self, inner: SimTransport, border: Border, course: Course, names: Names) -> None:
        self._inner = inner
        self._course = course
        self._border = border
        self._names = names
        self.host = inner.host
        self.api_version = inner.api_version

    async def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None,
        payload: bytes | None,
        before_send: Callable[[], None] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        kind = path.split("/")[1]

        def do() -> tuple[int, bytes]:
            if method != "GET" and self._course.looks_back:
                self._course.past[kind] = documents(self._inner.swarm, kind)
            return self._inner.answer(method, path, query, payload, headers)

        return await self._border.cross(
            self._names.of_request(method, path, query, payload),
            "read" if method == "GET" else "write",
            do,
            broken=lambda why: EngineUnavailable(0, f"{self.host}: {why}"),
            before=before_send,
            asked=path,
            older=(lambda: self._inner.answer_of(self._course.past[kind], path, query))
            if kind in self._course.past
            else None,
        )

    async def follow(self, on_event: Callable[[dict[str, Any] | None], None]) -> None:
        def arrived(event: dict[str, Any] | None) -> None:
            self._border.hint(self._names.of_event(event), lambda: on_event(event))

        await self._inner.follow(arrived)

    def close(self) -> None:
        self._inner.close()
