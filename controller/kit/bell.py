"""A bell: anybody rings it, one waits for it, and what rang while nobody waited is heard all the same."""

from __future__ import annotations

import anyio


class Bell:
    """Says that there may be something new, and nothing else: what it is has to be looked for."""

    def __init__(self) -> None:
        self._rang = anyio.Event()

    def ring(self) -> None:
        """There may be something new."""
        self._rang.set()

    def quiet(self) -> None:
        """What rang until now needs no answer: whoever calls this is about to look."""
        self._rang = anyio.Event()

    async def wait(self) -> None:
        """Until it rang, since ``quiet`` or since the last ``wait`` came back."""
        await self._rang.wait()
        self.quiet()
