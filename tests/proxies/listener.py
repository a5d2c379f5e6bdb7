"""A unix socket served in a thread of its own, with the faults of a network: connections cut, refused, or silent.

The proxies beside it say what is done with a connection; tests call their methods from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]

_LIMIT = 1 << 20


class Listener:
    """Serves every connection to ``path`` with ``serve``, until it is told otherwise.

    Args:
        path: of the socket that is made; everybody may connect to it.
        serve: one connection, to its end; OSError and an early end of a stream end it without a word.
    """

    def __init__(self, path: Path, serve: Serve) -> None:
        self.path = path
        self._serve = serve
        self._loop = asyncio.new_event_loop()
        self._passing = asyncio.Event()
        self._ended = asyncio.Event()
        self._refusing = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._problems: list[BaseException] = []
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"proxy-{path.name}", daemon=True)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError(f"nobody listens at {self.path} yet")

    def stop(self) -> None:
        """Close everything; raises what went wrong in a connection, if something did."""
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self.path.unlink(missing_ok=True)
        if self._problems:
            raise self._problems[0]

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        self.call(self._cut)

    def freeze(self) -> None:
        """Keep all connections open, take new ones, and pass nothing, as a network does that drops packets."""
        self.call(self._passing.clear)

    def heal(self) -> None:
        """Pass everything again."""
        self.call(self._heal)

    def call(self, what: Callable[[], None]) -> None:
        """Do ``what`` in the thread of the connections, and wait until it is done."""
        done = threading.Event()

        def do() -> None:
            what()
            done.set()

        self._loop.call_soon_threadsafe(do)
        if not done.wait(10):
            raise RuntimeError(f"the thread of {self.path} does not answer")

    # -- for what serves, in the thread of the connections ---------------------------------------------------------

    async def passage(self) -> None:
        """Go on only when nothing is frozen."""
        await self._passing.wait()

    async def connect(self, target: Path) -> Stream:
        """A connection onwards, which is cut with the others."""
        reader, writer = await asyncio.open_unix_connection(str(target), limit=_LIMIT)
        self._writers.add(writer)
        return reader, writer

    def close(self, writer: asyncio.StreamWriter) -> None:
        """End a connection at once."""
        writer.transport.abort()
        self._writers.discard(writer)

    def _cut(self) -> None:
        self._refusing = True
        for writer in list(self._writers):
            writer.transport.abort()
        for task in self._tasks:  # one that waits for a passage sees no end of its stream
            task.cancel()

    def _heal(self) -> None:
        self._refusing = False
        self._passing.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._passing.set()
        server = await asyncio.start_unix_server(self._accept, str(self.path), limit=_LIMIT)
        self.path.chmod(0o666)
        self._started.set()
        await self._ended.wait()
        server.close()
        self._cut()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0)  # the transports say good-bye in the next round

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        self._writers.add(writer)
        task = self._loop.create_task(self._guarded(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _guarded(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(reader, writer)
        except Exception as error:  # noqa: BLE001 - said by stop
            self._problems.append(error)
        finally:
            self.close(writer)
