"""The fuse: an empty, old or wrong database must not empty the cluster, and no slip may stop everybody.

Before anything is taken away (objects of an owner that is gone, a process that runs, a host name that is routed), one
look at the database says what of all that lives would be lost. Three rules, the first that fits:

1. What is absent, its row gone without a deletion, waits for a confirmation, however little it is.
2. When more is lost than a small number and than a share of what lived within the last minutes, the fuse trips: nothing
   at all is lost but what was confirmed, owner by owner, until nothing waits any more. It is latched in the database.
3. Everything else goes on.

One look serves all keys that ask. What waits is a row an owner (``skypanel gc``), and nobody polls: a confirmation
wakes its owner through the change log, and so does a row that is written back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import structlog
from anyio.lowlevel import checkpoint

from controller.kit import clock
from controller.kit.batcher import Batcher
from controller.loop.metrics import FUSE_DOOMED, FUSE_TRIPPED
from controller.loop.ports import Store, Swarm
from controller.records import Assessment, Key, Loss
from reconcilers import conditions
from reconcilers.outcomes import ConflictError, NotReadyError, TransientError

log = structlog.get_logger(__name__)

WINDOW_SECONDS = 600.0
"""Losses within so long count together."""
_FRESH_SECONDS, _FRESH_TIMES = 0.5, 10.0
"""A look serves for so long, or for so many times as long as it took."""
_ASK_AGAIN_SECONDS = 600.0
_TOGETHER = 100_000
CHANGED = "fuse"
"""Kind of the change log's entry that says that something was confirmed."""


class FuseTrippedError(NotReadyError):
    """It waits for a confirmation."""

    def __init__(self, loss: Loss, *, tripped: bool) -> None:
        mend = "review it with `skypanel gc`; confirm it with `skypanel gc --confirm`, or restore the missing rows"
        if loss.why == "absent" and not tripped:
            why = "its row is missing and nobody deleted it (an emptied table, an older copy of the database?)"
        elif loss.why == "absent":
            why = "its row is missing and nobody deleted it, and more than this would be removed"
        else:
            why = "together with all other removals it is more than may be removed without a confirmation"
        super().__init__(conditions.FUSE_TRIPPED, f"nothing is removed: {why}; {mend}", retry_after=_ASK_AGAIN_SECONDS)


class HiddenRowsError(TransientError):
    """Nothing can be said about what is lost."""

    def __init__(self, tables: str) -> None:
        super().__init__(
            "SnapshotMissing",
            f"nothing is removed: row-level security of {tables} may hide rows from the owner of skypanel's views; "
            "`skypanel doctor` shows the statement that fixes it",
        )


class Amount(NamedTuple):
    """How much lives, or is lost."""

    objects: int = 0
    processes: int = 0
    hosts: int = 0


