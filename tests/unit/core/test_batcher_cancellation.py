"""A caller whose cancellation is under way before it waits: the others of its group are not held up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio
import anyio.lowlevel
import pytest

from controller.kit.batcher import Batcher

DEADLINE_SECONDS = 5.0


class Doubler:
    """A flush that waits until it is let go, and remembers its groups."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.go = anyio.Event()
        self.begun = anyio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.begun.set()
        await self.go.wait()
        return [2 * item for item in items]


async def _cancelled_before_it_waits(batcher: Batcher[int, int], item: int) -> None:
    """A submit whose task has a cancellation under way when it begins."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batcher.submit(item)
    task.uncancel()


def test_a_caller_that_is_cancelled_while_it_waits_does_not_hold_up_the_others() -> None:
    async def main() -> None:
        flush = Doubler()
        batcher = Batcher(flush)
        with anyio.fail_after(DEADLINE_SECONDS):
            first = asyncio.create_task(batcher.submit(0))
            await flush.begun.wait()
            await asyncio.create_task(_cancelled_before_it_waits(batcher, 1))
            last = asyncio.create_task(batcher.submit(2))
            await anyio.lowlevel.checkpoint()
            flush.go.set()
            assert (await first, await last) == (0, 4)
        assert flush.groups == [[0], [2]]

    anyio.run(main)
