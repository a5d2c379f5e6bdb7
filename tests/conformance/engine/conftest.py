"""The two worlds: a simulated Swarm in a loop whose clock jumps, and a real engine of one node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from itertools import count
from typing import Any

import anyio.to_thread
import orjson
import pytest

from controller.swarm.transport import DockerTransport
from deploy.engine import Lab
from tests.conformance.engine.harness import EngineHarness
from tests.labs import exclusive_lab
from tests.sim.loop import VirtualLoop
from tests.sim.swarm.swarm import SimSwarm
from tests.sim.swarm.transport import SimTransport

_NUMBERS = count(1)
_SIMULATED: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": VirtualLoop})


@pytest.fixture(params=[_SIMULATED, "asyncio"], ids=["simulated", "engine"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="session")
def conform_lab() -> Iterator[Lab]:
    """A Swarm of one node, without anything on it."""
    with exclusive_lab("conform", images=["web", "pause"]) as running:
        yield running


@pytest.fixture
async def here(anyio_backend: Any, request: pytest.FixtureRequest) -> AsyncIterator[EngineHarness]:
    """An engine of one of the worlds."""
    if anyio_backend == _SIMULATED:
        yield simulated()
        return
    lab: Lab = request.getfixturevalue("conform_lab")
    here = await _real(lab)
    yield here
    await here.clean()
    here.transport.close()


def simulated() -> EngineHarness:
    """A Swarm of its own."""
    swarm = SimSwarm(nodes=1)
    (node,) = swarm.store.nodes.values()

    async def kill(container: str) -> None:
        (task,) = (t for t in swarm.store.tasks.values() if t.container == container)
        swarm.agents.fail(task, 137)

    async def label_node(labels: Mapping[str, str]) -> None:
        swarm.update_node(node, availability="active", labels=dict(labels))

    async def restart() -> None:
        swarm.lead_anew()

    return EngineHarness(SimTransport(swarm), 1, kill, label_node, restart, real=False)


async def _real(lab: Lab) -> EngineHarness:
    transport = DockerTransport(lab.docker_host)

    async def kill(container: str) -> None:
        await made.post(f"/containers/{container}/kill", signal="KILL")

    async def label_node(labels: Mapping[str, str]) -> None:
        (node,) = await made.get("/nodes")
        spec = {**node["Spec"], "Labels": dict(labels)}
        await transport.exchange(
            "POST", f"/nodes/{node['ID']}/update", {"version": node["Version"]["Index"]}, orjson.dumps(spec)
        )

    def begin_anew() -> None:
        daemon = lab.nodes[0].daemon
        daemon.kill()
        daemon.start()
        daemon.wait()

    async def restart() -> None:
        await anyio.to_thread.run_sync(begin_anew)

    made = EngineHarness(transport, next(_NUMBERS), kill, label_node, restart, real=True)
    return made
