"""No answer that was asked for before it was learned brings back what is gone, in whatever order answers come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import anyio
import orjson
from anyio import wait_all_tasks_blocked
from anyio.abc import TaskGroup
from hypothesis import example, given, settings
from hypothesis import strategies as st

from controller.swarm.client import EngineClient
from controller.swarm.errors import NotFound
from controller.swarm.feed import Feed
from controller.swarm.liveview import LiveView
from reconcilers import labels

TYPES = ("service", "job", "network", "secret", "config")
SERVICES = ("service", "job")
STEPS = ("made", "lost", "removed", "all", "counted", "one", "named", "back", "on", "on", "on", "on")
"""Something is made, goes by another hand, or by ours; is asked for, in five ways; a question goes on."""


class SlowEngine:
    """Each question waits until it is let go on to be answered, and then until its answer is let arrive."""

    node_id = "n0de"
    host = "unix:///engine"

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        """Type of each object by its id."""
        self.waiting: list[anyio.Event] = []

    def document(self, object_id: str) -> dict[str, Any]:
        owned, object_type = labels.owned("blue", "environment", "acme", "acme"), self.found[object_id]
        if object_type == "network":
            return {"Id": object_id, "Name": f"n-{object_id}", "Driver": "overlay", "Scope": "swarm", "Labels": owned}
        mode: dict[str, Any] = {"Mode": {"ReplicatedJob": {}}} if object_type == "job" else {}
        return {
            "ID": object_id,
            "Version": {"Index": 1},
            "Spec": {"Name": f"n-{object_id}", "Labels": owned, **mode},
        }

    async def answer(self, question: Callable[[], Any]) -> Any:
        await self._let_on()
        found = question()
        await self._let_on()
        if found is None:
            raise NotFound(404, "not found")
        return found

    async def _let_on(self) -> None:
        turn = anyio.Event()
        self.waiting.append(turn)
        await turn.wait()

    async def listed(self, *types: str) -> list[dict[str, Any]]:
        found = await self.answer(lambda: [self.document(i) for i, each in self.found.items() if each in types])
        return cast("list[dict[str, Any]]", found)

    async def one(self, id_or_name: str) -> Any:
        object_id = id_or_name.removeprefix("n-")
        return await self.answer(lambda: self.document(object_id) if object_id in self.found else None)

    service = network = one

    async def content(self, _object_type: str, id_or_name: str) -> Any:
        return await self.one(id_or_name)

    async def services(self, _label: str, *, status: bool = False) -> bytes:
        return orjson.dumps(await self.listed(*SERVICES))

    async def services_by_id(self, ids: list[str]) -> Any:
        return await self.answer(lambda: [self.document(i) for i in ids if i in self.found])

    async def networks(self) -> list[dict[str, Any]]:
        return await self.listed("network")

    async def contents(self, object_type: str, _label: str) -> bytes:
        return orjson.dumps(await self.listed(object_type))

    async def nodes(self) -> list[dict[str, Any]]:
        return []

    async def edge_services(self) -> list[str]:
        return []


class Interleaving:
    """Questions on their way to one engine, and a live view of it."""

    def __init__(self, asked: TaskGroup) -> None:
        self._asked = asked
        self.engine = SlowEngine()
        self.view = LiveView("blue", lambda _owners: None)
        self.feed = Feed(cast("EngineClient", self.engine), self.view)
        self.made: dict[str, str] = {}
        self.gone: set[str] = set()
        """What the view has learned of that it is no more."""

    def held(self) -> set[str]:
        return {i for i, each in self.made.items() if self.view.find(each, f"n-{i}") is not None}

    async def step(self, what: str, which: int) -> None:
        before = self.held()
        ids = [i for i, each in self.made.items() if what != "back" or each in SERVICES]
        picked = ids[which % len(ids)] if ids else ""
        if what == "made":
            made = f"i{len(self.made)}"
            self.made[made] = self.engine.found[made] = TYPES[which % len(TYPES)]
        elif what == "all":
            self._asked.start_soon(self.feed.refresh_all)
        elif what == "counted":
            self._asked.start_soon(self.feed.count_tasks)
        elif what == "on":
            if self.engine.waiting:
                self.engine.waiting.pop(which % len(self.engine.waiting)).set()
        elif picked:
            await self._with(what, picked)
        await wait_all_tasks_blocked()
        self.gone |= before - self.held() - set(self.engine.found)
        assert not self.held() & self.gone, "it was known to be gone"

    async def _with(self, what: str, object_id: str) -> None:
        if what in {"lost", "removed"}:
            self.engine.found.pop(object_id, None)
            if what == "removed":
                self.view.removed(self.made[object_id], object_id)
                self.gone.add(object_id)
        else:
            self._asked.start_soon(self._ask, what, object_id)

    async def _ask(self, what: str, object_id: str) -> None:
        if what == "back":
            await self.feed.read_back(object_id)
        else:
            name = f"n-{object_id}" if what == "named" else object_id
            await self.feed.refresh(self.made[object_id], name)
        if what != "named" and object_id not in {*self.held(), *self.engine.found}:
            self.gone.add(object_id)

    async def until_all_is_answered(self) -> None:
        while self.engine.waiting:
            await self.step("on", 0)


async def runs(steps: Sequence[tuple[str, int]]) -> None:
    async with anyio.create_task_group() as asked:
        run = Interleaving(asked)
        for step in steps:
            await run.step(*step)
        await run.until_all_is_answered()
        await run.step("all", 0)
        await run.until_all_is_answered()
        assert run.held() == set(run.engine.found), "what is asked for when nothing is on its way is believed"


@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 9)), max_size=40))
@settings(max_examples=100)
@example([("made", 0), ("all", 0), ("on", 0), ("lost", 0), ("one", 0), ("on", 1), ("on", 1), ("on", 0)])
@example([("made", 0), ("all", 0), *[("on", 0)] * 20, ("back", 0), ("counted", 0), ("on", 0), ("lost", 0)])
def test_what_is_known_to_be_gone_is_brought_back_by_no_answer_that_was_asked_for_before(
    steps: list[tuple[str, int]],
) -> None:
    anyio.run(runs, steps)
