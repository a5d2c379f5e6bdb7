"""Two controllers of one installation, each with its own ways to the engine and to the database.

The database writes down who held the lease when (``record.sql``), the engine's proxies who wrote what when. Processes
may see another time than the machine's; what is written down is always in the machine's.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconcilers import labels
from tests.chaos.workload import Workload
from tests.e2e.world import PASSWORD, WEB, Controller, World, eventually
from tests.proxies.engine import Call, EngineProxy
from tests.proxies.postgres import PostgresProxy

LEASE_SECONDS = 3.0
RESYNC_SECONDS = 0.4
SETTINGS = {
    "SKYPANEL_LEASE_SECONDS": f"{LEASE_SECONDS:.0f}",
    "SKYPANEL_RESYNC_SECONDS": str(RESYNC_SECONDS),
    "SKYPANEL_POLL_SECONDS": "1",
    "SKYPANEL_MIN_READY_SECONDS": "0.3",
    "SKYPANEL_TASK_POLL_SECONDS": "1",
}
FOREIGN = "chaos-foreign"


@dataclass
class SupervisedController:
    """One controller, started again after each end, and its ways."""

    name: str
    engine: EngineProxy
    database: PostgresProxy
    controller: Controller
    pids: list[int] = field(default_factory=list)

    def start(self) -> None:
        """A new process, as a service manager starts it; it may not be ready yet."""
        self.controller.start(ready=False)
        self.pids.append(self.pid)

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        assert self.controller.process is not None
        return self.controller.process.pid

    @property
    def lives(self) -> bool:
        """Whether its process has not ended."""
        return self.controller.process is not None and self.controller.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send it."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.controller.kill()

    def checks(self) -> dict[str, Any]:
        """What /readyz says, ready or not."""
        return self.controller.checks()

    def heal(self) -> None:
        """No faults on its ways any more."""
        self.engine.heal()
        self.database.heal()


class ChaosHarness:
    """A world with two controllers; ``close`` ends everything.

    Args:
        world: rows and engine; it cleans the engine afterwards.
        seed: of the workload.
        sockets: of the engines that the two controllers speak to; the world's own unless said otherwise.
        settings: of both.
    """

    def __init__(
        self,
        world: World,
        *,
        seed: int,
        sockets: tuple[Path, ...] = (),
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.world = world
        self.folder = Path(tempfile.mkdtemp(prefix="sky-"))
        self.folder.chmod(0o755)
        world.root((Path(__file__).parent / "record.sql").read_text())
        names: dict[str, str] = {}
        self.controllers = tuple(
            self._seat(name, socket, names, {**SETTINGS, **(settings or {})})
            for name, socket in zip("ab", sockets or (world.lab.socket, world.lab.socket), strict=True)
        )
        self.workload = Workload(world, seed)
        self.has_edge = bool(world.engine.get("/services", filters={"label": [f"{labels.EDGE}=true"]}))
        self.foreign = self._plant()

    def _seat(self, name: str, socket: Path, names: dict[str, str], settings: dict[str, str]) -> SupervisedController:
        folder = self.folder / name
        folder.mkdir(mode=0o755)
        engine = EngineProxy(folder / "docker.sock", socket, writer=name, names=names).start()
        server = self.world.server.socket_dir / ".s.PGSQL.5432"
        database = PostgresProxy(folder / ".s.PGSQL.5432", server).start()
        controller = self.world.controller(
            DATABASE_URL=f"postgresql://controller:{PASSWORD}@/{self.world.database}?host={folder}",
            DOCKER_HOST=f"unix://{engine.path}",
            **settings,
        )
        return SupervisedController(name, engine, database, controller)

    def start(self) -> None:
        """Start what does not run, or ends just now, and wait for a leader and a stand-by."""
        eventually(self.both_ready, seconds=40, what="one controller leads, the other one stands by")

    def both_ready(self) -> bool:
        """Whether one leads and the other one stands by, and both say that they are ready; the dead are started."""
        for controller in self.controllers:
            if not controller.lives:
                controller.start()
        found = [controller.checks() for controller in self.controllers]
        return {c.get("role") for c in found} == {"leader", "standby"} and all(c.get("ready") for c in found)

    def heal(self) -> None:
        """End all faults: nothing stands in the way, everybody runs."""
        for controller in self.controllers:
            controller.heal()
            if controller.lives:
                controller.signal(signal.SIGCONT)
        self.start()

    def close(self) -> None:
        """End the processes and the proxies."""
        try:
            for controller in self.controllers:
                controller.kill()
            for document in self.foreign:
                self.world.engine.delete(document)
        finally:
            for controller in self.controllers:
                controller.engine.stop()
                controller.database.stop()
            shutil.rmtree(self.folder)

    # -- who leads -------------------------------------------------------------------------------------------------

    @property
    def leader(self) -> SupervisedController:
        """Who holds the lease now, by the database."""
        found = eventually(self._holder, what="somebody holds the lease")
        assert isinstance(found, SupervisedController)
        return found

    @property
    def standby(self) -> SupervisedController:
        """The other one."""
        leader = self.leader
        return next(controller for controller in self.controllers if controller is not leader)

    def _holder(self) -> SupervisedController | None:
        rows = self.world.root("SELECT holder FROM skypanel.lease WHERE expires_at > clock_timestamp()")
        return self.controller_of(rows[0]["holder"]) if rows else None

    def controller_of(self, holder: str) -> SupervisedController | None:
        """Whose process this holder of the lease is, or was."""
        pid = int(holder.split(":")[1])
        return next((controller for controller in self.controllers if pid in controller.pids), None)

    def terms(self) -> list[dict[str, Any]]:
        """Every take-over and renewal: at and expires_at in seconds since the epoch, holder, epoch."""
        return self.world.root(
            "SELECT extract(epoch FROM at)::float AS at, extract(epoch FROM expires_at)::float AS expires_at,"
            " holder, epoch FROM chaos.terms ORDER BY at"
        )

    def wait_for_term(self, controller: SupervisedController, since: float, *, seconds: float = 30.0) -> float:
        """When ``controller`` began to lead after ``since``."""

        def began() -> float | None:
            return next(
                (t["at"] for t in self.terms() if t["at"] > since and self.controller_of(t["holder"]) is controller),
                None,
            )

        return float(eventually(began, seconds=seconds, what=f"{controller.name} leads"))

    @property
    def calls(self) -> list[Call]:
        """Everything that was written to the engine, by time."""
        return sorted(
            (call for controller in self.controllers for call in list(controller.engine.calls)),
            key=lambda call: call.at,
        )

    # -- what is not ours --------------------------------------------------------------------------------------------

    def _plant(self) -> dict[str, bytes]:
        """A service and a network of somebody else, by the path of each, as the engine shows them."""
        name = f"{FOREIGN}-{self.world.name}"
        network = self.world.engine.post("/networks/create", {"Name": name, "Driver": "overlay"})["Id"]
        service = self.world.engine.post(
            "/services/create",
            {
                "Name": name,
                "Labels": {"io.skypanel.owner": "environment/00000000-0000-0000-0000-000000000000"},
                "TaskTemplate": {"ContainerSpec": {"Image": f"{WEB}:1"}},
                "Mode": {"Replicated": {"Replicas": 0}},
                "EndpointSpec": {"Mode": "dnsrr"},
            },
        )["ID"]
        return {path: self.shown(path) for path in (f"/services/{service}", f"/networks/{network}")}

    def shown(self, path: str) -> bytes:
        """A document of the engine, byte for byte but for the order of its fields."""
        return json.dumps(self.world.engine.get(path), sort_keys=True).encode()


def now() -> float:
    """Seconds since the epoch, as the records have them."""
    return time.time()
