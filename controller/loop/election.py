"""One controller process: it leads, or stands by with a warm view of the Swarm until it can.

The lease decides who leads. It is renewed three times in its life; a clock of our own decides how long it can be
trusted without an answer, so that this process stops before another one can begin. A lost lease stops the work without
grace. A stand-by tries again on a timer, and at once when the leader says that it gives the lease back.

What follows the engine's events and the database's notifications runs for the whole life of the process, so that a
stand-by that takes over knows what is live and begins at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any

import anyio
import structlog
from pydantic import BaseModel

from controller.kit.bell import Bell
from controller.loop import metrics
from controller.loop.config import LoopConfig
from controller.loop.identity import Identity, IdentityMismatchError
from controller.loop.loops import failed, forever
from controller.loop.manager import Manager
from controller.loop.outside import Outside
from controller.loop.ports import Lease
from controller.loop.trace import Recorder
from controller.records import Key
from reconcilers.outcomes import FencedError, TransientError
from reconcilers.ports import Options
from reconcilers.registry import Reconciler

log = structlog.get_logger(__name__)

Listen = Callable[[Bell, Bell], Coroutine[Any, Any, None]]
_STANDBY_SECONDS = 0.5
_MISMATCH_SECONDS = 5.0


class Candidate:
    """Leads or stands by, until it is told to stop.

    Args:
        reconcilers: by kind.
        listen: runs until cancelled; rings the first bell when the change log may have something new, the other one
            when the lease may be free.
        stopping: set when the process is to end in good order.
        recorder: keeps the last reconciles; one of its own when there is none.
        fit: returns when the database can be led on, and raises TransientError when not; asked before each election.
        identity: looks whether database and Swarm are what they were; None: nobody looks.
        settings: of kinds that have some of their own.
    """

    def __init__(
        self,
        reconcilers: Mapping[str, Reconciler],
        *,
        lease: Lease,
        outside: Outside,
        listen: Listen,
        options: Options,
        tuning: LoopConfig,
        stopping: anyio.Event,
        recorder: Recorder | None = None,
        fit: Callable[[], Awaitable[None]] | None = None,
        identity: Identity | None = None,
        settings: Mapping[str, BaseModel] | None = None,
    ) -> None:
        self._fit = fit
        self._settings = settings
        self._reconcilers = reconcilers
        self._lease = lease
        self._outside = outside
        self._store = outside.store
        self._swarm = outside.swarm
        self._listen = listen
        self._options = options
        self._tuning = tuning
        self._stopping = stopping
        self._changed, self._released = Bell(), Bell()
        self._unelected = ""
        """Why the last try to be elected failed: said once."""
        self._identity = identity
        self.mismatch = ""
        """What is not as it was, while this process writes nothing for that reason."""
        self.recorder = Recorder() if recorder is None else recorder
        self.manager: Manager | None = None
        """There while this process leads."""

    async def run(self) -> None:
        """Run until told to stop."""
        async with anyio.create_task_group() as tasks:
            if self._tuning.hints:
                tasks.start_soon(forever, "database_hints", self._listen, self._changed, self._released)
                tasks.start_soon(forever, "engine_hints", self._swarm.hints, self._woken_by_engine)
            await forever("election", self._take_turns)
            tasks.cancel_scope.cancel()

    async def _take_turns(self) -> None:
        while not self._stopping.is_set():
            self._released.quiet()
            if await self._may_lead() and await self._elected():
                if not await self._lead():
                    await anyio.sleep(_STANDBY_SECONDS)
            else:
                await self._stand_by()

    async def _woken_by_engine(self, owners: Iterable[Key]) -> None:
        if self.manager is not None:
            self.manager.woken_by_engine(owners)

    # -- standing by ---------------------------------------------------------------------------------------------

    async def _elected(self) -> bool:
        try:
            if self._fit is not None:
                await self._fit()
            elected, said = await self._lease.acquire(self._swarm.silent_seconds), ""
        except TransientError as error:
            elected, said = False, error.message
            if said != self._unelected:
                log.warning("lease.unreachable", reason=error.reason, error=said)
        self._unelected = said
        return elected

    async def _may_lead(self) -> bool:
        """False while something is known not to be what it was; it is looked at again now and then."""
        if not self.mismatch:
            return True
        with anyio.move_on_after(_MISMATCH_SECONDS):
            await self._stopping.wait()
            return False
        await self._identified(lambda identity: identity.check())
        return not self.mismatch

    async def _identified(self, look: Callable[[Identity], Coroutine[Any, Any, object]]) -> bool:
        """Whether all is as it was; what is not is said, once."""
        if self._identity is None:
            return True
        found = ""
        try:
            await look(self._identity)
        except IdentityMismatchError as error:
            found = error.message
        except FencedError:
            return False
        except TransientError as error:
            log.warning("identity.unknown", error=error.message)
            return False
        if found and found != self.mismatch:
            log.error("identity.mismatch", error=found, mend="skypanel identity")
        elif self.mismatch and not found:
            log.info("identity.right_again")
        self.mismatch = found
        metrics.IDENTITY_MISMATCH.set(int(bool(found)))
        return not found

    async def _stand_by(self) -> None:
        """Until it is worth asking for the lease again."""
        if not self._swarm.synced:
            try:
                await self._swarm.refresh_all()
            except TransientError as error:
                log.warning("standby.cold", error=error.message)
        with anyio.move_on_after(min(_STANDBY_SECONDS, self._lease.seconds / 20)):
            async with anyio.create_task_group() as tasks:
                for wait in (self._stopping.wait, self._released.wait):
                    tasks.start_soon(_first, wait, tasks.cancel_scope)

    # -- leading -------------------------------------------------------------------------------------------------

    async def _lead(self) -> bool:
        """Lead until told to stop, or the lease is lost, or something is not what it was; False: not at all."""
        try:
            if not await self._identified(lambda identity: identity.claim(self._lease.epoch)):
                return False
            await self._work()
            return True
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await self._lease.release()
                except TransientError as error:
                    log.warning("lease.not_released", error=error.message)

    async def _work(self) -> None:
        manager = Manager(
            self._reconcilers,
            outside=self._outside,
            recorder=self.recorder,
            options=self._options,
            tuning=self._tuning,
            changed=self._changed,
            settings=self._settings,
        )
        self.manager = manager
        self.recorder.epoch = self._lease.epoch
        metrics.LEADER.set(1)
        metrics.LEASE_EPOCH.set(self._lease.epoch)
        structlog.contextvars.bind_contextvars(epoch=self._lease.epoch)
        log.info("lease.acquired", epoch=self._lease.epoch)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(forever, "renewal", self._keep_lease, tasks.cancel_scope)
                tasks.start_soon(forever, "lease_watch", self._watch_lease, tasks.cancel_scope)
                tasks.start_soon(forever, "identity_watch", self._watch_identity, tasks.cancel_scope)
                tasks.start_soon(manager.run)
                await self._stopping.wait()
                log.info("daemon.draining", seconds=self._tuning.drain_seconds)
                with anyio.move_on_after(self._tuning.drain_seconds) as drain:
                    await manager.drain()
                if drain.cancelled_caught:
                    log.warning("daemon.drain_cut", mend="the next start finishes the rest")
                tasks.cancel_scope.cancel()
        finally:
            self.manager = None
            metrics.LEADER.set(0)
            structlog.contextvars.unbind_contextvars("epoch")

    async def _keep_lease(self, scope: anyio.CancelScope) -> None:
        """Renew three times in a lease's life."""
        period = self._lease.seconds / 3
        pause = period
        while True:
            await anyio.sleep(pause)
            try:
                held, pause = await self._lease.renew(self._swarm.silent_seconds), period
                metrics.LEASE_RENEWALS.labels(result="renewed" if held else "lost").inc()
            except TransientError as error:
                metrics.LEASE_RENEWALS.labels(result="unreachable").inc()
                log.warning("lease.not_renewed", error=error.message)
                held, pause = self._lease.trusted, period / 10
            except Exception:  # noqa: BLE001 - the next try may succeed, and the clock watches over the lease
                failed("renewal")
                held, pause = self._lease.trusted, period / 10
            if not held:
                self._lost_lease(scope)
                return

    async def _watch_identity(self, scope: anyio.CancelScope) -> None:
        """Stop the work when database or Swarm are found not to be what they were."""
        while True:
            await anyio.sleep(self._tuning.resync_seconds)
            await self._identified(lambda identity: identity.check())
            if self.mismatch:
                scope.cancel()
                return

    async def _watch_lease(self, scope: anyio.CancelScope) -> None:
        """Stop the work when the lease cannot be trusted any more, whatever the call that renews it is waiting for."""
        while (rest := self._lease.trusted_seconds) > 0:  # noqa: ASYNC110 - it is the clock that decides
            await anyio.sleep(rest)
        self._lost_lease(scope)

    def _lost_lease(self, scope: anyio.CancelScope) -> None:
        if not scope.cancel_called:
            log.error("lease.lost", mend="another controller leads, or the database was away for too long; standing by")
            metrics.LEADER.set(0)
            scope.cancel()


async def _first(wait: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
    await wait()
    scope.cancel()
