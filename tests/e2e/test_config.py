"""Config vars on real parts: an unchanged image sees them, byte for byte, and whoever inspects the Swarm does not."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconcilers.helper import PROGRAM, VARIABLES
from tests.collector import Collector
from tests.docs.blocks import blocks
from tests.docs.session import follow
from tests.e2e.world import WEB, World, eventually
from tests.swarm.processes import of_container

MARKER = "pl4nt3d-" + base64.b32encode(os.urandom(10)).decode().lower()
"""Is in every value that is set here, and must be nowhere but in tasks and, encrypted, in the database."""
AWKWARD = f"{MARKER} two\nlines, $HOME `x` 'single' \"double\" \\ =, tab\t, café ☃ " + "".join(map(chr, range(1, 32)))


@pytest.fixture
def shop(here: World, collector: Collector) -> str:
    """An environment of acme/shop with a route, which is as declared; its controller has a key."""
    here.settings |= collector.settings
    here.settings["SKYPANEL_KEYS"] = base64.b64encode(os.urandom(32)).decode()
    here.controller().start()
    made = here.environment(here.app(here.organization("acme"), "shop"), memory_mb=32)
    here.insert("paas_domains", environment_id=made, hostname=host(here))
    here.wait_ready(made)
    return made


def host(here: World) -> str:
    return f"shop.{here.slug('acme')}.localhost"


def config(here: World, *words: str, stdin: str = "", code: int = 0) -> str:
    """What a ``skypanel config`` prints; paths are without the test's name."""
    verb, path, *rest = words
    done = here.skypanel("config", verb, here.slug(path), *rest, stdin=stdin)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def sees(here: World, name: str, value: str) -> bool:
    """Whether every task that is wanted has this variable."""
    found = [variables(container["Id"]).get(name.encode()) for container in containers(here)]
    if not found or set(found) != {value.encode()}:
        raise LookupError(found)  # is shown when it does not come true
    return True


def containers(here: World) -> list[dict[str, Any]]:
    """Those of the shop that are wanted, inspected; not what is still on its way out."""
    tasks = here.engine.get("/tasks", filters={"service": [here.service()], "desired-state": ["running"]})
    ids = [task["Status"]["ContainerStatus"]["ContainerID"] for task in tasks if task["Status"]["State"] == "running"]
    return [here.engine.get(f"/containers/{each}/json") for each in ids]


def variables(container: str) -> dict[bytes, bytes]:
    """Of every process of a container, by the kernel's word; all have the same."""
    for process in of_container(container):
        if process.status["Name"] == "web":
            text = Path(f"/proc/{process.pid}/environ").read_bytes()
            return dict(entry.split(b"=", 1) for entry in text.split(b"\0") if entry)
    raise LookupError("the program does not run yet")


def secrets(here: World) -> list[str]:
    found = here.engine.get("/secrets", filters={"label": [f"io.skypanel.installation={here.name}"]})
    return sorted(secret["Spec"]["Name"] for secret in found)


def test_an_unchanged_image_sees_what_is_set_nearest_and_goes_back_to_what_it_was(here: World, shop: str) -> None:
    before = here.engine.get(f"/services/{here.service()}")["Spec"]["TaskTemplate"]
    config(here, "set", "acme", "REGION", stdin=f"{MARKER} of acme")
    config(here, "set", "acme", "TOKEN", stdin=f"{MARKER} of acme")
    config(here, "set", "acme/shop", "TOKEN", stdin=f"{MARKER} of shop")
    config(here, "set", "acme/shop/production", "AWKWARD", stdin=AWKWARD)
    config(here, "set", "acme/shop/production", "EMPTY", stdin="")
    here.wait_ready(shop)
    (container,) = containers(here)
    found = variables(container["Id"])
    assert found[b"AWKWARD"] == AWKWARD.encode()
    assert found[b"EMPTY"] == b""
    assert found[b"REGION"].decode() == f"{MARKER} of acme"
    assert found[b"TOKEN"].decode() == f"{MARKER} of shop"
    assert found[b"PORT"] == b"8080"
    eventually(partial(sees, here, "TOKEN", f"{MARKER} of shop"), what="the app's goes before the organization's")
    assert container["Config"]["Entrypoint"] == [PROGRAM]
    assert container["Config"]["Cmd"][:2] == [VARIABLES, "/bin/web"]

    shown = config(here, "list", "acme/shop/production")
    assert re.search(r"TOKEN +1 +variable +app \S+/shop\n", shown)
    assert re.search(r"TOKEN +1 +variable +organization \S+ \(overridden\)\n", shown)
    assert MARKER not in shown

    config(here, "unset", "acme/shop", "TOKEN")
    here.wait_ready(shop)
    eventually(partial(sees, here, "TOKEN", f"{MARKER} of acme"), what="what is above it counts again")
    config(here, "unset", "acme/shop/production", "AWKWARD", "EMPTY")
    config(here, "unset", "acme", "TOKEN", "REGION")
    here.wait_ready(shop)
    now = here.engine.get(f"/services/{here.service()}")["Spec"]["TaskTemplate"]
    assert now == before, "without any variable it is what it was"


