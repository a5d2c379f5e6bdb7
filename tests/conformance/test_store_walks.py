"""Random walks: the same steps on the simulated and the real database, side by side, give the same answers and rows.

What a rule of the other tests forgot shows here: every order of writes, take-overs, deletions and reports may come.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

import pytest

from controller.records import EventRecord, Intent, InventoryUpdate, Key, Loss, Report
from reconcilers.conditions import Status, progressing, ready
from reconcilers.outcomes import FencedError
from tests.conformance.store_simulated import simulated
from tests.conformance.store_world import Contender, StoreWorld, lives

pytestmark = pytest.mark.anyio

STEPS = 100
SEEDS = range(6)
PROCESSES = 2
NOBODY = Key("environment", str(UUID(int=1 << 100)))
SUBNETS = "10.64.0.0/24", "10.64.1.0/25", "10.99.0.0/24"
NAMES = ("a", "b", "c")
TYPES = ("service", "service", "buckets/thing")
NAMED = {"record_losses": {"tripped": True, "live": 3}}

Step = Callable[["Side"], Awaitable[Any]]


@dataclass(slots=True)
class Side:
    """One of the two databases."""

    world: StoreWorld
    processes: Sequence[Contender]
    terms: list[int] = field(default_factory=lambda: [0])

    def term(self, epoch: int) -> int:
        """Which of this side's epochs it is: the numbers themselves are times."""
        if epoch not in self.terms:
            assert epoch > self.terms[-1]
            self.terms.append(epoch)
        return self.terms.index(epoch)


@dataclass(slots=True)
class Walk:
    """Chooses the steps; knows what is there, as both sides give the same ids."""

    chance: random.Random
    organizations: list[Key] = field(default_factory=list)
    environments: dict[Key, Key] = field(default_factory=dict)
    count: int = 0

    def next_step(self) -> tuple[str, Step]:
        """A name for a person, and what to do on each side."""
        self.count += 1
        declare, write = [self.declare] * 4, [self.write] * 6
        return self.chance.choice((*declare, *write, self.lead, self.lead, self.control))()

    # -- rows ----------------------------------------------------------------------------------------------------

    def declare(self) -> tuple[str, Step]:
        if not self.organizations or self.chance.random() < 0.1:
            return "new organization", self._new_organization()
        organization = self.chance.choice(self.organizations)
        here = [key for key, owner in self.environments.items() if owner == organization]
        if not here or self.chance.random() < 0.2:
            return "new environment", self._new_environment(organization)
        environment = self.chance.choice(here)
        if self.chance.random() < 0.1:
            return "drop", self._drop(self.chance.choice((environment, environment, organization)))
        return self.chance.choice(
            (
                ("change", _desk("change", environment, instances=self.chance.randrange(3))),
                ("delete", _desk("delete", environment)),
                ("take back", _desk("take_back", environment)),
                ("process", _desk("process", environment, f"w{self.count}")),
                ("prefix", _desk("change", organization, network_prefix=self.chance.randint(24, 26))),
                ("suspend", _desk("change", organization, suspended=self.chance.random() < 0.5)),
            )
        )

    def _new_organization(self) -> Step:
        slug = f"o{self.count}"

        async def step(side: Side) -> Key:
            return side.world.declare.organization(slug)

        return self._remembering(step, self.organizations.append)

    def _new_environment(self, organization: Key) -> Step:
        name = f"e{self.count}"

        async def step(side: Side) -> Key:
            return side.world.declare.environment(organization, name)

        return self._remembering(step, lambda key: self.environments.__setitem__(key, organization))

    @staticmethod
    def _remembering(step: Step, remember: Callable[[Key], Any]) -> Step:
        made: list[Key] = []

        async def remembered(side: Side) -> Key:
            key: Key = await step(side)
            if not made:
                made.append(key)
                remember(key)
            return key

        return remembered

    def _drop(self, key: Key) -> Step:
        if key in self.organizations:
            self.organizations.remove(key)
        for gone in [k for k, owner in self.environments.items() if key in {k, owner}]:
            del self.environments[gone]
        return _desk("drop", key)

    def control(self) -> tuple[str, Step]:
        organizations, everything = self.organizations, (*self.organizations, *self.environments)
        if not everything:
            return self.declare()
        name = self.chance.choice(("pause", "pause", "resume", "ask"))
        key = self.chance.choice(everything)
        if name == "ask":
            return f"ask {key}", _desk("ask", key, self.chance.choice(("first", "second")))
        place = self.chance.choice(
            (("object", key), ("organization", self.chance.choice(organizations)), ("installation",))
        )
        reason = {"reason": self.chance.choice(("", "why"))} if name == "pause" else {}
        return f"{name} {place}", _desk(name, *place, **reason)

    # -- what processes do ---------------------------------------------------------------------------------------

    def lead(self) -> tuple[str, Step]:
        who = self.chance.randrange(PROCESSES)
        name = self.chance.choice(("acquire", "acquire", "acquire", "acquire", "renew", "release", "run out"))

        async def step(side: Side) -> Any:
            if name == "run out":
                return side.world.tables.run_out() if any(p.lease.epoch for p in side.processes) else None
            lease = side.processes[who].lease
            return await getattr(lease, name)(), side.term(lease.epoch), lease.trusted

        return f"{who} {name}", step

    def write(self) -> tuple[str, Step]:
        who = self.chance.randrange(PROCESSES)  # sometimes the leader
        name, arguments = self.chance.choice((self._announce, self._report, self._other, self._other))()

        async def step(side: Side) -> Any:
            method = getattr(side.processes[who].store, name)
            try:
                result = await method(*arguments, **NAMED.get(name, {}))
            except FencedError:
                return "fenced"
            return _sorted(result)

        return f"{who} {name} {arguments}", step

    def _key(self) -> Key:
        return self.chance.choice((*self.organizations, *self.environments, NOBODY))

    def _announce(self) -> tuple[str, tuple[Any, ...]]:
        states: tuple[Literal["applying", "deleting"], ...] = ("applying", "deleting")
        intents = [
            Intent(self.chance.choice(TYPES), self.chance.choice(NAMES), self.chance.choice(states))
            for _ in range(self.chance.randrange(3))
        ]
        key = self._key()
        organization = self.environments.get(key, self.chance.choice((None, NOBODY))) if key != NOBODY else None
        return "announce", (key, organization and organization.id, intents)

    def _report(self) -> tuple[str, tuple[Any, ...]]:
        key = self._key()
        report = Report(key, self.chance.choice((None, NOBODY.id)), handled_token=self.chance.choice((None, "first")))
        if self.chance.random() < 0.7:
            conditions = self.chance.choice((ready("Deployed", "runs"), progressing("RollingOut", "0/1 run")))
            details: dict[str, object] = {"n": self.chance.randrange(2)}
            finalized = self.chance.random() < 0.2
            generation = self.chance.randrange(1, 4)
            report.statuses.append(Status(*key, self.chance.choice((None, NOBODY.id)), generation, conditions, details))
            if finalized:
                report.statuses[0] = Status(*key, None, generation, conditions, details, finalized=True)
        for _ in range(self.chance.randrange(3)):
            report.events.append(EventRecord("Normal", "Created", self.chance.choice(NAMES)))
        for _ in range(self.chance.randrange(3)):
            columns = ("engine_id", "spec_hash", "failed_hash", "template_hash")
            values = {column: self.chance.choice((None, "", "x", "y")) for column in columns}
            good = self.chance.choice((None, {"Name": "a"}))
            gone = self.chance.random() < 0.3
            name = self.chance.choice(NAMES)
            object_type = self.chance.choice(TYPES)
            report.inventory.append(InventoryUpdate(object_type, name, **values, last_good=good, gone=gone))
        return "report", (report,)

    def _other(self) -> tuple[str, tuple[Any, ...]]:
        organization = self.chance.choice((*self.organizations, NOBODY)).id
        waiting = {self._key(): Loss("deleted", self.chance.randint(1, 3), 0, 0) for _ in range(2)}
        taken = [self.chance.choice(("10.64.0.0/25", "10.64.1.0/24"))] if self.chance.random() < 0.3 else []
        quarantine = self.chance.choice((0, 600))
        return self.chance.choice(
            (
                ("consume", ()),
                ("consume", ()),
                ("allocate_subnet", (organization, "10.64.0.0/22", self.chance.randint(23, 26), taken, quarantine)),
                ("release_subnet", (organization,)),
                ("adopt_subnet", (organization, self.chance.choice(SUBNETS), self.chance.choice((None, NOBODY.id)))),
                ("record_losses", (waiting,)),
                ("leftovers", (("organization", "environment"),)),
                ("dependents", (self._key(),)),
                ("assess_losses", (lives(*waiting),)),
                ("prune", (self.chance.choice(("removals", "events", "statuses")), 1, 1000)),
            )
        )


