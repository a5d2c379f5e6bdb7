"""A relay between a client and a unix socket that can be cut and frozen: a network's faults, on a local socket."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path


class Relay:
    """Listens at ``path`` and passes everything to ``target``, until it is told otherwise.

    ``cut`` closes every connection and refuses new ones; ``freeze`` keeps them open and passes nothing, as a
    network does that drops packets.
    """

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._ended = asyncio.Event()
        self._serving = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._refusing = False
        self._thread = threading.Thread(target=self._run, name=f"relay-{path.name}", daemon=True)
        self._started = threading.Event()

    def start(self) -> Relay:
        """Listen."""
        self._thread.start()
        if not self._started.wait(10):
            raise RuntimeError(f"the relay at {self.path} did not start")
        return self

    def stop(self) -> None:
        """Close everything."""
        self._call(self._cut)
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(10)
        self.path.unlink(missing_ok=True)

    def cut(self) -> None:
        """Close all connections and refuse new ones."""
        self._call(self._cut)

    def freeze(self) -> None:
        """Pass nothing any more, and say nothing either."""
        self._call(self._open.clear)

    def heal(self) -> None:
        """Pass everything again."""
        self._call(self._heal)

    def _call(self, what: object) -> None:
        done = threading.Event()

        def do() -> None:
            what()  # type: ignore[operator]
            done.set()

        self._loop.call_soon_threadsafe(do)
        done.wait(10)

    def _cut(self) -> None:
        self._refusing = True
        for writer in list(self._writers):
            writer.transport.abort()

    def _heal(self) -> None:
        self._refusing = False
        self._open.set()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        self.path.unlink(missing_ok=True)
        self._open.set()
        server = await asyncio.start_unix_server(self._serve, str(self.path))
        self.path.chmod(0o666)
        self._started.set()
        await self._ended.wait()
        server.close()
        self._open.set()
        while self._serving:
            self._cut()
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        try:
            other_reader, other_writer = await asyncio.open_unix_connection(str(self._target))
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, other_writer}
        self._serving += 1
        try:
            await asyncio.gather(self._pass(reader, other_writer), self._pass(other_reader, writer))
        finally:
            self._writers -= {writer, other_writer}
            self._serving -= 1

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