@pytest.mark.long
def test_the_page_can_be_followed(here: World, shop: str, tmp_path: Path) -> None:
    given = {
        "DATABASE_URL": here.server.dsn_for("skypanel_owner", here.database),
        "SKYPANEL_KEYS": here.settings["SKYPANEL_KEYS"],
    }
    prelude = "".join(f"export {name}='{value}'\n" for name, value in given.items())
    page = blocks("docs/config.md", "Set, list, unset")
    said = follow(page, tmp_path, prelude=prelude, instead={"acme": here.slug("acme")})
    assert "DATABASE_URL set (version 1)" in said
    assert "s3cret" not in said
    here.wait_ready(shop)
    (container,) = containers(here)
    found = variables(container["Id"])
    assert found[b"DATABASE_URL"] == b"postgres://shop:s3cret@db.example.com/shop"
    assert (found[b"REGION"], found[b"LOG_LEVEL"]) == (b"eu-central", b"debug")
    assert b"WELCOME" not in found


@pytest.mark.long
def test_only_what_can_still_be_needed_is_kept_of_many_rotations(here: World, shop: str) -> None:
    for number in range(6):
        config(here, "set", "acme/shop/production", "TOKEN", stdin=f"{MARKER} {number}")
        here.wait_ready(shop)
        eventually(partial(sees, here, "TOKEN", f"{MARKER} {number}"), what=f"rotation {number} serves")
    needed = {
        reference["SecretName"]
        for service in here.services().values()
        for spec in (service["Spec"], service.get("PreviousSpec") or {})
        for reference in (spec.get("TaskTemplate", {}).get("ContainerSpec", {}).get("Secrets") or ())
    }
    assert len(needed) == 2, "the present one, and that of the spec before, which Swarm would go back to"
    eventually(lambda: set(secrets(here)) == needed, what=f"only {needed} are left")
    config(here, "unset", "acme/shop/production", "TOKEN")
    here.wait_ready(shop)


def test_a_file_is_a_file_and_no_variable(here: World, shop: str) -> None:
    config(here, "set", "acme/shop/production", "TLS_KEY", "--as-file", stdin=AWKWARD)
    here.wait_ready(shop)
    (container,) = containers(here)
    assert b"TLS_KEY" not in variables(container["Id"])
    assert container["Config"]["Entrypoint"] != [PROGRAM], "no helper is needed for a file"
    (process,) = [p for p in of_container(container["Id"]) if p.status["Name"] == "web"][:1]
    assert Path(f"/proc/{process.pid}/root/run/secrets/TLS_KEY").read_bytes() == AWKWARD.encode()


@pytest.mark.long
def test_a_health_check_sees_the_variables(here: World, shop: str) -> None:
    check = {"command": ["/bin/sh", "-c", f'[ "$GATE" = "{MARKER[:6]}" ]'], "interval_seconds": 1, "retries": 2}
    config(here, "set", "acme/shop/production", "GATE", stdin=MARKER[:6])
    here.sql("UPDATE paas_environments SET healthcheck = %s WHERE id = %s", json.dumps(check), shop)
    here.wait_ready(shop)
    assert [c["State"]["Health"]["Status"] for c in containers(here)] == ["healthy"]


