"""What one real engine cannot show: lost nodes, older answers, streams that break, and that a run can be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import anyio
import orjson
import pytest

from reconcilers import labels
from tests.conformance.engine.harness import PAUSE, SECOND, WEB, Document, EngineHarness
from tests.sim.loop import VirtualLoop
from tests.sim.swarm.behaviour import Behaviour
from tests.sim.swarm.swarm import SimSwarm, StaleReads
from tests.sim.swarm.transport import SimTransport

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> Any:
    return "asyncio", {"loop_factory": VirtualLoop}


async def nothing(_: Any) -> None:
    """No hand is needed here."""


async def begin() -> None:
    """Nor a new start."""


def place(swarm: SimSwarm, **options: Any) -> EngineHarness:
    return EngineHarness(SimTransport(swarm, **options), 1, nothing, nothing, begin, real=False)


def where(swarm: SimSwarm, here: EngineHarness) -> dict[tuple[int, str, str], str]:
    return {(t.slot, t.state, t.desired): t.node.hostname if t.node else "" for t in swarm.tasks(here.name("web"))}


# -- nodes -------------------------------------------------------------------------------------------------------------


async def test_tasks_of_a_lost_node_stay_as_they_were_and_are_replaced_elsewhere() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    await here.create(replicas=2)
    await here.runs(count=2)
    assert sorted(where(swarm, here).values()) == ["manager", "worker"]
    swarm.node_down("worker")
    await here.runs(count=2)
    states = sorted((t.state, t.desired, t.node.hostname) for t in swarm.tasks(here.name("web")) if t.node)
    assert states == [
        ("running", "running", "manager"),
        ("running", "running", "manager"),
        ("running", "shutdown", "worker"),
    ]
    (node,) = [n for n in await here.get("/nodes") if n["Description"]["Hostname"] == "worker"]
    assert node["Status"]["State"] == "down"
    swarm.node_up("worker")

    async def ended() -> bool:
        return ("shutdown", "worker") in {(t.state, t.node and t.node.hostname) for t in swarm.tasks(here.name("web"))}

    await here.until(ended)
    await here.runs(count=2)
    assert sorted({t.node.hostname for t in swarm.tasks(here.name("web")) if t.desired == "running" and t.node}) == [
        "manager"
    ], "nothing moves back"


async def test_a_drained_node_loses_its_tasks_and_a_paused_one_keeps_them() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    await here.create(replicas=4)
    await here.runs(count=4)
    swarm.drain("worker", "pause")
    await here.update(replicas=6)
    await here.runs(count=6)
    hosts = [t.node.hostname for t in swarm.tasks(here.name("web")) if t.desired == "running" and t.node]
    assert sorted(hosts) == ["manager"] * 4 + ["worker"] * 2
    swarm.drain("worker")

    async def moved() -> bool:
        return {t.node.hostname for t in swarm.tasks(here.name("web")) if t.desired == "running" and t.node} == {
            "manager"
        }

    await here.until(moved)
    await here.runs(count=6)


async def test_a_task_of_its_node_alone_waits_for_the_node() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    worker = swarm.node_ids()[1]
    await here.create(replicas=1, template={"Placement": {"Constraints": [f"node.id=={worker}"]}})
    await here.runs()
    swarm.node_down(worker)
    await anyio.sleep(5)
    assert [t.state for t in swarm.tasks(here.name("web")) if t.desired == "running"] == ["pending"]
    swarm.node_up(worker)
    await here.runs()


async def test_a_task_of_a_job_stays_as_it_was_while_its_node_is_down_and_is_not_replaced() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    mode = {"ReplicatedJob": {"MaxConcurrent": 2, "TotalCompletions": 2}}
    await here.create(Mode=mode, UpdateConfig=None, RollbackConfig=None, container={"Args": ["worker"]})

    async def run() -> bool:
        return [t["Status"]["State"] for t in await here.tasks()] == ["running"] * 2

    await here.until(run)
    before = where(swarm, here)
    assert sorted(before.values()) == ["manager", "worker"]
    swarm.node_down("worker")
    await asyncio.sleep(60)
    assert where(swarm, here) == before
    swarm.node_up("worker")
    await asyncio.sleep(60)
    assert where(swarm, here) == before


async def test_containers_and_network_copies_are_those_of_the_engine_that_is_asked() -> None:
    swarm = SimSwarm()
    here, there = place(swarm), place(swarm, node="worker")
    network = await here.network()
    worker = swarm.node_ids()[1]
    on_worker = {"Placement": {"Constraints": [f"node.id=={worker}"]}, "Networks": [{"Target": network}]}
    await here.create(replicas=1, template=on_worker)
    await here.create("edge", replicas=1, template={"Placement": {"Constraints": [f"node.id!={worker}"]}})
    await here.runs()
    await here.runs("edge")
    assert await here.containers() == []
    assert len(await there.containers()) == 1
    (edge,) = await here.containers("edge")
    body = {"Container": edge["Id"]}
    answer = await here.ask("POST", f"/networks/{network}/connect", body)
    assert (answer.status, answer.error) == (404, "NotFound"), "it is only on the other node"


# -- older answers -----------------------------------------------------------------------------------------------------


async def test_reads_after_a_write_may_be_older() -> None:
    """moby#30794."""
    swarm = SimSwarm()
    here, other = place(swarm), place(swarm, client="other")
    await here.create(labels={"n": "1"})
    await anyio.sleep(1)
    swarm.stale_reads = StaleReads(reads=2)
    await here.update(labels={"n": "2"})
    seen = [(await here.service())["Spec"]["Labels"]["n"] for _ in range(3)]
    assert seen == ["1", "1", "2"]
    assert (await other.service())["Spec"]["Labels"]["n"] == "2", "others did not write"
    await here.ask("DELETE", f"/services/{here.name('web')}")
    assert [(await here.ask("GET", f"/services/{here.name('web')}")).status for _ in range(3)] == [200, 200, 404]
    swarm.stale_reads = StaleReads(seconds=1.0)
    await here.create()
    assert await here.get("/services") == []
    await anyio.sleep(1)
    assert len(await here.get("/services")) == 1


