"""Rolling deploys in a row of apps of two tasks, under requests on kept connections: how many requests fail.

Three apps are deployed at once, again and again: one that serves on for three seconds after SIGTERM, one that ends at
once, and the same with ``drain``. Every fourth request takes a second. There is no floor: what is wanted is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Any

import psycopg
from rich.console import Console

from deploy import engine, traefik
from tests.bench.deploy import IMAGES, WEB, all_run, answers, rests
from tests.bench.harness import NAME, BenchHarness, wait_until
from tests.bench.process import controller
from tests.bench.raw import RawConnection
from tests.bench.report import Measurement
from tests.bench.workload import add_apps
from tests.labs import free_port
from tests.load import Load

_AT_ONCE = {"entrypoint": ["/bin/sh", "-c", "SKYPANEL_WEB_MODE=keepalive exec web serve"]}
_APPS: Mapping[str, Mapping[str, Any]] = {
    "serves on after SIGTERM": {"cmd": ["keepalive"]},
    "ends at once": _AT_ONCE,
    "ends at once, drain: 3s": {**_AT_ONCE, "drain_seconds": 3},
}
_PATHS = ("/", "/", "/", "/slow/1")
_CLIENTS = 12
_EVERY_SECONDS = 0.1
_SAID_EVERY = 10


def measure(place: BenchHarness, deploys: int, console: Console) -> list[Measurement]:
    """Failed requests of each app while all are deployed ``deploys`` times."""
    port = free_port()
    lab = engine.up(NAME, images=IMAGES, forwards=[f"{port}:80"])
    hosts = {app: f"app{number}.localhost" for number, app in enumerate(_APPS)}
    with place.database() as database, database.connect() as panel, RawConnection(place.socket) as swarm:
        traefik.deploy(lab.api())
        for app, owner in zip(_APPS, add_apps(panel, 1, len(_APPS)), strict=True):
            _add(panel, owner, hosts[app], _APPS[app])
        with controller(place, database) as daemon:
            daemon.wait_for("resync.done")
            for host in hosts.values():
                wait_until(partial(answers, port, host), f"{host} answers", every=_EVERY_SECONDS)
            services = [name for name in place.services() if "-web" in name]
            load = Load(port, list(hosts.values()), _PATHS, _CLIENTS)
            with load.running():
                for number in range(deploys):
                    _deploy(panel, swarm, services, f"{WEB}:{2 - number % 2}")
                    if not (number + 1) % _SAID_EVERY:
                        console.print(f"{number + 1}: {[_failed(load.outcomes[host]) for host in hosts.values()]}")
    found = [(app, load.outcomes[host]) for app, host in hosts.items()]
    for app, outcomes in found:
        console.print(f"{app}: {dict(outcomes)}")
    return [
        Measurement(f"{app}: failed of {outcomes.total()} requests in {deploys} deploys", _failed(outcomes), "", aim=0)
        for app, outcomes in found
    ]


def _failed(outcomes: Counter[str]) -> int:
    return sum(count for what, count in outcomes.items() if not what.startswith("image "))


def _add(panel: psycopg.Connection[Any], app: str, host: str, columns: Mapping[str, Any]) -> None:
    """An environment of two tasks with a host name, in one transaction."""
    names = ", ".join(("app_id", "name", "image_ref", "instances", "port", "memory_mb", "cpu_limit", *columns))
    values = [app, "production", f"{WEB}:1", 2, 8080, 32, 0.25, *columns.values()]
    places = ", ".join(["%s"] * len(values))
    with panel.transaction():
        row = panel.execute(
            f"INSERT INTO paas_environments ({names}) VALUES ({places}) RETURNING id".encode(), values
        ).fetchone()
        assert row is not None
        panel.execute("INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)", (row[0], host))


def _deploy(panel: psycopg.Connection[Any], swarm: RawConnection, services: list[str], image: str) -> None:
    panel.execute("UPDATE paas_environments SET image_ref = %s", (image,))
    for name in services:
        wait_until(partial(all_run, swarm, name, image), f"all tasks run {image}", every=_EVERY_SECONDS)
        wait_until(partial(rests, swarm, name), "the rollout is over", every=_EVERY_SECONDS)