@pytest.mark.long
def test_a_lost_key_is_said_and_what_runs_goes_on(here: World, shop: str) -> None:
    config(here, "set", "acme/shop/production", "TOKEN", stdin=MARKER)
    here.wait_ready(shop)
    here.controllers[0].terminate()
    here.settings["SKYPANEL_KEYS"] = base64.b64encode(os.urandom(32)).decode()
    stranger = here.controller().start()
    eventually(lambda: "keys" in stranger.text() and '"error"' in stranger.text(), what="it is said at start")
    here.sql("UPDATE paas_environments SET instances = 2 WHERE id = %s", shop)
    here.wait_ready(shop)
    assert len(containers(here)) == 2, "scaling needs no key"
    here.sql("UPDATE skypanel.config_vars SET as_file = true WHERE environment_id = %s", shop)
    eventually(
        lambda: (here.status("environment", shop) or {}).get("reason") == "KeyUnavailable", what="the key is asked for"
    )
    eventually(partial(sees, here, "TOKEN", MARKER), what="what runs goes on")


@pytest.mark.long
def test_a_planted_value_is_nowhere_but_in_the_tasks(
    here: World, shop: str, collector: Collector, tmp_path: Path
) -> None:
    for name in ("TOKEN", "OTHER"):
        config(here, "set", "acme/shop/production", name, stdin=f"{MARKER} {name}")
    config(here, "set", "acme/shop/production", "TLS_KEY", "--as-file", stdin=MARKER)
    here.wait_ready(shop)
    here.sql(
        "UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:absent", shop
    )  # messages of a failure
    eventually(lambda: not (here.status("environment", shop) or {}).get("ready"), what="it cannot be deployed")
    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", shop)
    here.wait_ready(shop)
    exported = here.skypanel("export", "-n", here.slug("acme"))
    assert exported.returncode == 0, exported.stderr
    (tmp_path / "acme.yaml").write_text(exported.stdout + exported.stderr)
    planned = here.skypanel("plan", "-f", str(tmp_path / "acme.yaml"))
    texts = [("an export", exported.stdout), ("a plan", planned.stdout + planned.stderr)]
    assert all(text for _, text in texts)
    eventually(lambda: f"environment/{shop}" in spans(collector), what="the collector has traces")
    texts.append(("a trace", spans(collector)))
    for place, text in [*everywhere(here, shop), *((place, text.encode()) for place, text in texts)]:
        assert MARKER.encode() not in text, f"a value is in {place}"
        assert base64.b64encode(MARKER.encode())[:-4] not in text, f"a value is, in base64, in {place}"


def spans(collector: Collector) -> str:
    """All that the collector got."""
    return "".join(str(resource) for resource in list(collector.got))


def everywhere(here: World, environment: str) -> Iterator[tuple[str, bytes]]:
    """All that can be read without being in a task, with what it is called."""
    for path in (
        "/services",
        "/tasks",
        "/secrets",
        "/configs",
        "/networks",
        "/containers/json",
        "/info",
        "/images/json",
    ):
        yield path, json.dumps(here.engine.get(path)).encode()
    for container in containers(here):
        yield "docker inspect", json.dumps(container).encode()
        yield "docker top", json.dumps(here.engine.get(f"/containers/{container['Id']}/top")).encode()
    for config in here.engine.get("/configs"):
        yield "a config", base64.b64decode(config["Spec"]["Data"] or "")
    for number, controller in enumerate(here.controllers):
        yield f"the log of controller {number}", controller.text().encode()
        for page in ("/metrics", "/readyz"):
            yield page, controller.fetch(page).encode()
    path = f"{here.slug('acme')}/shop/production"
    for words in (
        ["describe", "env", path],
        ["trace", "env", path],
        ["explain", "env", path],
        ["releases", path],
        ["get", "env", "-o", "json"],
        ["doctor"],
    ):
        done = here.skypanel(*words)
        yield " ".join(words), (done.stdout + done.stderr).encode()
    for row in here.sql("SELECT * FROM skypanel.events WHERE object_id = %s", environment):
        yield "an event", repr(row).encode()
    dump = ["pg_dump", "--dbname", here.server.dsn_for("postgres", here.database)]
    yield "a dump of the database", subprocess.run(dump, check=True, capture_output=True).stdout
    swarm = here.lab.nodes[0].daemon.folder / "data/swarm"
    for file in sorted(p for p in swarm.rglob("*") if p.is_file()):
        yield f"the Swarm's {file.relative_to(swarm)}", file.read_bytes()
    found = subprocess.run(["ps", "axww", "-o", "args"], check=True, capture_output=True).stdout
    yield "ps", found