class Peak:
    """The most that lived within the window."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, Amount]] = deque()

    def see(self, amount: Amount) -> None:
        """So much lives now; what is older than the window, or less, is forgotten."""
        now = clock.monotonic()
        while self._seen and self._seen[0][0] < now - WINDOW_SECONDS:
            self._seen.popleft()
        while self._seen and all(a <= b for a, b in zip(self._seen[-1][1], amount, strict=True)):
            self._seen.pop()
        self._seen.append((now, amount))

    def forget(self) -> None:
        """What went was meant to."""
        self._seen.clear()

    def __call__(self) -> Amount:
        """By each measure."""
        return Amount(*(max(values) for values in zip(*(a for _, a in self._seen), strict=True)))


def too_much(lost: Amount, live: Amount, peak: Amount, *, share: float, minimum: int) -> bool:
    """Whether so much must not go without asking: with what went within the window, of what lived then."""
    return any(
        pending and most - now + pending > max(minimum, share * most)
        for pending, now, most in zip(lost, live, peak, strict=True)
    )


class Fuse:
    """Decides whether something may be taken away.

    Args:
        share: of what lives.
        minimum: so many may always go, by each measure.
    """

    def __init__(self, store: Store, swarm: Swarm, *, share: float, minimum: int) -> None:
        self._store = store
        self._swarm = swarm
        self._share = share
        self._minimum = minimum
        self._peak = Peak()
        self._looks: Batcher[None, Assessment] = Batcher(self._look, limit=_TOGETHER)
        self._latest: Assessment | None = None
        self._fresh_until = float("-inf")
        self._changes = 0
        self._waiting: Mapping[Key, Loss] = {}
        self.tripped = False

    async def removal(self, key: Key) -> None:
        """Return when everything of ``key`` may be removed.

        Raises:
            FuseTrippedError: it waits for a confirmation.
            ConflictError: the key is wanted, as far as the database says now.
            HiddenRowsError: what the database says cannot be trusted.
        """
        assessment = await self._assessed(key)
        loss = assessment.lost.get(key)
        if loss is None or loss.why == "reduced":
            raise ConflictError("StillWanted", f"{key} is wanted after all; retrying")
        self._judge(assessment, loss)

    async def reduction(self, key: Key) -> None:
        """Return when a part of ``key``, which stays, may stop or lose its routes.

        Raises:
            FuseTrippedError: it waits for a confirmation.
            HiddenRowsError: what the database says cannot be trusted.
        """
        assessment = await self._assessed(key)
        loss = assessment.lost.get(key)
        if loss is not None:  # else somebody else serves it: a host name that moved is not lost
            self._judge(assessment, loss)

    def _judge(self, assessment: Assessment, loss: Loss) -> None:
        if not loss.confirmed and (assessment.tripped or loss.why == "absent"):
            raise FuseTrippedError(loss, tripped=assessment.tripped)

    async def compared(self, *, deep: bool) -> None:
        """Look again when something waits, or the comparison was a ``deep`` one; called after each.

        Raises:
            HiddenRowsError: what the database says cannot be trusted.
        """
        if deep or self._waiting or self.tripped:
            await self._looks.submit(None)

    async def settled(self) -> None:
        """Look again when all that waits was confirmed: it closes when that is gone, and not at the next comparison."""
        if self._waiting and all(loss.confirmed for loss in self._waiting.values()):
            with suppress(HiddenRowsError):  # it has said so
                await self._looks.submit(None)

    def sample(self) -> None:
        """Remember how much lives; called now and then."""
        self._peak.see(Amount(*self._swarm.amounts()))

    def changed(self) -> None:
        """Something was confirmed: the last look serves no longer."""
        self._latest = None
        self._changes += 1

    async def _assessed(self, key: Key) -> Assessment:
        """A look that knows ``key``; a new one, begun from now on, when the last does not, or is old."""
        latest = self._latest
        if latest is not None and key in latest.lost and clock.monotonic() < self._fresh_until:
            return latest
        return await self._looks.submit(None)

    async def _look(self, asked: Sequence[None]) -> list[Assessment]:
        started, changes = clock.monotonic(), self._changes
        holdings = await self._swarm.holdings()
        live = Amount(*self._swarm.amounts())
        found = await self._store.assess_losses(holdings)
        if found.hidden:
            log.error("database.rows_hidden", tables=found.hidden, mend="skypanel doctor")
            raise HiddenRowsError(found.hidden)
        await checkpoint()
        pending = [loss for loss in found.lost.values() if not loss.confirmed]
        if len(pending) < len(found.lost):
            self._peak.forget()
        self._peak.see(live)
        lost = Amount(*(sum(column) for column in zip(*(loss[1:4] for loss in pending), strict=True)))
        limits = {"share": self._share, "minimum": self._minimum}
        trips = too_much(lost, live, self._peak(), share=self._share, minimum=self._minimum)
        tripped = bool(pending) and (found.tripped or trips)
        if tripped and not found.tripped:
            log.error("gc.fuse_tripped", lost=lost._asdict(), live=live._asdict(), mend="skypanel gc", **limits)
        elif found.tripped and not tripped:
            log.info("gc.fuse_reset")
        await self._record(found, tripped=tripped, live=live.objects)
        found = Assessment(tripped, "", found.recorded, found.lost)
        self._latest = found if changes == self._changes else None
        self._fresh_until = clock.monotonic() + max(_FRESH_SECONDS, _FRESH_TIMES * (clock.monotonic() - started))
        return [found] * len(asked)

    async def _record(self, found: Assessment, *, tripped: bool, live: int) -> None:
        """Write down what waits, where that differs from what is on record."""
        await checkpoint()
        waiting = {key: o for key, o in found.lost.items() if tripped or o.confirmed or o.why == "absent"}
        if (tripped, len(waiting)) != (found.tripped, found.recorded) or waiting != self._waiting:
            await self._store.record_losses(waiting, tripped=tripped, live=live)
        self._waiting, self.tripped = waiting, tripped
        held = [loss for loss in waiting.values() if not loss.confirmed]
        FUSE_TRIPPED.set(int(bool(held)))
        FUSE_DOOMED.set(sum(loss.objects for loss in held))
