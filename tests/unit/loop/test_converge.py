"""Converging: intents before writes, the lease before each, and nothing that was done is lost to an error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from controller.changes import Change, ChangeSet
from controller.loop.converge import Convergence
from controller.loop.draft import Draft
from controller.loop.gates import Gates
from controller.loop.gates.fuse import Fuse
from controller.loop.gates.rollout_slots import RolloutQueuedError, RolloutSlots
from controller.loop.outside import Outside
from controller.loop.stability import Stability
from controller.loop.starts import Starts
from controller.loop.tools import Tools
from controller.loop.trace import Trace
from controller.records import Intent, InventoryRow, InventoryUpdate, Key, Loaded
from reconcilers.environment.service import render
from reconcilers.objects import Objects
from reconcilers.outcomes import FencedError, TerminalError
from reconcilers.ports import Options
from tests.unit.loop.parts import Nothing, Table
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment, process

pytestmark = pytest.mark.anyio

KEY = Key("environment", "one")
WANTED = render(environment(processes=[process("web"), process("worker")]), OPTIONS, HOME)
WEB, WORKER = WANTED.services


@dataclass
class ScriptedSwarm(Nothing):
    """A Swarm whose plan is given, and a record of what was asked of it and of the database, in order."""

    changes: ChangeSet = field(default_factory=ChangeSet)
    steps: list[str] = field(default_factory=list)
    refuses: str = ""
    lives_on: frozenset[str] = frozenset()

    def plan(
        self, key: Key, declared: Objects, inventory: Sequence[InventoryRow], serving: Sequence[str] = ()
    ) -> ChangeSet:
        return self.changes

    async def write(self, change: Change, row: InventoryRow | None) -> tuple[InventoryUpdate, ...]:
        self.steps.append(f"{change.action} {change.name}")
        if change.name == self.refuses:
            raise TerminalError("EngineRefused", "no")
        return (InventoryUpdate(change.object_type, change.name, gone=change.action == "delete"),)

    async def lives(self, key: Key, row: InventoryRow) -> bool:
        self.steps.append(f"look for {row.name}")
        return row.name in self.lives_on


class Asked(Table):
    """A store that says what it was asked."""

    def __init__(self, steps: list[str], *, leads: bool = True) -> None:
        super().__init__(leads=leads)
        self._steps = steps

    async def announce(self, key: Key, organization_id: str | None, intents: Sequence[Intent]) -> list[str]:
        if not self.leads:
            raise FencedError
        self._steps.append(f"announce {' '.join(f'{i.state} {i.name}' for i in intents)}".rstrip())
        return []

    async def affirm(self) -> None:
        self._steps.append("affirm")


class Converging:
    """One object's convergence."""

    def __init__(
        self, swarm: ScriptedSwarm, *, leads: bool = True, rows: tuple[InventoryRow, ...] = (), slots: int = 0
    ) -> None:
        store: Any = Asked(swarm.steps, leads=leads)
        loaded = Loaded(KEY, "acme", 3, deleted=False, document={}, inventory=rows, declared=True)
        self.draft = Draft(loaded)
        self.rollouts = RolloutSlots(slots, longest=60.0, on_turn=lambda _: None)
        tools = Tools(
            outside=Outside(store, swarm),
            gates=Gates(KEY.kind, fuse=Fuse(store, swarm, share=1.0, minimum=1), rollouts=self.rollouts),
            stability=Stability(5.0, lambda: (0.0, 0.0)),
            starts=Starts(),
            options=Options("test"),
        )
        trace = Trace(KEY, "id", (), 0.0, 1)
        self.convergence = Convergence(loaded, tools=tools, trace=trace, draft=self.draft)


def creates(*services: Any) -> tuple[Change, ...]:
    return tuple(Change("create", "service", service.name, service, cause="Created") for service in services)


async def test_intents_come_before_the_first_write_and_the_lease_is_asked_before_each_later_one() -> None:
    swarm = ScriptedSwarm(ChangeSet(creates(WEB, WORKER), wanted=WANTED))
    await Converging(swarm).convergence.apply(WANTED)
    assert swarm.steps == [
        f"announce applying {WEB.name} applying {WORKER.name}",
        f"create {WEB.name}",
        "affirm",
        f"create {WORKER.name}",
    ]


async def test_what_the_inventory_does_not_hold_asks_the_database_all_the_same() -> None:
    swarm = ScriptedSwarm(ChangeSet((Change("connect", "edge", "home", cause="EdgeJoined"),)))
    await Converging(swarm).convergence.apply(Objects())
    assert swarm.steps == ["announce", "connect home"]


async def test_nothing_is_written_when_the_intent_cannot_be() -> None:
    swarm = ScriptedSwarm(ChangeSet(creates(WEB), wanted=WANTED))
    with pytest.raises(FencedError):
        await Converging(swarm, leads=False).convergence.apply(WANTED)
    assert swarm.steps == []


async def test_what_was_done_before_an_error_is_learned_and_told() -> None:
    swarm = ScriptedSwarm(ChangeSet(creates(WEB, WORKER), wanted=WANTED), refuses=WORKER.name)
    bench = Converging(swarm)
    with pytest.raises(TerminalError):
        await bench.convergence.apply(WANTED)
    assert [update.name for update in bench.draft.report.inventory] == [WEB.name]
    assert [change.name for change in bench.convergence.done] == [WEB.name]
    (event,) = bench.draft.report.events
    assert (event.reason, event.message) == ("Created", f"generation 3: + service {WEB.name}")


@pytest.mark.parametrize("refuses", ["", "b"])
async def test_what_is_removed_with_its_owner_stays_in_the_inventory_until_nothing_lives(refuses: str) -> None:
    swarm = ScriptedSwarm(refuses=refuses)
    bench = Converging(swarm)
    removals = ChangeSet(tuple(Change("delete", "service", name, cause="Removed") for name in "ab"))
    try:
        await bench.convergence.carry_out(removals, forget=False)
    except TerminalError:
        assert refuses
    assert bench.draft.report.inventory == []


async def test_what_is_on_record_and_neither_wanted_nor_planned_is_looked_for_and_struck_off() -> None:
    rows = (InventoryRow("service", WEB.name), InventoryRow("service", "left"), InventoryRow("service", "goes"))
    swarm = ScriptedSwarm(ChangeSet((Change("delete", "service", "goes", cause="Removed"),), wanted=WANTED))
    bench = Converging(swarm, rows=rows)
    await bench.convergence.apply(WANTED)
    assert swarm.steps[0] == "look for left"
    assert InventoryUpdate("service", "left", gone=True) in bench.draft.report.inventory


async def test_a_removal_that_waits_for_a_slot_is_not_looked_for() -> None:
    changes = (*creates(WEB), Change("delete", "service", "goes", cause="Removed"))
    swarm = ScriptedSwarm(ChangeSet(changes, wanted=WANTED), lives_on=frozenset({"goes"}))
    bench = Converging(swarm, rows=(InventoryRow("service", "goes"),), slots=1)
    assert bench.rollouts.take(Key("environment", "another"), "acme")
    with pytest.raises(RolloutQueuedError):
        await bench.convergence.apply(WANTED)
    assert swarm.steps == []
