"""The engine's event stream, as hints: which objects to read again.

Events are lossy by construction (a ring of 256, a subscriber that is skipped when it is slow, a stream that has gone
silent before), so nothing depends on them but speed: after every (re)connection everything is listed. The stream is
read by a daemon thread in windows of bounded length, so that a stream that died without a word is noticed.

A window is asked for in the engine's time, which each answer says: a clock of ours that is behind would ask for windows
that are already over, again and again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import anyio
import orjson
import structlog
import urllib3

from controller.kit import clock
from controller.swarm.errors import EngineError, classify
from controller.swarm.metrics import ENGINE_HINTS
from controller.swarm.types import LISTS
from controller.telemetry.metrics import LOOP_FAILURES

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 60
_SHORTEST_WINDOW_SECONDS = 0.5
_RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
# Health checks of containers are events too, several a second; they are left out.
_ACTIONS = ["create", "update", "remove", "destroy", "connect", "disconnect", "start", "die"]
_CONTAINER_ACTIONS = {"start", "die"}


@dataclass(frozen=True, slots=True)
class Hint:
    """Something happened to an object: ``type`` is one of the objects', ``container`` or ``connected``."""

    type: str
    action: str
    id: str
    attributes: dict[str, str]


class Source(Protocol):
    """What gives the stream."""

    def stream(self, path: str, query: Mapping[str, Any], *, idle_seconds: float) -> tuple[int, Any, Iterator[bytes]]:
        """An endless answer, in the calling thread: its status, the response and its chunks."""


class EventStream:
    """Feeds ``on_event`` in the event loop's thread until cancelled.

    Args:
        source: the engine.
        on_event: gets every event document, and None whenever the stream begins anew.
    """

    def __init__(self, source: Source, on_event: Callable[[dict[str, Any] | None], None]) -> None:
        self._source = source
        self._on_event = on_event
        self._stopping = threading.Event()
        self._response: Any = None
        self._ahead = 0.0
        """How far the engine's clock is ahead of ours, to a second."""

    async def run(self) -> None:
        """Read until cancelled."""
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._read, args=(loop,), name="engine-events", daemon=True).start()
        try:
            await anyio.sleep_forever()
        finally:
            self._stop()

    def _stop(self) -> None:
        self._stopping.set()
        response = self._response
        if response is not None:
            with suppress(ValueError, RuntimeError, OSError):  # between two windows there is nothing to wake
                response.shutdown()  # wakes the thread out of its read; closing would wait for it

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        failures = 0
        connected = False
        since = self._engine_time()
        while not self._stopping.is_set():
            opened = clock.monotonic()
            try:
                for event in self._window(since):
                    if event is None:
                        if not connected:
                            loop.call_soon_threadsafe(self._tell, None)
                        connected, failures = True, 0
                        continue
                    loop.call_soon_threadsafe(self._tell, event)
                since = self._engine_time() - 1.0
                if clock.monotonic() - opened < _SHORTEST_WINDOW_SECONDS:  # somebody has set one of the clocks
                    self._stopping.wait(_SHORTEST_WINDOW_SECONDS)
            except (EngineError, urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
                if self._stopping.is_set():
                    return
                connected = False
                ENGINE_HINTS.lost()
                delay = _RETRY_SECONDS[min(failures, len(_RETRY_SECONDS) - 1)]
                failures += 1
                log.warning("hints.lost", stream="engine", error=str(error), retry_in=delay)
                self._stopping.wait(delay)
                since = self._engine_time()
            except Exception:
                if self._stopping.is_set() or loop.is_closed():
                    return
                log.exception("loop.failed", loop="engine_events")
                LOOP_FAILURES.labels(loop="engine_events").inc()
                connected = False
                self._stopping.wait(_RETRY_SECONDS[-1])
                since = self._engine_time()

    def _engine_time(self) -> float:
        return clock.wall() + self._ahead

    def _window(self, since: float) -> Iterator[dict[str, Any] | None]:
        query = {
            "since": f"{since:.6f}",
            "until": str(int(self._engine_time()) + WINDOW_SECONDS),
            "filters": {"type": [*LISTS, "container"], "event": _ACTIONS},
        }
        status, self._response, chunks = self._source.stream("/events", query, idle_seconds=WINDOW_SECONDS + 15)
        if status >= 400:
            raise classify(status, self._response.read().decode(errors="replace"))
        if date := self._response.headers.get("Date"):
            self._ahead = parsedate_to_datetime(date).timestamp() - clock.wall()
        ENGINE_HINTS.connected()
        yield None
        rest = b""
        try:
            for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    if line.strip():
                        ENGINE_HINTS.heard()
                        yield orjson.loads(line)
        finally:
            self._response.close()  # here, in the thread that reads: elsewhere it would wait for the read

    def _tell(self, event: dict[str, Any] | None) -> None:
        if not self._stopping.is_set():
            self._on_event(event)


def parse(event: Mapping[str, Any] | None) -> Hint | None:
    """What an event document means to us; None when it means nothing."""
    if event is None:
        return Hint("connected", "", "", {})
    kind, action = event.get("Type", ""), event.get("Action", "")
    actor = event.get("Actor") or {}
    attributes = actor.get("Attributes") or {}
    if kind == "container" and (action not in _CONTAINER_ACTIONS or "com.docker.swarm.service.id" not in attributes):
        return None
    return Hint(kind, action, actor.get("ID", ""), attributes)
