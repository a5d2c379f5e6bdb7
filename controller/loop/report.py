"""Writes what a reconcile says at its end, in one statement.

What could not be written, as the database was away, goes with the next report of the same object.
"""

from __future__ import annotations

from controller.loop.draft import Draft
from controller.loop.ports import Store
from controller.loop.trace import Trace
from controller.records import Key, Report
from reconcilers.outcomes import FencedError


class Reporter:
    """Writes reports; keeps what could not be written."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._unsaid: dict[Key, Report] = {}

    async def say(self, draft: Draft, trace: Trace) -> None:
        """Write the report of ``draft``, with what an earlier one of the same object could not say.

        Raises:
            FencedError: this process does not lead any more; whoever does finds out by itself what was done.
            TransientError: the database did not answer; the next report says it too.
        """
        report = draft.report
        earlier = self._unsaid.pop(report.key, None)
        if earlier is not None and earlier is not report:
            report.events[:0] = earlier.events
            report.inventory[:0] = earlier.inventory
        try:
            await self._store.report(report)
        except FencedError:
            raise
        except Exception:
            if report.events or report.inventory:
                self._unsaid[report.key] = report
            raise
        trace.lap("report", " ".join(f"{c.type}={c.status}:{c.reason}" for c in draft.conditions))
