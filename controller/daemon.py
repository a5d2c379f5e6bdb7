"""The daemon: puts the parts together, leads or stands by, and ends well.

SIGTERM or SIGINT: not ready any more -> no new work -> running reconciles end (within the drain time) -> the lease is
given back -> connections close. A second signal ends at once. A lost lease stops the work without grace, and the
process stands by again.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.abc
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

import reconcilers  # noqa: F401 - registers all kinds
from controller import metrics
from controller.api.health import HealthServer, ListenError
from controller.engine.manager import Manager
from controller.settings import Settings
from controller.store.database import Database
from controller.store.lease import Lease
from controller.store.listener import listen
from controller.store.store import Store
from controller.swarm.client import EngineClient, UnsupportedEngine
from controller.swarm.cluster import Cluster
from controller.swarm.errors import EngineUnavailable
from reconcilers.outcomes import TransientError
from reconcilers.registry import registered

log = structlog.get_logger(__name__)

_STANDBY_SECONDS = 1.0
_ENGINE_RETRY_SECONDS = 5.0


class Daemon:
    """One controller process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = EngineClient(
            settings.engine_host, tls=settings.tls, max_connections=settings.skypanel_docker_connections
        )
        self._database = Database(
            settings.database_url.get_secret_value(), connections=settings.skypanel_database_connections
        )
        self._lease = Lease(self._database, settings.skypanel_installation, settings.skypanel_lease_seconds)
        self._store = Store(self._database, self._lease)
        self._cluster = Cluster(self._client, settings.skypanel_installation)
        self._manager: Manager | None = None
        self._stopping = anyio.Event()

    async def run(self) -> None:
        """Run until a signal.

        Raises:
            UnsupportedEngine: the engine is too old or not a manager; nothing was touched.
            ListenError: the address of /metrics is taken.
        """
        metrics.initialise(list(registered()))
        listener = self._bind()
        refused: UnsupportedEngine | None = None
        await self._database.open()
        try:
            async with anyio.create_task_group() as tasks:
                server = HealthServer(self._checks)
                tasks.start_soon(server.serve, [listener])
                tasks.start_soon(self._signals)
                try:
                    await self._unless_stopped(self._wait_for_engine)
                    await self._lead_or_stand_by()
                except* UnsupportedEngine as group:
                    refused = next(e for e in group.exceptions if isinstance(e, UnsupportedEngine))
                server.should_exit = True
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._database.close()
            self._client.close()
            listener.close()
            log.info("daemon.stopped")
        if refused is not None:
            raise refused

    def _bind(self) -> socket.socket:
        host, _, port = self._settings.skypanel_listen.rpartition(":")
        try:
            return socket.create_server((host or "127.0.0.1", int(port)))
        except (OSError, ValueError) as error:
            raise ListenError(
                f"cannot listen on {self._settings.skypanel_listen} for /metrics, /healthz and /readyz ({error}): set "
                "SKYPANEL_LISTEN to a free host:port"
            ) from error

    async def _wait_for_engine(self) -> None:
        """Wait for an engine that answers; refuse one that cannot be used."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(EngineUnavailable),
            wait=wait_exponential_jitter(initial=0.5, max=_ENGINE_RETRY_SECONDS),
            sleep=anyio.sleep,
            before_sleep=_say_unavailable,
        )
        version: dict[str, Any] = await attempts(self._client.check)
        log.info(
            "daemon.started",
            installation=self._settings.skypanel_installation,
            engine=version.get("Version"),
            api=self._client.api_version,
            hints=self._settings.skypanel_hints,
            listen=self._settings.skypanel_listen,
        )

    async def _unless_stopped(self, wait: Callable[[], Awaitable[None]]) -> None:
        async with anyio.create_task_group() as tasks:

            async def stop() -> None:
                await self._stopping.wait()
                tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            await wait()
            tasks.cancel_scope.cancel()

    async def _lead_or_stand_by(self) -> None:
        while not self._stopping.is_set():
            try:
                leads = await self._lease.acquire()
            except TransientError as error:
                log.warning("lease.unreachable", error=error.message)
                leads = False
            if leads:
                await self._lead()
            else:
                with anyio.move_on_after(min(_STANDBY_SECONDS, self._settings.skypanel_lease_seconds / 5)):
                    await self._stopping.wait()

    async def _lead(self) -> None:
        settings = self._settings
        manager = Manager(
            registered(),
            store=self._store,
            swarm=self._cluster,
            options=settings.options,
            listen=lambda on_hint: listen(self._database.conninfo, on_hint),
            hints=settings.skypanel_hints,
            resync_seconds=settings.skypanel_resync_seconds,
            poll_seconds=settings.skypanel_poll_seconds,
            task_poll_seconds=settings.skypanel_task_poll_seconds,
            quarantine_seconds=settings.skypanel_subnet_quarantine_seconds,
            fuse_share=settings.skypanel_gc_fuse_share,
            fuse_minimum=settings.skypanel_gc_fuse_minimum,
        )
        self._manager = manager
        metrics.LEADER.set(1)
        metrics.LEASE_EPOCH.set(self._lease.epoch)
        structlog.contextvars.bind_contextvars(epoch=self._lease.epoch)
        log.info("lease.acquired", epoch=self._lease.epoch)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._keep_lease, tasks.cancel_scope)
                tasks.start_soon(self._watch_lease, tasks.cancel_scope)
                tasks.start_soon(manager.run)
                await self._stopping.wait()
                log.info("daemon.draining", seconds=settings.skypanel_drain_seconds)
                with anyio.move_on_after(settings.skypanel_drain_seconds) as drain:
                    await manager.drain()
                if drain.cancelled_caught:
                    log.warning("daemon.drain_cut", mend="the next start finishes what was left")
                tasks.cancel_scope.cancel()
        finally:
            self._manager = None
            metrics.LEADER.set(0)
            structlog.contextvars.unbind_contextvars("epoch")
            with anyio.CancelScope(shield=True):
                try:
                    await self._lease.release()
                except TransientError as error:
                    log.warning("lease.not_released", error=error.message)

    async def _keep_lease(self, scope: anyio.CancelScope) -> None:
        """Renew three times in a lease's life."""
        period = self._lease.seconds / 3
        pause = period
        while True:
            await anyio.sleep(pause)
            try:
                held, pause = await self._lease.renew(), period
            except TransientError as error:
                log.warning("lease.not_renewed", error=error.message)
                held, pause = self._lease.trusted, period / 10
            if not held:
                self._lost_lease(scope)
                return

    async def _watch_lease(self, scope: anyio.CancelScope) -> None:
        """Stop the work when the lease cannot be trusted any more, whatever the call that renews it is waiting for."""
        while self._lease.trusted:  # noqa: ASYNC110 - it is the clock that decides
            await anyio.sleep(self._lease.seconds / 20)
        self._lost_lease(scope)

    def _lost_lease(self, scope: anyio.CancelScope) -> None:
        if not scope.cancel_called:
            log.error("lease.lost", mend="another controller leads, or the database was away for too long; standing by")
            metrics.LEADER.set(0)
            scope.cancel()

    async def _signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for number in received:
                if self._stopping.is_set():
                    log.warning("daemon.killed")
                    os._exit(128 + number)
                log.info("daemon.stopping", signal=signal.Signals(number).name)
                self._stopping.set()

    def _checks(self) -> dict[str, Any]:
        metrics.DATABASE_UP.set(int(self._database.up))
        leads = self._manager is not None
        synced = bool(self._manager and self._manager.synced)
        return {
            "ready": not self._stopping.is_set() and self._database.up and (synced or not leads),
            "role": "leader" if leads else "standby",
            "epoch": self._lease.epoch,
            "database": self._database.up,
            "synced": synced,
        }


def _say_unavailable(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("engine.unavailable", error=str(error), retry_in=round(state.upcoming_sleep, 1))


async def run(settings: Settings) -> None:
    """Run one controller process until a signal."""
    await Daemon(settings).run()