# -- events ------------------------------------------------------------------------------------------------------------


async def follow(swarm: SimSwarm, heard: list[str], client: str = "client") -> None:
    def on_event(event: Mapping[str, Any] | None) -> None:
        heard.append("connected" if event is None else f"{event['Action']} {event['Actor']['Attributes']['name']}")

    await SimTransport(swarm, client=client).follow(on_event)


async def test_a_cut_stream_begins_anew_with_what_the_ring_still_has() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    heard: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, swarm, heard)
        await anyio.sleep(1)
        swarm.cut_streams()
        await anyio.sleep(0.001)
        for number in range(300):
            await here.create(str(number))
        await anyio.sleep(10)
        tasks.cancel_scope.cancel()
    assert heard[:2] == ["connected", "connected"]
    assert heard[-1] == f"create {here.name('299')}"
    assert len(set(heard)) <= 301


async def test_a_frozen_stream_is_given_up_after_a_window_and_what_was_meanwhile_is_lost() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    heard: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, swarm, heard)
        await anyio.sleep(1)
        swarm.freeze_streams("client")
        await here.create("lost")
        await anyio.sleep(100)
        await here.create("seen")
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    assert heard == ["connected", "connected", f"create {here.name('seen')}"]


async def test_events_can_be_dropped_doubled_and_late() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    heard: list[str] = []

    def meddle(event: Document) -> list[tuple[float, Document]]:
        return {"create": [], "remove": [(0.0, event), (0.0, event)]}.get(event["Action"], [(5.0, event)])

    swarm.events.on_emit = meddle
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow, swarm, heard)
        await anyio.sleep(1)
        await here.create()
        await here.update(labels={"n": "1"})
        await here.ask("DELETE", f"/services/{here.name('web')}")
        await anyio.sleep(10)
        tasks.cancel_scope.cancel()
    name = here.name("web")
    assert heard == ["connected", f"remove {name}", f"remove {name}", f"update {name}"]


# -- for oracles -------------------------------------------------------------------------------------------------------


