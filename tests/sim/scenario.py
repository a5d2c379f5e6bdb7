"""Scenarios: what somebody declares, step by step. Each is run without faults once, then with every fault there is.

A kind declares its own in one short file in ``tests/sim/scenarios``::

    @scenario()
    async def create_scale_delete(sim: Simulation) -> None:
        home = organization(sim, "acme")
        shop = environment(sim, home, "shop", instances=1)
        await sim.settle()
        ...

A scenario is deterministic, and waits only with ``sim.settle()`` and ``sim.sleep()``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from controller.records import Key
from reconcilers.port import Port
from specs import installed, names
from tests.sim.database.database import SimDatabase
from tests.sim.hands import Hands
from tests.sim.loop import VirtualLoop
from tests.sim.safety import NOT_YET
from tests.sim.settings import INSTALLATION
from tests.sim.swarm.swarm import SimSwarm
from tests.sim.world import World


class Simulation:
    """Where a scenario declares, waits, and lays hands on the engine."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def hands(self) -> Hands:
        """For damage."""
        return self._world.hands

    @property
    def swarm(self) -> SimSwarm:
        """For nodes that are lost and images that do not start."""
        return self._world.swarm

    @property
    def database(self) -> SimDatabase:
        """For pauses, and for asking for a look now."""
        return self._world.database

    def identify(self, kind: str, name: str) -> str:
        """The id of a declared object: always the same for the same name."""
        return self._world.names.identify(kind, name)

    def service(self, environment: Key, process: str = "web") -> str:
        """Name of the service of one process, as it is declared now."""
        document = self.document(environment)
        organization = document["organization"]["id"]
        return names.service_name(
            document["swarm_name"],
            process,
            installation=INSTALLATION,
            organization=organization,
            environment=environment.id,
        )

    def network(self, organization: Key) -> str:
        """Name that the organization's network is given when it is made now."""
        slug = self.document(organization)["slug"]
        return names.network_name(slug, installation=INSTALLATION, organization=organization.id)

    def pin(self, organization: Key) -> str:
        """Name of the organization's pin."""
        return names.pin_name(installation=INSTALLATION, organization=organization.id)

    def put(
        self, kind: str, name: str, document: dict[str, Any], *, organization: str, depends_on: Iterable[Key] = ()
    ) -> Key:
        """Insert or change the row of the object called ``name``."""
        key = Key(kind, self._world.names.identify(kind, name))
        self.declare(key, document, organization=organization, depends_on=depends_on)
        return key

    def declare(self, key: Key, document: dict[str, Any], *, organization: str, depends_on: Iterable[Key] = ()) -> None:
        """Insert or change the row ``key``."""
        database = self._world.database
        known = database.objects.get(key)
        with database.transaction() as change:
            change.put(key, organization, document)
            if known is None:
                for other in depends_on:
                    change.depends(key, other)

    def port(self, port: type[Port]) -> Any:
        """The simulated adapter of ``port``, for what happens there by itself."""
        return self._world.ports[port]

    def document(self, key: Key) -> dict[str, Any]:
        """What is declared now."""
        found: dict[str, Any] = orjson.loads(self._world.database.objects[key].document)
        return found

    def change(self, key: Key, **fields: Any) -> None:
        """Change some fields of a row."""
        row = self._world.database.objects[key]
        self._world.database.put(key, row.organization_id, {**orjson.loads(row.document), **fields})

    def delete(self, *keys: Key) -> None:
        """Ask for deletion."""
        with self._world.database.transaction() as change:
            for key in keys:
                change.mark_deleted(key)

    def drop(self, *keys: Key) -> None:
        """DELETE the rows."""
        with self._world.database.transaction() as change:
            for key in keys:
                change.drop(key)

    async def settle(self) -> None:
        """Wait until what is declared is so."""
        await self._world.settle()

    async def sleep(self, seconds: float) -> None:
        """Let time go by."""
        await asyncio.sleep(seconds)
        self._world.watch.look()

    def jump(self, seconds: float) -> None:
        """Set the wall clock ahead, or back: of the engine, the database and the controllers."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        loop.wall_offset += seconds

    def take_over(self) -> None:
        """Have the controller that leads die; another one leads some seconds later, and remembers nothing."""
        self._world.processes[-1].end()

    def reason(self, key: Key) -> str:
        """Reason of the object's Ready condition."""
        said = self._world.database.statuses.get(key)
        return said.reason if said else ""


Body = Callable[[Simulation], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One registered scenario.

    Args:
        name: ``kind.function``.
        extra: actions of which a fault may cost one more than without it, and why is said where it is declared.
        counts: whether every fault must leave the number of writes to each object as it is without faults; not where
            changes overlap, so that it is a matter of time what is written.
    """

    name: str
    body: Body
    counts: bool = True
    extra: frozenset[str] = frozenset()


_registered: dict[str, Scenario] = {}


def scenario(*, counts: bool = True, extra: Iterable[str] = ()) -> Callable[[Body], Body]:
    """Register the decorated coroutine function."""

    def register(body: Body) -> Body:
        kind = body.__module__.removesuffix(".scenario").rsplit(".", 1)[-1]
        name = f"{kind}.{body.__name__}"
        _registered[name] = Scenario(name, body, counts, frozenset(extra))
        return body

    return register


def scenarios() -> dict[str, Scenario]:
    """All scenarios of all kinds, also of installed packages, by name, but those that are known to fail."""
    for path in sorted(Path(__file__).with_name("scenarios").glob("*.py")):
        import_module(f"tests.sim.scenarios.{path.stem}")
    for package in installed.packages():
        package.bring("scenario")
    return {name: found for name, found in _registered.items() if name not in NOT_YET}
