"""The helper on the simulated Swarm: made once, whoever asks, whatever becomes of the answer; nobody's to remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import pytest

from controller.swarm.adapter import SwarmAdapter
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineUnavailable
from controller.swarm.helper.program import program
from controller.swarm.identity import Marks
from reconcilers import labels, references
from reconcilers.helper import ARCHITECTURES, FIRST, helper_name
from reconcilers.outcomes import ConflictError, TerminalError, TransientError
from tests.conformance.engine.harness import encoded
from tests.sim.loop import VirtualLoop
from tests.sim.swarm.swarm import SimSwarm
from tests.sim.swarm.transport import SimTransport

pytestmark = pytest.mark.anyio

NAME = helper_name("blue", "amd64")


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": VirtualLoop}


class Counted(SimTransport):
    """Writes down what is asked, and ``loses`` the answer to the next write."""

    def __init__(self, swarm: SimSwarm) -> None:
        super().__init__(swarm)
        self.asked: list[str] = []
        self.loses = False

    async def exchange(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        payload: bytes | None = None,
        before_send: Callable[[], None] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes]:
        self.asked.append(f"{method} {path}")
        answer = await super().exchange(method, path, query, payload, before_send, headers=headers)
        if method == "POST" and self.loses:
            self.loses = False
            raise EngineUnavailable(0, "the connection was cut")
        return answer


class Scene:
    """An installation on a Swarm that may have others."""

    def __init__(self, swarm: SimSwarm, installation: str = "blue") -> None:
        self.swarm = swarm
        self.transport = Counted(swarm)
        self.client = EngineClient(self.transport)
        self.cluster = SwarmAdapter(self.client, installation)

    async def provide(self, architecture: str = "amd64") -> list[str]:
        """What was asked of the engine for it."""
        before = len(self.transport.asked)
        await self.cluster.helper.provide(architecture, FIRST)
        return self.transport.asked[before:]

    def configs(self) -> dict[str, Any]:
        return {config.name: config for config in self.swarm.store.configs.values()}

    async def put(self, name: str, **found: str) -> None:
        body = {"Name": name, "Labels": found, "Data": encoded(b"another")}
        await EngineClient(SimTransport(self.swarm)).create_content("config", body)


@pytest.fixture
async def here() -> Scene:
    made = Scene(SimSwarm(nodes=1))
    await made.cluster.refresh_all()
    return made


async def test_it_is_made_once_for_each_architecture_and_then_not_asked_for(here: Scene) -> None:
    for architecture in ARCHITECTURES:
        name = helper_name("blue", architecture)
        made = await here.provide(architecture)
        assert made == ["POST /configs/create", f"GET /configs/{here.configs()[name].meta.id}"]
        assert await here.provide(architecture) == []
        (found,) = [await here.client.content("config", name)]
        assert found["Spec"] == {
            "Name": name,
            "Labels": {labels.INSTALLATION: "blue"},
            "Data": encoded(program(architecture)),
        }
    other = Scene(here.swarm)
    await other.cluster.refresh_all()
    assert await other.provide() == [], "a process that starts lists it"


async def test_what_refers_to_it_finds_it_and_nothing_else_takes_note(here: Scene) -> None:
    before = here.cluster.amounts(), here.cluster.owners(), await here.cluster.holdings(), here.cluster.counts()
    await here.provide()
    after = here.cluster.amounts(), here.cluster.owners(), await here.cluster.holdings(), here.cluster.counts()
    assert after == before
    assert await Marks(here.client, "blue").read() is None, "it is no mark"
    reference = {"ConfigName": NAME, "File": {"Name": "/.skypanel/env"}}
    spec = {"TaskTemplate": {"ContainerSpec": {"Configs": [reference]}}}
    live = here.cluster.live
    (filled,) = references.filled(spec, live.id_of)["TaskTemplate"]["ContainerSpec"]["Configs"]
    assert filled["ConfigID"] == here.configs()[NAME].meta.id
    await here.cluster.refresh_all()
    assert await here.provide() == []


async def test_an_answer_that_was_lost_is_found(here: Scene) -> None:
    here.transport.loses = True
    with pytest.raises(TransientError, match="cut"):
        await here.provide()
    assert len(await here.provide()) == 2
    assert await here.provide() == []
    assert list(here.configs()) == [NAME]


async def test_two_that_make_it_at_once_both_have_it(here: Scene) -> None:
    other = Scene(here.swarm)
    await other.cluster.refresh_all()
    async with anyio.create_task_group() as tasks:
        for each in (here, here, other):
            tasks.start_soon(each.provide)
    assert await here.provide() == await other.provide() == []
    assert list(here.configs()) == [NAME]


async def test_one_that_was_removed_is_made_anew(here: Scene) -> None:
    async with anyio.create_task_group() as tasks:

        async def told(_: object) -> None:
            raise AssertionError("nobody owns it")

        tasks.start_soon(here.cluster.hints, told)
        await anyio.sleep(1)
        await here.provide()
        await anyio.sleep(10)
        assert await here.provide() == []
        await EngineClient(SimTransport(here.swarm)).remove_content("config", here.configs()[NAME].meta.id)
        await anyio.sleep(1)
        assert len(await here.provide()) == 2
        tasks.cancel_scope.cancel()
    assert list(here.configs()) == [NAME]


async def test_somebody_elses_of_that_name_is_left_alone(here: Scene) -> None:
    await here.put(NAME, **{labels.INSTALLATION: "green"})
    with pytest.raises(TerminalError, match=f"config {NAME} is on the engine and was not made by this installation"):
        await here.provide()
    with pytest.raises(TerminalError, match="is on the engine"):
        await here.provide()
    assert await Scene(here.swarm, "green").provide("arm64"), "its own is another"


async def test_one_of_ours_is_taken_as_it_is(here: Scene) -> None:
    """A compiler of another version makes other bytes that do the same: its version is in its name."""
    await here.put(NAME, **{labels.INSTALLATION: "blue"})
    assert len(await here.provide()) == 2
    assert (await here.client.content("config", NAME))["Spec"]["Data"] == encoded(b"another")


async def test_an_architecture_without_one_is_told_and_nothing_is_asked(here: Scene) -> None:
    here.transport.asked.clear()
    for architecture, said in (("riscv64", "riscv64"), ("", "nothing that is known")):
        with pytest.raises(TerminalError, match=f"images for amd64 and arm64 only; this one is for {said}"):
            await here.provide(architecture)
    assert here.transport.asked == []


async def test_a_process_that_leads_no_more_makes_none(here: Scene) -> None:
    class LostError(Exception):
        pass

    def guard() -> None:
        raise LostError

    here.client.guard = guard
    with pytest.raises(LostError):
        await here.provide()
    assert here.configs() == {}


async def test_one_that_goes_while_its_name_is_taken_is_looked_for_again(here: Scene) -> None:
    await here.put(NAME, **{labels.INSTALLATION: "blue"})
    read = here.client.content

    async def gone(object_type: str, id_or_name: str) -> Any:
        here.swarm.store.configs.clear()
        return await read(object_type, id_or_name)

    here.client.content = gone  # type: ignore[method-assign]
    with pytest.raises(ConflictError):
        await here.provide()
    here.client.content = read  # type: ignore[method-assign]
    assert len(await here.provide()) == 2
