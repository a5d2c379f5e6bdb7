"""Whatever is declared, in whatever order, with damage in between: what counts is what is declared at the end.

A state that was reached by any path equals the state that is reached directly; a wrong row changes nothing that runs;
nothing is written when all is as it should be. Some of the faults of the other tests strike on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.records import Key
from tests.sim import loop, oracles
from tests.sim.faults import Plan
from tests.sim.run import listen_to
from tests.sim.scenario import Simulation
from tests.sim.scenarios.environment import BROKEN, WEB, WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.state import State, read_state
from tests.sim.world import World

APPS = ("shop", "blog")
fields = st.fixed_dictionaries(
    {},
    optional={
        "image_ref": st.sampled_from([WEB, WEB2]),
        "instances": st.integers(0, 3),
        "port": st.sampled_from([8080, 9000]),
        "suspended": st.booleans(),
        "memory_mb": st.sampled_from([16, 64]),
        "stop_grace_seconds": st.integers(1, 20),
        "read_only_root": st.booleans(),
        "domains": st.sampled_from([(), ("a.example",), ("a.example", "b.example")]),
        "processes": st.sampled_from([(), ("web",), ("web", "worker")]),
    },
)
wrong = st.sampled_from([{"image_ref": "not an image"}, {"port": 0}, {"memory_mb": 1}, {"instances": -1}])
actions = st.one_of(
    st.tuples(st.just("declare"), st.sampled_from(APPS), fields),
    st.tuples(st.just("spoil"), st.sampled_from(APPS), wrong),
    st.tuples(st.just("break"), st.sampled_from(APPS), st.just({"image_ref": BROKEN})),
    st.tuples(st.just("delete"), st.sampled_from(APPS), st.just({})),
    st.tuples(st.just("remove by hand"), st.sampled_from(APPS), st.just({})),
    st.tuples(st.just("scale by hand"), st.sampled_from(APPS), st.just({})),
    st.tuples(st.just("strip by hand"), st.sampled_from(APPS), st.just({})),
    st.tuples(st.just("wait"), st.just(""), st.sampled_from([{"seconds": s} for s in (0.01, 0.5, 5.0, 40.0)])),
)


@dataclass
class Panel:
    """What the panel has declared."""

    sim: Simulation
    rows: dict[str, tuple[Key, dict[str, Any]]] = field(default_factory=dict)
    numbers: int = 0

    def __post_init__(self) -> None:
        self.home = organization(self.sim, "acme")

    async def act(self, what: str, app: str, change: dict[str, Any]) -> None:
        if what == "wait":
            await asyncio.sleep(change["seconds"])
        elif what == "declare" and app not in self.rows:
            self.numbers += 1
            key = environment(self.sim, self.home, app, row=f"{app} {self.numbers}")
            self.rows[app] = key, self.sim.document(key)
            self.change(app, change)
        elif app in self.rows:
            await self.act_on(what, app, change)

    async def act_on(self, what: str, app: str, change: dict[str, Any]) -> None:
        key, _ = self.rows[app]
        name = self.sim.service(key)
        match what:
            case "declare":
                self.change(app, change)
            case "spoil" | "break":
                self.sim.change(key, **change)
            case "delete":
                self.sim.delete(key)
                del self.rows[app]
            case _:
                await self.damage(what, name)

    def change(self, app: str, change: dict[str, Any]) -> None:
        """Good fields; they are what counts at the end."""
        key, good = self.rows[app]
        found = dict(change)
        if "domains" in change:
            found["domains"] = [domain(self.sim, f"{app}.{name}") for name in change["domains"]]
        if "processes" in change:
            found["processes"] = [process(self.sim, app, name, port=8080) for name in change["processes"]]
        self.rows[app] = key, good | found
        self.sim.change(key, **(good | found))

    async def damage(self, what: str, name: str) -> None:
        if name not in self.sim.swarm.state()["services"]:
            return
        if what == "remove by hand":
            await self.sim.hands.remove_service(name)
        elif what == "scale by hand":
            await self.sim.hands.scale(name, 4)
        else:
            await self.sim.hands.change_service(name, lambda spec: spec["Labels"].clear())

    def mend(self) -> None:
        """Every row is as it was when it was good."""
        for key, good in self.rows.values():
            self.sim.change(key, **good)


def reach(steps: list[tuple[str, str, dict[str, Any]]]) -> tuple[State, list[str], dict[str, dict[str, Any]]]:
    """Where ``steps`` lead to, what is wrong with the way, and the rows at the end."""
    rows: dict[str, dict[str, Any]] = {}

    async def act(panel: Panel) -> None:
        for step in steps:
            await panel.act(*step)
        panel.mend()
        rows.update({app: good for app, (_, good) in panel.rows.items()})

    world = World(Plan("transitions"))
    return *settle(world, act), rows


def directly(rows: dict[str, dict[str, Any]]) -> tuple[State, list[str]]:
    """Where the rows lead to in an empty world."""

    async def declare(panel: Panel) -> None:
        for document in rows.values():
            panel.sim.declare(
                Key("environment", document["id"]), document, organization=panel.home.id, depends_on=[panel.home]
            )

    return settle(World(Plan("directly")), declare)


def settle(world: World, act: Callable[[Panel], Awaitable[None]]) -> tuple[State, list[str]]:
    listen_to(world)

    async def main() -> None:
        await world.furnish()
        async with world.running(("a",)):
            await act(Panel(Simulation(world)))
            await world.settle()
            await world.rest()

    loop.run(main)
    return read_state(world.swarm, world.database, world.ports), oracles.problems(world, None, counts=False)


@pytest.mark.timeout(300)
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(actions, max_size=12))
def test_any_path_leads_where_the_direct_one_does(steps: list[tuple[str, str, dict[str, Any]]]) -> None:
    by_path, problems, rows = reach(steps)
    assert problems == []
    direct, wrongs = directly(rows)
    assert wrongs == []
    assert by_path.live == direct.live, direct.differences(by_path)
    mine = {f"environment/{row['id']}" for row in rows.values()}
    assert {k: v for k, v in by_path.statuses.items() if k in mine} == {
        k: v for k, v in direct.statuses.items() if k in mine
    }
