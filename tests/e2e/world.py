"""A world for one test: a database and an installation of its own, on the shared engine, and a real controller."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from deploy.engine import EngineApi, EngineApiError, Lab
from deploy.postgres import Server
from specs import names
from tests.labs import free_port

PASSWORD = "not-to-be-seen-4711"
WEB = "127.0.0.1:5000/skypanel/web"
PAUSE = "127.0.0.1:5000/skypanel/pause:1"
REGISTRY = "127.0.0.1:5000"
CREATED = "io.skypanel.installation"

_leftovers: set[str] = set()
_worlds = itertools.count()


def eventually(check: Callable[[], Any], *, seconds: float = 60.0, what: str = "") -> Any:
    """Ask ``check`` until it gives something true, or fail with its last answer.

    It is asked often at first, and less often when it takes long, as what is waited for needs the processor, too.
    """
    begun = time.monotonic()
    last: Any = None
    while (waited := time.monotonic() - begun) < seconds:
        try:
            last = check()
            if last:
                return last
        except (OSError, LookupError, EngineApiError, psycopg.OperationalError) as error:
            last = error
        time.sleep(min(0.2, max(0.02, waited / 50)))
    raise AssertionError(f"not within {seconds} s: {what or check}; last: {last!r}")


@dataclass
class Controller:
    """One controller process; its log goes to a file."""

    environment: Mapping[str, str]
    log: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self, *, ready: bool = True) -> Controller:
        with self.log.open("ab") as stream:
            self.process = subprocess.Popen(
                # It ends with the test run, whatever ends that.
                ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "controller", "up"],
                env={**os.environ, **self.environment},
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        if ready:
            eventually(self.is_ready, what="the controller is ready")
        return self

    def is_ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"the controller ended with {self.process.returncode}:\n{self.text()[-3000:]}")
        found = self.checks()
        return bool(found.get("ready") and found.get("synced"))

    def checks(self) -> dict[str, Any]:
        """What /readyz says, whether it is ready or not; nothing when nobody answers."""
        try:
            return dict(json.loads(self.fetch("/readyz")))
        except urllib.error.HTTPError as error:
            with error:
                return dict(json.loads(error.read()))
        except OSError:
            return {}

    def fetch(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def metric(self, name: str) -> float:
        """Sum of all samples of ``name``."""
        lines = [line for line in self.fetch("/metrics").splitlines() if line.startswith((name + " ", name + "{"))]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def terminate(self, *, seconds: float = 30.0) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait(10)

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class World:
    """What a test acts on: rows as the panel writes them, the engine as somebody's hands reach it."""

    name: str
    lab: Lab
    server: Server
    database: str
    folder: Path
    http_port: int
    settings: dict[str, str] = field(default_factory=dict)
    controllers: list[Controller] = field(default_factory=list)
    engine_host: str = ""
    database_folder: str = ""

    def __post_init__(self) -> None:
        self.engine: EngineApi = self.lab.api()
        # The edge keeps idle connections to tasks for 90 s; those of the world before lead nowhere any more. In use,
        # the quarantine of a subnet keeps its addresses from the next owner for longer than that; here each world has
        # addresses of its own.
        self.subnet_pool = f"10.{64 + next(_worlds) % 16}.0.0/16"
        self._panel: psycopg.Connection[dict[str, Any]] | None = None

    # -- the controller --------------------------------------------------------------------------------------

    def controller(self, **settings: str) -> Controller:
        """A controller of this installation; not started."""
        dsn = self.server.dsn_for("controller", self.database).replace("controller@", f"controller:{PASSWORD}@")
        if self.database_folder:
            dsn = f"postgresql://controller:{PASSWORD}@/{self.database}?host={self.database_folder}"
        number, port = len(self.controllers), free_port()
        environment = {
            "DATABASE_URL": dsn,
            "DOCKER_HOST": self.engine_host or self.lab.docker_host,
            "SKYPANEL_INSTALLATION": self.name,
            "SKYPANEL_LISTEN": f"127.0.0.1:{port}",
            "SKYPANEL_PIN_IMAGE": PAUSE,
            "SKYPANEL_ALLOWED_REGISTRIES": REGISTRY,
            "SKYPANEL_LEASE_SECONDS": "2",
            "SKYPANEL_RESYNC_SECONDS": "300",
            "SKYPANEL_TASK_POLL_SECONDS": "1",
            "SKYPANEL_ROLLOUT_MONITOR_SECONDS": "1",
            "SKYPANEL_MIN_READY_SECONDS": "0.3",
            "SKYPANEL_EDGE_SETTLE_SECONDS": "5",
            "SKYPANEL_SUBNET_QUARANTINE_SECONDS": "0",
            "SKYPANEL_SUBNET_POOL": self.subnet_pool,
            "SKYPANEL_LOG_FORMAT": "json",
            "SKYPANEL_LOG_LEVEL": "debug",
            **self.settings,
            **settings,
        }
        made = Controller(environment, self.folder / f"controller-{number}.log", port)
        self.controllers.append(made)
        return made

    def skypanel(
        self, *arguments: str, role: str = "skypanel_owner", stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """The command, in a terminal of somebody with ``role``."""
        return subprocess.run(
            [sys.executable, "-m", "controller", *arguments],
            env={
                **os.environ,
                "DATABASE_URL": self.server.dsn_for(role, self.database),
                "DOCKER_HOST": self.lab.docker_host,
                "SKYPANEL_INSTALLATION": self.name,
                "SKYPANEL_PIN_IMAGE": PAUSE,
                "SKYPANEL_ALLOWED_REGISTRIES": REGISTRY,
                "SKYPANEL_SUBNET_POOL": self.subnet_pool,
                "SKYPANEL_ROLLOUT_MONITOR_SECONDS": "1",
                "SKYPANEL_KEYS": self.settings.get("SKYPANEL_KEYS", ""),
            },
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    # -- rows ------------------------------------------------------------------------------------------------

    def sql(self, query: str, *values: object) -> list[dict[str, Any]]:
        """One statement as the panel."""
        for attempt in (1, 2):
            if self._panel is None or self._panel.closed:
                self._panel = psycopg.connect(
                    self.server.dsn_for("panel", self.database), autocommit=True, row_factory=dict_row
                )
            try:
                cursor = self._panel.execute(query, values or None)
                return cursor.fetchall() if cursor.description else []
            except psycopg.OperationalError:
                self._panel.close()
                if attempt == 2:
                    raise
        raise AssertionError

    def root(self, query: str, *values: object) -> list[dict[str, Any]]:
        """One statement as the database's superuser."""
        with psycopg.connect(
            self.server.dsn_for("postgres", self.database), autocommit=True, row_factory=dict_row
        ) as connection:
            cursor = connection.execute(query, values or None)
            return cursor.fetchall() if cursor.description else []

    def insert(self, table: str, **values: object) -> str:
        """A row as the panel writes it; its id."""
        columns = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        key = "organization_id" if table == "paas_organizations" else "id"
        return str(
            self.sql(f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING {key}", *values.values())[0][key]
        )

    def organization(self, slug: str) -> str:
        """An organization and its owner; the slug begins with the test's name, so that names do not collide."""
        user = self.root(
            "INSERT INTO users (email, password_hash, name) VALUES (%s, '!', %s) RETURNING id",
            f"{slug}@example.com",
            slug,
        )[0]["id"]
        return self.insert("organizations", name=slug.title(), slug=self.slug(slug), owner_id=user)

    def slug(self, slug: str) -> str:
        """The whole slug of an organization of this test."""
        return f"{self.name}-{slug}"

    def app(self, organization: str, slug: str) -> str:
        return self.insert("paas_apps", organization_id=organization, name=slug.title(), slug=slug)

    def environment(self, app: str, name: str = "production", **columns: object) -> str:
        values: dict[str, object] = {"image_ref": f"{WEB}:1", "port": 8080, "instances": 1, "memory_mb": 16, **columns}
        return self.insert("paas_environments", app_id=app, name=name, **values)

    def service(self, stem: str = "acme-shop-production", process: str = "web") -> str:
        """Name of the service of an environment; ``stem`` is what the rows call it, without the test's name."""
        found = self.root(
            "SELECT e.id, a.organization_id FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id"
            " WHERE e.swarm_name = %s ORDER BY e.created_at DESC",
            self.slug(stem),
        )[0]
        return names.service_name(
            self.slug(stem),
            process,
            installation=self.name,
            organization=found["organization_id"],
            environment=found["id"],
        )

    def network(self, slug: str = "acme") -> str:
        """Name of an organization's network, if it has not been renamed since that was made."""
        return names.network_name(self.slug(slug), installation=self.name, organization=self._organization(slug))

    def pin(self, slug: str = "acme") -> str:
        """Name of an organization's pin."""
        return names.pin_name(installation=self.name, organization=self._organization(slug))

    def _organization(self, slug: str) -> str:
        return str(self.root("SELECT id FROM organizations WHERE slug = %s", self.slug(slug))[0]["id"])

    def status(self, kind: str, object_id: str) -> dict[str, Any] | None:
        rows = self.sql("SELECT * FROM skypanel.object_status WHERE kind = %s AND id = %s", kind, object_id)
        return rows[0] if rows else None

    def conditions(self, kind: str, object_id: str) -> dict[str, dict[str, str]]:
        status = self.status(kind, object_id)
        return {c["type"]: c for c in status["conditions"]} if status else {}

    def generation(self, kind: str, object_id: str) -> int:
        return int(self.sql("SELECT generation FROM " + TABLES[kind] + " WHERE id = %s", object_id)[0]["generation"])

    def wait_ready(self, environment: str, *, kind: str = "environment", seconds: float = 60.0) -> dict[str, Any]:
        """Until the object is Ready for the generation that it has now."""
        generation = self.generation(kind, environment)

        def ready() -> dict[str, Any] | None:
            status = self.status(kind, environment)
            return status if status and status["ready"] and status["observed_generation"] >= generation else None

        try:
            return dict(eventually(ready, seconds=seconds))
        except AssertionError as error:
            raise AssertionError(f"{kind} {environment} is not ready: {self.status(kind, environment)}") from error

    def events(self, object_id: str) -> list[dict[str, Any]]:
        return self.sql("SELECT * FROM skypanel.events WHERE object_id = %s ORDER BY id", object_id)

    # -- the engine, as somebody's hands reach it ------------------------------------------------------------

    def services(self) -> dict[str, dict[str, Any]]:
        """Live services of this installation by name."""
        found = self.engine.get("/services", filters={"label": [f"{CREATED}={self.name}"]})
        return {s["Spec"]["Name"]: s for s in found}

    def networks(self) -> dict[str, dict[str, Any]]:
        found = self.engine.get("/networks", filters={"label": [f"{CREATED}={self.name}"]})
        return {n["Name"]: n for n in found}

    def versions(self) -> dict[str, int]:
        return {name: s["Version"]["Index"] for name, s in self.services().items()}

    def change_by_hand(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """``docker service update`` of any field."""
        service = self.engine.get(f"/services/{name}")
        change(service["Spec"])
        self.engine.post(f"/services/{service['ID']}/update", service["Spec"], version=service["Version"]["Index"])

    def edge_container(self) -> str:
        found = self.engine.get(
            "/containers/json",
            filters={"label": ["com.docker.swarm.service.name=skypanel-edge"], "status": ["running"]},
        )
        return str(found[0]["Id"])

    def edge_networks(self) -> set[str]:
        return set(self.engine.get(f"/containers/{self.edge_container()}/json")["NetworkSettings"]["Networks"])

    def curl(self, host: str, path: str = "/") -> tuple[int, str]:
        """Through Traefik: status and body."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.http_port}{path}", headers={"Host": host})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode(errors="replace")

    def clean(self) -> None:
        """Stop the controllers; remove everything of this installation from the engine."""
        for controller in self.controllers:
            controller.kill()
        if self._panel is not None:
            self._panel.close()
        for service in self.services().values():
            self.engine.delete(f"/services/{service['ID']}")
        for kind in ("configs", "secrets"):
            for content in self.engine.get(f"/{kind}", filters={"label": [f"{CREATED}={self.name}"]}):
                self.engine.delete(f"/{kind}/{content['ID']}")
        for network in self.networks().values():
            with contextlib.suppress(EngineApiError, LookupError):
                self.engine.post(
                    f"/networks/{network['Id']}/disconnect", {"Container": self.edge_container(), "Force": True}
                )
            _leftovers.add(network["Id"])
        # Tasks take seconds to go, and their networks with them: those of earlier tests go now.
        for network_id in list(_leftovers):
            with contextlib.suppress(EngineApiError):
                self.engine.delete(f"/networks/{network_id}")
                _leftovers.discard(network_id)


TABLES = {
    "environment": "paas_environments",
    "process": "paas_processes",
    "domain": "paas_domains",
    "app": "paas_apps",
}


@contextlib.contextmanager
def world(lab: Lab, server: Server, name: str, folder: Path, *, http_port: int) -> Iterator[World]:
    """A new world, cleaned at the end; a log that shows the password fails the test."""
    database = f"world_{name}".replace("-", "_")
    server.drop_database(database)  # a killed run leaves one
    server.create_database(database)
    made = World(name, lab, server, database, folder, http_port)
    try:
        yield made
        for controller in made.controllers:
            assert PASSWORD not in controller.text(), f"the password is in {controller.log}"
            assert "reconcile.panic" not in controller.text(), controller.text()[-4000:]
    finally:
        made.clean()
        server.drop_database(database)