async def test_every_write_is_logged_with_who_did_it_and_whether_it_was_accepted() -> None:
    swarm = SimSwarm()
    here = place(swarm, client="a", epoch=lambda: 7)
    owned = {labels.OWNER: "environment/1", labels.INSTALLATION: "i"}
    await here.create(labels=owned)
    await here.ask("POST", "/services/create", here.spec())
    await here.update(Labels={})
    await here.ask("DELETE", f"/services/{here.name('web')}")
    await here.ask("DELETE", f"/services/{here.name('web')}")
    shown = [(w.n, w.client, w.epoch, w.object_type, w.action, w.accepted, w.status, w.labels_owner) for w in swarm.log]
    assert shown == [
        (1, "a", 7, "service", "create", True, 201, "environment/1"),
        (2, "a", 7, "service", "create", False, 409, ""),
        (3, "a", 7, "service", "update", True, 200, ""),
        (4, "a", 7, "service", "remove", True, 200, ""),
        (5, "a", 7, "service", "remove", False, 404, ""),
    ]
    assert {w.name for w in swarm.log} == {here.name("web")}
    assert swarm.relabelled == {here.name("web")}
    assert set(swarm.names.values()) == {here.name("web")}


async def course() -> tuple[bytes, dict[str, Any], list[Any]]:
    """A run with much in it; its answers, its end, and its writes."""
    swarm = SimSwarm()
    here = place(swarm)
    answers = []
    network = await here.network()
    await here.create(replicas=3, template={"Networks": [{"Target": network}]})
    await here.runs(count=3)
    await here.update(container={"Args": ["crash"]})
    for _ in range(20):
        await anyio.sleep(0.2)
        answers.append([await here.get("/services"), await here.get("/tasks"), await here.get("/networks")])
    swarm.node_down("worker")
    await anyio.sleep(5)
    answers.append(await here.get("/tasks"))
    return orjson.dumps(answers), swarm.state(), swarm.log


def test_the_same_run_takes_the_same_course() -> None:
    def run() -> tuple[bytes, dict[str, Any], list[Any]]:
        with asyncio.Runner(loop_factory=VirtualLoop) as runner:
            return runner.run(course())

    assert run() == run()


async def test_a_task_that_fails_for_ever_does_not_keep_the_cluster_busy() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    await here.create(replicas=1, container={"Args": ["crash"]})
    await anyio.sleep(60)
    assert not swarm.busy
    moves = swarm.index
    await anyio.sleep(3600)
    assert swarm.index == moves
    (task,) = [t for t in swarm.tasks(here.name("web")) if t.desired != "shutdown"]
    assert task.restarts > 4, "it went on all the same"
    await here.update(container={"Args": None})
    await here.runs()


async def test_the_state_names_what_is_live_without_ids() -> None:
    swarm = SimSwarm()
    here = place(swarm)
    network = await here.network(Labels={"a": "b"})
    node = swarm.node_ids()[0]
    placed = {"Networks": [{"Target": network}], "Placement": {"Constraints": [f"node.id=={node}"]}}
    await here.create(replicas=1, container={"Image": PAUSE}, template=placed)
    await here.runs()
    state = swarm.state()
    template = state["services"][here.name("web")]["TaskTemplate"]
    assert template["Networks"] == [{"Target": here.name("net")}]
    assert template["Placement"] == {"Constraints": ["node.id==manager"]}
    assert state["services"][here.name("web")]["tasks"] == {"running": 1, "present": 1}
    assert state["networks"][here.name("net")]["labels"] == {"a": "b"}
    assert network not in str(state)


async def test_an_image_does_what_a_scenario_says() -> None:
    swarm = SimSwarm(behaviours={WEB: Behaviour(exit_after=2.0, exit_code=4)})
    here = place(swarm)
    policy = {"RestartPolicy": {"Condition": "none", "Delay": SECOND}}
    await here.create(replicas=1, template=policy)
    (task,) = await here.ends("failed")
    assert task["Status"]["ContainerStatus"]["ExitCode"] == 4
    swarm.behave(WEB, Behaviour())
    await here.update(template={**policy, "ForceUpdate": 1})
    await here.runs()
    failed = swarm.fail_task(here.name("web"))
    assert failed in {t["ID"] for t in await here.ends("failed")}
