"""The way from a process to the simulated database: where latency, lost replies and crashes are put in.

A store or a lease copies what it sends, then calls its link with the statement as an effect that happens at once.
``direct`` lets it happen and gives its result. A link that injects faults may wait before or after the effect, never
let it happen, or let it happen and raise ``DatabaseUnavailable``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, TypeVar

from controller.records import Key

R = TypeVar("R")


class Link(Protocol):
    """Does one statement.

    Args (of the call):
        operation: the store's method, or ``lease_acquire``, ``lease_renew``, ``lease_release``.
        keys: the objects that it is about; empty for all.
        effect: does it; raises what the database would.
    """

    async def __call__(self, operation: str, keys: tuple[Key, ...], effect: Callable[[], R], /) -> R: ...


async def direct(operation: str, keys: tuple[Key, ...], effect: Callable[[], R], /) -> R:
    """No latency, no fault."""
    return effect()


def now() -> float:
    """The database's clock: seconds of the running event loop."""
    return asyncio.get_running_loop().time()
