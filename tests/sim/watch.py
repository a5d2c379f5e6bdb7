"""Asks the safety properties after every step of a run: each write, each commit, each statement, each task's move.

What is asked is what can have changed. A state that may be wrong for a while is found wrong when it has been so for
longer; a plan's faults may take some time themselves, which is added to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tests.sim import safety
from tests.sim.border import FROZEN_SECONDS, LATE_SECONDS, LOST_SECONDS
from tests.sim.database.rows import StatusWritten
from tests.sim.faults import Fault, Plan
from tests.sim.safety import Property, Written
from tests.sim.settings import LEASE_SECONDS, Names
from tests.sim.swarm.objects import Task
from tests.sim.swarm.swarm import WriteRecord
from tests.sim.view import SimView

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase
    from tests.sim.swarm.swarm import SimSwarm

BLUR_SECONDS, UNEVEN_BLUR_SECONDS = 0.5, 3.0
_RECOVERY_SECONDS = LEASE_SECONDS + 5.0
_SLOW = {
    Fault.REPLY_LOST: LOST_SECONDS,
    Fault.LATE: LATE_SECONDS,
    Fault.FROZEN: FROZEN_SECONDS,
    Fault.LEASE_LOST: LEASE_SECONDS,
}


class Watch:
    """Of one world.

    Args:
        names: for sentences.
    """

    def __init__(self, swarm: SimSwarm, database: SimDatabase, plan: Plan, names: Names) -> None:
        faults = [fault for _, fault in plan.faults]
        blur = UNEVEN_BLUR_SECONDS if plan.seed else BLUR_SECONDS
        blur += sum(_SLOW.get(fault, 0.0) for fault in faults)
        if Fault.OLD_ANSWER in faults:
            blur = float("inf")  # what was true once is believed
        self.view = SimView(swarm, database, _now, blur=blur)
        self.found: dict[str, None] = {}
        self._names = names
        self._swarm, self._database = swarm, database
        self._slack = sum(_RECOVERY_SECONDS + _SLOW.get(fault, 0.0) for fault in faults)
        self._index = -1
        self._stale = False
        self._since: dict[tuple[str, str], float] = {}
        self._due = float("inf")
        self._states, self._writes, self._statuses = (
            [p for p in safety.PROPERTIES if p.sort == sort] for sort in ("always", "write", "status")
        )
        swarm.agenda.after = self.look
        swarm.agents.listeners.append(self._moved)
        swarm.on_write = self._written
        swarm.on_node = lambda: self.view.disturb(None)
        database.on_commit = self._committing
        database.on_status = self._said

    # -- hooks ---------------------------------------------------------------------------------------------------

    def _moved(self, task: Task) -> None:
        self.view.moved(task)

    def _committing(self, rows: object) -> None:
        self.view.committed(rows)  # type: ignore[arg-type]
        self._stale = True

    def _written(self, write: WriteRecord) -> None:
        if not write.accepted or write.object_type not in ("service", "network"):
            return
        table = self.view.services if write.object_type == "service" else self.view.networks
        before = table.get(write.object_id)
        self.view.written(write)
        self._stale = True
        if self.view.look() and write.client != "hands":
            written = Written(write.action, write.client, before, table.get(write.object_id))
            for each in self._writes:
                self._keep(each, each.ask(self.view, written))
        self.look()

    def _said(self, written: StatusWritten) -> None:
        self._stale = True
        self.view.look()
        for each in self._statuses:
            self._keep(each, each.ask(self.view, written.status))

    # -- asking --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask, if anything is otherwise than before or a time is over."""
        index = self._swarm.store.index
        if index == self._index and not self._stale and _now() < self._due:
            return
        self._index, self._stale = index, False
        self.view.look()
        self._ask_states()

    def _ask_states(self) -> None:
        now, before, due = _now(), self._since, float("inf")
        self._since = {}
        for each in self._states:
            for sentence in each.ask(self.view):
                at = each.name, sentence
                began = self._since[at] = before.get(at, now)
                end = began + (each.seconds + self._slack if each.seconds else 0.0)
                if now >= end:
                    self._keep(each, (sentence,))
                else:
                    due = min(due, end)
        self._due = due

    def _keep(self, of: Property, sentences: Iterable[str]) -> None:
        if of.name not in safety.NOT_YET:
            for sentence in sentences:
                self.found.setdefault(f"{of.name.replace('_', ' ')}: {self._readable(sentence)}")
        else:
            for _ in sentences:
                pass

    def _readable(self, sentence: str) -> str:
        return self._names.readable(sentence)

    def end(self) -> Sequence[str]:
        """Everything that was wrong."""
        return list(self.found)


def _now() -> float:
    return asyncio.get_running_loop().time()
