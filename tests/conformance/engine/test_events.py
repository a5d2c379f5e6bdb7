"""The event stream: what is told of services and networks, and that tasks are not in it."""

from __future__ import annotations

import pytest

from tests.conformance.engine.harness import PAUSE, Document, EngineHarness

pytestmark = pytest.mark.anyio


def told(heard: list[Document], kind: str, object_id: str) -> list[tuple[str, dict[str, str]]]:
    return [
        (e["Action"], e["Actor"]["Attributes"]) for e in heard if e["Type"] == kind and e["Actor"]["ID"] == object_id
    ]


async def test_a_service_is_told_of_with_what_changed(here: EngineHarness) -> None:
    name = {"name": here.name("web")}
    async with here.events() as heard:
        service = await here.create(container={"Image": PAUSE})
        await here.update(labels={"n": "1"})
        await here.update(replicas=2)
        await here.runs(count=2)
        await here.update(container={"Env": ["A=1"]})
        await here.reaches("completed")
        await here.ask("DELETE", f"/services/{service}")

        async def removed() -> bool:
            return "remove" in [action for action, _ in told(heard, "service", service)]

        await here.until(removed)
        assert told(heard, "service", service) == [
            ("create", name),
            ("update", name),
            ("update", {**name, "replicas.old": "0", "replicas.new": "2"}),
            ("update", name),
            ("update", {**name, "updatestate.new": "updating"}),
            ("update", {**name, "updatestate.old": "updating", "updatestate.new": "completed"}),
            ("remove", name),
        ]
        assert {e["scope"] for e in heard if e["Type"] == "service"} == {"swarm"}
        assert {e["Type"] for e in heard} <= {"service", "network", "container"}, "nothing of tasks"


async def test_a_network_is_told_of_twice_as_its_addresses_come_later(here: EngineHarness) -> None:
    name = {"name": here.name("net")}
    async with here.events() as heard:
        network = await here.network()
        await here.ask("DELETE", f"/networks/{network}")

        async def removed() -> bool:
            return "remove" in [action for action, _ in told(heard, "network", network)]

        await here.until(removed)
        assert told(heard, "network", network) == [("create", name), ("update", name), ("remove", name)]


async def test_containers_are_told_of_when_they_start_and_end(here: EngineHarness) -> None:
    async with here.events() as heard:
        service = await here.create(replicas=1)
        (task,) = await here.runs()
        container = task["Status"]["ContainerStatus"]["ContainerID"]

        async def started() -> bool:
            return bool(told(heard, "container", container))

        await here.until(started)
        await here.kill(container)

        async def died() -> bool:
            return [action for action, _ in told(heard, "container", container)][-1] == "die"

        await here.until(died)
        start, die = [each for each in told(heard, "container", container) if each[0] in ("start", "die")]
        assert (start[0], die[0]) == ("start", "die")
        own = {
            "com.docker.swarm.node.id": task["NodeID"],
            "com.docker.swarm.service.id": service,
            "com.docker.swarm.service.name": here.name("web"),
            "com.docker.swarm.task": "",
            "com.docker.swarm.task.id": task["ID"],
            "com.docker.swarm.task.name": f"{here.name('web')}.1.{task['ID']}",
            "name": f"{here.name('web')}.1.{task['ID']}",
            "image": task["Spec"]["ContainerSpec"]["Image"],
        }
        assert own.items() <= start[1].items()
        assert {**own, "exitCode": "137"}.items() <= die[1].items()
        assert {e["scope"] for e in heard if e["Type"] == "container"} == {"local"}
