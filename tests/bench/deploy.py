"""A deploy as its user sees it, with containers: a changed image until all tasks run it, a new app until it answers.

Measured from the return of the COMMIT. The floor of the change is ``docker service update`` of the very same service:
one call with the other image, with no controller there; of the new app, one create of the very same service on a
network that the edge is on already, and the time until Traefik has seen it. Both wait alike.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg

from deploy import engine, traefik
from tests.bench.harness import NAME, BenchHarness, wait_until
from tests.bench.process import controller
from tests.bench.raw import RawConnection
from tests.bench.report import Measurement, percentile
from tests.bench.workload import add_apps
from tests.labs import free_port

AIM = 1.3
WEB = "127.0.0.1:5000/skypanel/web"
_REPLICAS = 2
_EVERY = 0.02
IMAGES = ("web", "traefik", "socket-proxy")


def measure(place: BenchHarness, samples: int) -> list[Measurement]:
    """Medians of ``samples`` deploys of a service of two tasks, and of as many new apps."""
    port = free_port()
    lab = engine.up(NAME, images=IMAGES, forwards=[f"{port}:80"])
    with place.database() as database, database.connect() as panel, RawConnection(place.socket) as swarm:
        traefik.deploy(lab.api())
        apps = add_apps(panel, 1, samples + 1)
        with controller(place, database) as daemon:
            daemon.wait_for("resync.done")
            _add(panel, apps[0], "first.localhost")
            wait_until(lambda: answers(port, "first.localhost"), "the first app answers", every=_EVERY)
            (name,) = (each for each in place.services() if "-web" in each)
            wait_until(lambda: rests(swarm, name), "its service is at rest", every=0.1)
            deploys = [_changed(swarm, name, n, partial(_declare, panel)) for n in range(samples)]
            news = [_new(port, f"new{n}.localhost", partial(_add, panel, apps[n + 1])) for n in range(samples)]
        raw = [_changed(swarm, name, n, partial(_update, swarm, name)) for n in range(samples)]
        bare = [_new(port, f"raw{n}.localhost", partial(_create, swarm, name)) for n in range(samples)]
    return [
        Measurement("changed image -> all tasks run it, p50", percentile(deploys, 0.5), "s", percentile(raw, 0.5), AIM),
        Measurement("new app -> first answer by the edge, p50", percentile(news, 0.5), "s", percentile(bare, 0.5), AIM),
    ]


def _add(panel: psycopg.Connection[Any], app: str, host: str) -> None:
    """An environment with a host name, in one transaction."""
    with panel.transaction():
        row = panel.execute(
            "INSERT INTO paas_environments (app_id, name, image_ref, instances, port, memory_mb, cpu_limit)"
            " VALUES (%s, 'production', %s, %s, 8080, 32, 0.1) RETURNING id",
            (app, f"{WEB}:1", _REPLICAS),
        ).fetchone()
        assert row is not None
        panel.execute("INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, %s)", (row[0], host))


def _declare(panel: psycopg.Connection[Any], image: str) -> None:
    panel.execute("UPDATE paas_environments SET image_ref = %s", (image,))


def _update(swarm: RawConnection, name: str, image: str) -> None:
    found = swarm.call("GET", f"/services/{name}")
    found["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] = image
    swarm.call("POST", f"/services/{name}/update?version={found['Version']['Index']}", found["Spec"])


def _create(swarm: RawConnection, name: str, host: str) -> None:
    """The same service with another name, host, and names of its routers."""
    spec = swarm.call("GET", f"/services/{name}")["Spec"]
    text = json.dumps(spec["Labels"]).replace("first.localhost", host)
    mark = host.partition(".")[0]
    spec["Labels"] = json.loads(re.sub(r"(traefik\.http\.(?:routers|services)\.[^.\"]+)", rf"\1-{mark}", text))
    for key, value in spec["Labels"].items():
        if key.endswith(".service"):
            spec["Labels"][key] = f"{value}-{mark}"
    swarm.call("POST", "/services/create", {**spec, "Name": f"{name[:40]}-{mark}"})


def _changed(swarm: RawConnection, name: str, number: int, deploy: Callable[[str], None]) -> float:
    """Seconds from the end of ``deploy`` until all tasks run its image."""
    image = f"{WEB}:{2 - number % 2}"
    deploy(image)
    began = time.time()
    wait_until(lambda: all_run(swarm, name, image), f"all tasks run {image}", every=_EVERY)
    took = time.time() - began
    wait_until(lambda: rests(swarm, name), "the rollout is over", every=0.1)
    return took


def _new(port: int, host: str, add: Callable[[str], None]) -> float:
    """Seconds from the end of ``add`` until the edge answers for it."""
    add(host)
    began = time.time()
    wait_until(lambda: answers(port, host), f"{host} answers", every=_EVERY)
    return time.time() - began


def all_run(swarm: RawConnection, name: str, image: str) -> bool:
    """Whether no other task is wanted than those that run ``image``."""
    filters = json.dumps({"service": {name: True}, "desired-state": {"running": True}}, separators=(",", ":"))
    tasks = swarm.call("GET", f"/tasks?filters={filters}")
    running = [t for t in tasks if t["Status"]["State"] == "running"]
    ours = [t for t in running if t["Spec"]["ContainerSpec"]["Image"].partition("@")[0] == image]
    return len(ours) == len(tasks) == _REPLICAS


def rests(swarm: RawConnection, name: str) -> bool:
    """Whether Swarm is not about to change it."""
    found = swarm.call("GET", f"/services/{name}")
    return str((found.get("UpdateStatus") or {}).get("State", "completed")) == "completed"


def answers(port: int, host: str) -> bool:
    """Whether the edge has it answer with 200."""
    try:
        with urllib.request.urlopen(
            urllib.request.Request(f"http://127.0.0.1:{port}/", headers={"Host": host}), timeout=2
        ) as answer:
            return int(answer.status) == 200
    except (urllib.error.URLError, OSError):
        return False
