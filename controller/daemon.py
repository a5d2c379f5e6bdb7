"""The daemon: puts the parts together, and ends well.

SIGTERM or SIGINT: not ready any more -> no new work -> running reconciles end (within the drain time) -> the lease is
given back -> connections close. A second signal ends at once. The HTTP API beside it is told to end with the signal.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import anyio
import anyio.abc
import structlog
from pydantic import BaseModel
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from controller.api_process import ApiProcess
from controller.loop import metrics as loop_metrics
from controller.loop import spans
from controller.loop.election import Candidate
from controller.loop.identity import Identity
from controller.loop.loops import forever
from controller.loop.outside import Outside
from controller.loop.trace import Recorder
from controller.postgres.database import Database
from controller.probes import HealthServer, ListenError
from controller.records import Key
from controller.registry.addresses import Reach
from controller.registry.images import RegistryImages
from controller.registry.mirrors import Mirrors
from controller.schema.fitness import Fitness
from controller.settings import Settings
from controller.sources.adapter import GitSources
from controller.sources.hosts import Hosts
from controller.sources.statuses import CommitStatuses
from controller.store.audit_sealing import keep_sealed
from controller.store.identity import Register
from controller.store.key_watch import KeyWatch
from controller.store.lease import Lease
from controller.store.listener import listen
from controller.store.state import StateStore
from controller.swarm import metrics as swarm_metrics
from controller.swarm import routers
from controller.swarm.adapter import SwarmAdapter
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineUnavailable, UnsupportedEngine
from controller.swarm.identity import Marks
from controller.swarm.local_images import LocalImages
from controller.swarm.types import BY_NAME, WRITTEN
from controller.telemetry import loop_lag, metrics
from reconcilers.images import Images
from reconcilers.outcomes import TransientError
from reconcilers.port import Place, Port, adapters
from reconcilers.registry import programs, registered
from reconcilers.sources import Sources
from specs import installed

log = structlog.get_logger(__name__)

_ENGINE_RETRY_SECONDS = 5.0


class Daemon:
    """One controller process.

    Args:
        settings: of the controller.
        of_kinds: that kinds have of their own.
        api: the environment of the HTTP API beside it; None: there is none.
    """

    def __init__(
        self, settings: Settings, of_kinds: Mapping[str, BaseModel], api: Mapping[str, str] | None = None
    ) -> None:
        self._settings = settings
        self._spans = spans.from_environment(os.environ, settings.skypanel_installation)
        self._client = EngineClient.at(
            settings.engine_host, tls=settings.tls, max_connections=settings.skypanel_docker_connections
        )
        self._database = Database(
            settings.database_url.get_secret_value(), connections=settings.skypanel_database_connections
        )
        self._lease = Lease(self._database, settings.skypanel_installation, settings.skypanel_lease_seconds)
        self._store = StateStore(self._database, self._lease, kinds=programs())
        self._fitness = Fitness(self._database)
        edge = settings.skypanel_edge_api_url.get_secret_value()
        self._cluster = SwarmAdapter(
            self._client, settings.skypanel_installation, edge=routers.traefik(edge) if edge else None
        )
        self._client.guard = self._lease.guard
        self._stopping = anyio.Event()
        self._api = None if api is None else ApiProcess(api, self._stopping)
        self._server: HealthServer | None = None
        self._process = Candidate(
            registered(),
            lease=self._lease,
            outside=Outside.of(
                self._store,
                self._cluster,
                options=settings.options,
                tuning=settings.tuning,
                vault=settings.vault,
                ports=_ports(
                    settings.skypanel_installation, self._lease.guard, {Images: self._images, Sources: self._sources}
                ),
            ),
            listen=partial(listen, self._database.conninfo),
            options=settings.options,
            tuning=settings.tuning,
            stopping=self._stopping,
            recorder=Recorder(self._spans),
            fit=self._fitness.check,
            identity=Identity(
                Register(self._database, self._lease),
                Marks(self._client, settings.skypanel_installation),
                settings.skypanel_installation,
            ),
            settings=of_kinds,
        )

    async def run(self) -> None:
        """Run until a signal.

        Raises:
            UnsupportedEngine: the engine is too old or not a manager; nothing was touched.
            ListenError: the address of /metrics is taken.
            TracingError: spans are asked for and cannot be had.
        """
        metrics.initialise()
        swarm_metrics.initialise()
        loop_metrics.initialise({kind: r.concurrency for kind, r in registered().items()}, BY_NAME, WRITTEN)
        metrics.DATABASE_UP.set_function(lambda: float(self._database.up))
        loop_metrics.LEASE_LEFT.set_function(lambda: self._lease.remaining_seconds)
        listener = self._bind()
        refused: UnsupportedEngine | None = None
        await self._database.open()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(forever, "http", self._serve, listener)
                tasks.start_soon(forever, "signals", self._signals)
                tasks.start_soon(forever, "event_loop", loop_lag.measure)
                tasks.start_soon(forever, "audit", keep_sealed, self._database)
                tasks.start_soon(forever, "statuses", self._statuses().run)
                tasks.start_soon(forever, "keys", KeyWatch(self._database, self._settings.vault).run)
                try:
                    async with anyio.create_task_group() as beside:
                        if self._api is not None:
                            beside.start_soon(forever, "api", self._api.run)
                        try:
                            await self._unless_stopped(self._wait_for_engine)
                            await self._process.run()
                        finally:
                            self._stopping.set()
                except* UnsupportedEngine as group:
                    refused = _first(group)
                if self._server is not None:
                    self._server.should_exit = True
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._database.close()
                if self._spans is not None:
                    await self._spans.close()
            self._client.close()
            listener.close()
            log.info("daemon.stopped")
        if refused is not None:
            raise refused

    def _images(self) -> RegistryImages:
        reach = Reach(self._settings.skypanel_allowed_registries, self._settings.skypanel_insecure_registries)
        mirrors = Mirrors(reach, self._settings.registry_mirrors)
        return RegistryImages(LocalImages(self._client), reach, mirrors=mirrors)

    def _sources(self) -> GitSources:
        return GitSources(self._settings, self._database, self._lease)

    def _statuses(self) -> CommitStatuses:
        hosts = Hosts(self._settings.skypanel_source_hosts)
        return CommitStatuses(self._database, self._lease, self._settings.vault, hosts)

    async def _serve(self, listener: socket.socket) -> None:
        self._server = HealthServer(self._checks, self._reconciles)
        await self._server.serve([listener.dup()])  # it closes what it is given

    def _bind(self) -> socket.socket:
        try:
            host, port = self._settings.listen
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            return socket.create_server((host, port), family=family)
        except (OSError, ValueError) as error:
            where = self._settings.skypanel_listen if isinstance(error, OSError) else "what SKYPANEL_LISTEN says"
            raise ListenError(
                f"cannot listen on {where} for /metrics, /healthz and /readyz ({error}): set SKYPANEL_LISTEN to a free "
                "host:port"
            ) from error

    async def _wait_for_engine(self) -> None:
        """Wait for an engine that answers; refuse one that cannot be used."""
        attempts = AsyncRetrying(
            retry=retry_if_exception_type(EngineUnavailable),
            wait=wait_random_exponential(multiplier=0.5, max=_ENGINE_RETRY_SECONDS),
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

    async def _signals(self) -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as received:
            async for number in received:
                if self._stopping.is_set():
                    log.warning("daemon.killed")
                    os._exit(128 + number)
                log.info("daemon.stopping", signal=signal.Signals(number).name)
                self._stopping.set()

    def _checks(self) -> dict[str, Any]:
        manager = self._process.manager
        leads, mismatch = manager is not None, self._process.mismatch
        synced = bool(manager and manager.synced)
        return {
            "ready": not (self._stopping.is_set() or mismatch)
            and self._database.up
            and (synced or not (leads or self._fitness.refused)),
            "role": "leader" if leads else "standby",
            "epoch": self._lease.epoch,
            "database": self._database.up,
            "unfit": self._fitness.refused,
            "synced": synced,
            **({"mismatch": mismatch} if mismatch else {}),
        }

    async def _reconciles(self, kind: str, object_id: str) -> dict[str, Any]:
        """For ``skypanel trace``: the last reconciles of one object, and who leads."""
        leads = self._process.manager is not None
        leader: str | None = self._lease.holder if leads else None
        if not leads:
            try:
                leader = await self._lease.leader()
            except TransientError as error:
                log.warning("leader.unknown", error=error.message)
        return {
            "role": "leader" if leads else "standby",
            "holder": self._lease.holder,
            "leader": leader,
            "epoch": self._process.recorder.epoch,
            "reconciles": self._process.recorder.last(Key(kind, object_id)),
        }


def _first(group: BaseExceptionGroup[UnsupportedEngine]) -> UnsupportedEngine:
    """Of a group of nothing else, however deep in it."""
    found = group.exceptions[0]
    return _first(found) if isinstance(found, BaseExceptionGroup) else found


def _say_unavailable(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    log.warning("engine.unavailable", error=str(error), retry_in=round(state.upcoming_sleep, 1))


async def run(settings: Settings, of_kinds: Mapping[str, BaseModel], api: Mapping[str, str] | None = None) -> None:
    """Run one controller process until a signal, with the HTTP API beside it where it is given its environment."""
    for said in installed.broken():
        log.error("kinds.broken", error=said)
    await Daemon(settings, of_kinds, api).run()


def _ports(
    installation: str, guard: Callable[[], None], own: Mapping[type[Port], Callable[[], Port]]
) -> dict[type[Port], Port]:
    """The real adapter of every port that a kind uses; ``own`` are made from parts of this process."""
    place = Place(installation, os.environ, guard)
    makers: dict[type[Port], Callable[[], Port]] = {port: partial(make, place) for port, make in adapters().items()}
    makers.update(own)
    used = {port for made in registered().values() for port in made.uses}
    return {port: makers[port]() for port in used if port in makers}
