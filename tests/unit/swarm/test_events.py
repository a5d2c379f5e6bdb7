"""Windows of the event stream are asked for in the engine's time, whatever our clock says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import anyio
import pytest

from controller.swarm.events import WINDOW_SECONDS, EventStream

WINDOWS = 2


class Answer:
    """One answer of an engine whose clock is ``ahead``."""

    def __init__(self, ahead: float) -> None:
        self.headers = {"Date": format_datetime(datetime.fromtimestamp(time.time() + ahead, UTC), usegmt=True)}
        self.ended = threading.Event()

    def close(self) -> None:
        self.ended.set()

    shutdown = close


class Engine:
    """Ends a window at once when its end is past, and otherwise when it is closed."""

    def __init__(self, ahead: float) -> None:
        self.ahead = ahead
        self.asked: list[tuple[float, float, float]] = []
        """When it was asked, by its own clock, and from when to when."""

    def stream(self, path: str, query: Mapping[str, Any], *, idle_seconds: float) -> tuple[int, Any, Iterator[bytes]]:
        assert path == "/events"
        own, until = time.time() + self.ahead, float(query["until"])
        self.asked.append((own, float(query["since"]), until))
        answer = Answer(self.ahead)

        def chunks() -> Iterator[bytes]:
            if until > own:
                answer.ended.wait(idle_seconds)
            yield from ()

        return 200, answer, chunks()


@pytest.mark.anyio
async def test_a_clock_that_is_an_hour_behind_costs_one_window() -> None:
    engine = Engine(ahead=3600.0)
    stream = EventStream(engine, lambda event: None)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.run)
        with anyio.fail_after(10):
            while len(engine.asked) < WINDOWS:  # noqa: ASYNC110 - another thread asks
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    own, since, until = engine.asked[-1]
    assert own - 3 <= since <= own, "what happened between the windows is lost"
    assert own + WINDOW_SECONDS - 3 <= until <= own + WINDOW_SECONDS