def _desk(method: str, *arguments: Any, **columns: Any) -> Step:
    async def step(side: Side) -> None:
        getattr(side.world.declare, method)(*arguments, **columns)

    return step


def _sorted(result: Any) -> Any:
    """Where SQL promises no order."""
    if isinstance(result, tuple):  # of consume: kinds without a reconciler are in the real one only
        return sorted(repr(c) for c in result[0] if c.key.kind in {"organization", "environment"}), result[1]
    return sorted(result) if isinstance(result, list) else result


async def _state(side: Side, keys: Sequence[Key]) -> dict[str, Any]:
    """All that can be seen: every row of every table, and the answers that are made of them."""
    tables, store = side.world.tables, side.processes[0].store
    fuse = tables.fuse()
    loaded = [await store.load(key) for key in keys]
    for look in loaded:
        if look.document is not None:
            assert look.document == side.world.ledger.document(look.key)
    return {
        "inventory": {at: {**row, "epoch": side.term(row["epoch"])} for at, row in tables.inventory().items()},
        "statuses": {at: {**row, "epoch": side.term(row["epoch"])} for at, row in tables.statuses().items()},
        "events": tables.events(),
        "subnets": tables.subnets(),
        "fuse": fuse and fuse[1:],
        "loaded": [(sorted(map(repr, look.inventory)), look.organization_id, look.generation) for look in loaded],
        "looks": [(look.document, look.deleted, look.status, look.token) for look in loaded],
        "paused": [look.paused and (look.paused.scope, look.paused.reason) for look in loaded],
        "pauses": await store.pauses(),
        "lost": await store.assess_losses(lives(*keys)),
        "losses": tables.losses(),
        "index": sorted(await store.index(), key=repr),
    }


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_walk_is_the_same_on_both(real_store_world: StoreWorld, seed: int) -> None:
    walk, trail = Walk(random.Random(seed)), []
    async with AsyncExitStack() as stack:
        sides = []
        for world in (simulated(), real_store_world):
            processes = [await stack.enter_async_context(world.process()) for _ in range(PROCESSES)]
            sides.append(Side(world, processes))
        for _ in range(STEPS):
            name, step = walk.next_step()
            trail.append(name)
            answers = [await step(side) for side in sides]
            assert answers[0] == answers[1], trail
            keys = (*walk.organizations, *walk.environments, NOBODY)
            states = [await _state(side, keys) for side in sides]
            assert states[0] == states[1], trail
