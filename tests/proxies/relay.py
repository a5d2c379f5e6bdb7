"""A relay that understands nothing of what it passes: for the faults of the connection alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.proxies.listener import Listener


class Relay:
    """Listens at ``path`` and passes everything to ``target``, until it is told otherwise."""

    def __init__(self, path: Path, target: Path) -> None:
        self._target = target
        self._listener = Listener(path, self._serve)
        self.cut, self.freeze, self.heal = self._listener.cut, self._listener.freeze, self._listener.heal
        self.stop = self._listener.stop

    def start(self) -> Relay:
        """Listen."""
        self._listener.start()
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await self._listener.connect(self._target)
        try:
            await asyncio.gather(self._pass(reader, onward_writer), self._pass(onward_reader, writer))
        finally:
            self._listener.close(onward_writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._listener.passage()
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()
