"""One simulated world: a Swarm, a database, controller processes that are started again when they die, and a course.

A world is made for one run and thrown away. ``settle`` is how a scenario waits: in a run without faults until nothing
moves any more; in one with a fault the same until it has struck, so that it comes to that step as the run without does,
and from then on until everything is as it was at that point of the run without.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio

from reconcilers import labels
from tests.sim import images as images  # noqa: PLC0414 - stands for its port in every world
from tests.sim import sources as sources  # noqa: PLC0414 - the same
from tests.sim.border import FROZEN_SECONDS, LATE_SECONDS, LOST_SECONDS, Course, SimCrash
from tests.sim.database.database import SimDatabase
from tests.sim.database.rows import Held
from tests.sim.faults import Fault, Plan
from tests.sim.hands import Hands
from tests.sim.ports import adapters, things
from tests.sim.process import SimProcess
from tests.sim.settings import INSTALLATION, LEASE_SECONDS, RESYNC_SECONDS, Names, listed
from tests.sim.state import State, read_state
from tests.sim.swarm.behaviour import Pace
from tests.sim.swarm.swarm import SimSwarm
from tests.sim.watch import Watch

RESTART_SECONDS = 1.0
PACE = Pace(stop_on_overlay=0.3)
"""Quicker than a real engine where it only waits: less looking on while nothing happens."""
SETTLED_SECONDS = 8.0
"""So long nothing may move before a run without faults counts as settled: longer than any restart delay or watch."""
DEADLINE_SECONDS = 900.0
QUIET_RESYNCS, QUIET_RESYNCS_AFTER_FAULTS = 10, 3
"""A run with faults ends in the state of the one without, which was looked at for longer."""
USURPED_SECONDS = 12.0
CONTAINER_ID_LENGTH = 64
MARKER = "s3cr3t-m4rk3r"
"""Stands in documents that are none of ours; must be in nothing that a controller says."""


class NotConvergedError(AssertionError):
    """A world did not come to where it should have."""


@dataclass
class World:
    """Everything of one run.

    Args:
        plan: of the run.
        reference: what the run without faults had settled to, settle by settle; None in that run itself.
    """

    plan: Plan
    reference: Sequence[State] | None = None
    settled: list[State] = field(default_factory=list)
    processes: list[SimProcess] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)
    """What living processes logged."""

    def __post_init__(self) -> None:
        self.names = Names()
        self.database = SimDatabase()
        self.swarm = SimSwarm(nodes=2, pace=PACE)
        self.ports = adapters()
        self._things = tuple(port for _, port in things(self.ports))
        self.names.of_live = self._name_of
        self.course = Course(self.plan, self._usurp, self._moves)
        self.hands = Hands(self.swarm)
        self.watch = Watch(self.swarm, self.database, self.plan, self.names)
        self._counted_writes = self._moved = 0
        self._known: tuple[tuple[int, int], State] | None = None
        self.quiet_from: tuple[int, int] | None = None
        """Lengths of the engine's and the database's logs when everything had to be quiet."""
        self.things_quiet_from: dict[str, int] = {}
        """The same of ports that have things."""

    @asynccontextmanager
    async def running(self, names: Sequence[str]) -> AsyncIterator[None]:
        """The processes run; each is started again when it has died."""
        async with anyio.create_task_group() as tasks:
            for number, name in enumerate(names):
                tasks.start_soon(self._supervise, name, number * 0.1)
            try:
                yield
            finally:
                for process in self.processes:
                    process.end()  # what the run is over for gets nothing across any more
                tasks.cancel_scope.cancel()

    async def _supervise(self, name: str, delay: float) -> None:
        start = 0
        while True:
            await anyio.sleep(delay)
            start, delay = start + 1, RESTART_SECONDS
            process = SimProcess(
                name,
                start,
                swarm=self.swarm,
                database=self.database,
                ports=self.ports,
                course=self.course,
                names=self.names,
            )
            self.processes.append(process)
            try:
                if await process.run():
                    return
            except SimCrash:
                pass

    def _name_of(self, live_id: str) -> str:
        store = self.swarm.store
        for table in listed(store):
            if live_id in table:
                return str(table[live_id].name)
        if len(live_id) == CONTAINER_ID_LENGTH:
            return next((f"{t.service.name}.{t.slot}" for t in store.tasks.values() if t.container == live_id), "gone")
        return live_id

    def _usurp(self) -> None:
        """Somebody else takes the lease, does nothing with it, and lets it run out."""
        held = self.database.leases.get(INSTALLATION)
        epoch = (held.epoch if held else 0) + 1
        expires_at = asyncio.get_running_loop().time() + USURPED_SECONDS
        self.database.leases[INSTALLATION] = Held("usurper", epoch, expires_at)

    # -- waiting -------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until what was declared is so.

        Raises:
            NotConvergedError: it is not, in a quarter of an hour; the message says what differs.
        """
        if self._as_without_faults():
            await self._until_still()
        if self._as_without_faults():
            self.watch.look()
            self.course.phase += 1
            self.settled.append(read_state(self.swarm, self.database, self.ports))
            return
        assert self.reference is not None
        wanted = self.reference[len(self.settled)]
        deadline = asyncio.get_running_loop().time() + DEADLINE_SECONDS
        while (now := self._state()) != wanted:
            if asyncio.get_running_loop().time() > deadline:
                raise NotConvergedError(f"settle {len(self.settled) + 1} did not come: {wanted.differences(now)}")
            await asyncio.sleep(0.5)
        self.watch.look()
        self.settled.append(now)

    def _state(self) -> State:
        """As it is now; read again only when something was written."""
        self.swarm.agenda.advance()
        moves = self._moves()
        if self._known is None or self._known[0] != moves:
            self._known = moves, read_state(self.swarm, self.database, self.ports)
        return self._known[1]

    def _as_without_faults(self) -> bool:
        return self.reference is None or self.course.undisturbed

    async def _until_still(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + DEADLINE_SECONDS
        before, since = self._moves(), loop.time()
        while loop.time() - since < SETTLED_SECONDS or not self._answered():
            await asyncio.sleep(0.5)
            if not self._as_without_faults():
                return
            if (now := self._moves()) != before:
                before, since = now, loop.time()
                self.watch.look()
            if loop.time() > deadline:
                raise NotConvergedError(f"without any fault it never came to rest: {self._unanswered()}")

    def _moves(self) -> tuple[int, int]:
        writes = self.database.history.writes
        for w in writes[self._counted_writes :]:
            self._moved += bool(
                w.rows and w.operation not in _TIDYING and not w.operation.startswith(("lease_", "identity_"))
            )
        self._counted_writes = len(writes)
        beyond = sum(len(port.log) for port in self._things)
        return self.swarm.store.index + len(self.swarm.log), self._moved + beyond  # joining a network raises no version

    def _answered(self) -> bool:
        return not self._unanswered()

    def _unanswered(self) -> list[str]:
        """Objects whose status does not speak of what is declared now."""
        found = []
        for key, row in self.database.objects.items():
            said = self.database.statuses.get(key)
            leaving = row.deleted and said is not None and said.finalized_at is None and said.reason != "Paused"
            if said is None or said.observed_generation < row.generation or leaving:
                found.append(f"{self.names.of_key(key)} generation {row.generation}: {said and said.reason}")
        return found

    async def rest(self) -> None:
        """Let some resyncs go by, in which nothing may be written; the oracles look at the logs from there."""
        self.course.over = True
        # A fault may still be on its way: an answer that never comes, a retry after it.
        now = asyncio.get_running_loop().time()
        slow = max((_SLOW.get(fault, 0.0) - (now - at) for fault, at in self.course.strikes), default=0.0)
        # Who begins to lead after a crash watches what runs anew, before it calls it the last good one.
        while not any(p.process.manager is not None and not p.border.dead for p in self.processes):  # noqa: ASYNC110
            await asyncio.sleep(0.5)
        await asyncio.sleep(2 * RESYNC_SECONDS + max(slow, 0.0))
        self.quiet_from = (len(self.swarm.log), len(self.database.history.writes))
        self.things_quiet_from = {object_type: len(port.log) for object_type, port in things(self.ports)}
        resyncs = QUIET_RESYNCS if self.reference is None else QUIET_RESYNCS_AFTER_FAULTS
        await asyncio.sleep(resyncs * RESYNC_SECONDS * 1.1)
        self.watch.look()

    # -- what others have on the same Swarm ------------------------------------------------------------------------

    async def furnish(self) -> None:
        """The edge, and things that are none of ours."""
        here = self.swarm.node_ids()[0]
        await self.hands.create_service("edge_traefik", {labels.EDGE: "true"}, node=here)
        await self.hands.create_service("strangers-web", {"owner": "somebody"}, secret=MARKER)
        other = labels.owned("another", "environment", "00000000-0000-0000-0000-000000000001", "none")
        await self.hands.create_service("another-installation-web", other, secret=MARKER)
        await self.hands.create_network("strangers", "10.200.0.0/24")
        await asyncio.sleep(5.0)


_SLOW = {
    Fault.REPLY_LOST: LOST_SECONDS + LEASE_SECONDS,
    Fault.LATE: LATE_SECONDS,
    Fault.FROZEN: FROZEN_SECONDS + LEASE_SECONDS,
    Fault.LEASE_LOST: USURPED_SECONDS,
}
"""Seconds that such a fault can still take effect after everything looks settled."""
_TIDYING = {"consume", "prune"}
"""Writes that only take away what is no longer needed: they are no move."""
