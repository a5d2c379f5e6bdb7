"""Writes jobs, as services are written, but that each write of one runs it again: nothing is written to put it right.

So a run whose labels somebody took off is left alone, and one that the engine accepted without its security baseline is
removed: to write what was before it would run that.
"""

from __future__ import annotations

from controller.changes import Change
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.types.job import JOB, is_run
from controller.swarm.writers.service import ServiceWriter
from reconcilers.jobs import Job
from reconcilers.outcomes import TerminalError
from reconcilers.ports import LiveService


class JobWriter(ServiceWriter):
    """Writes jobs."""

    _type = JOB.name

    async def update(self, change: Change) -> list[InventoryUpdate]:
        """Run another one."""
        target, live = change.target, change.live
        assert isinstance(target, Job)
        assert isinstance(live, LiveService)
        return await self._run(target, live)

    async def prompt(self, live: LiveService) -> None:
        """It would run again."""
        raise AssertionError(f"job {live.name} is not written to for that")

    async def _run(self, target: Job, live: LiveService) -> list[InventoryUpdate]:
        await self._write(live, self._complete(target))
        await self._verify(target, live.id, previous=None)
        return [self._applied(target, live.id)]

    async def _adopt(self, target: Job, live: LiveService, row: InventoryRow) -> list[InventoryUpdate]:
        """Take a job whose labels somebody took off.

        Raises:
            TerminalError: it is the run that is wanted.
        """
        if is_run(target, live, row):
            raise TerminalError(
                "LabelsLost",
                f"somebody took our labels off job {target.name}; they cannot be put back, as a job that is written to "
                "runs again. Remove it on the engine to have it made and run anew",
            )
        return await self._run(target, live)
