"""Release commands on real parts: run once for each release, also when the controller dies, before any of it serves."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_releases import image, releases
from tests.e2e.world import WEB, World, eventually
from tests.swarm.processes import of_container

COUNTER = "exec nc -llll -p 8080 -e /bin/sh -c 'read -r who; echo $who >> /tmp/count; echo ok'"
MIGRATES = "echo $SKYPANEL_ENVIRONMENT-$1 | nc -w 3 web.production.counter.internal 8080; sleep $2; exit $3"


def migrates(word: str, seconds: int = 0, code: int = 0) -> list[str]:
    """A command that tells the counter that it ran, and ends some time after."""
    return ["/bin/sh", "-c", MIGRATES, "migrate", word, str(seconds), str(code)]


def count(here: World, counter: str) -> list[str]:
    """What was told to the counter: which commands ran, each time."""
    ours = {"label": [f"io.skypanel.owner=environment/{counter}"], "status": ["running"]}
    (container,) = here.engine.get("/containers/json", filters=ours)
    found = Path(f"/proc/{of_container(container['Id'])[0].pid}/root/tmp/count")
    return found.read_text().split() if found.exists() else []


def jobs(here: World) -> list[str]:
    return [name for name in here.services() if name.startswith("release_")]


def status(here: World, shop: str, reason: str) -> dict[str, Any] | None:
    """Its status, once it says this of what is declared now."""
    found = here.status("environment", shop) or {}
    current = found.get("observed_generation") == here.generation("environment", shop)
    return found if current and found.get("reason") == reason else None


def has_run(here: World, counter: str, word: str) -> bool:
    return f"production-{word}" in count(here, counter)


@pytest.fixture
def counter(here: World) -> str:
    organization = here.organization("acme")
    return here.environment(here.app(organization, "counter"), entrypoint=["/bin/sh", "-c", COUNTER], cmd=None)


@pytest.mark.long
def test_a_command_is_run_once_before_its_release_also_when_the_controller_is_killed(here: World, counter: str) -> None:
    here.controller().start()
    here.wait_ready(counter)
    app = here.app(here.sql("SELECT organization_id FROM paas_apps")[0]["organization_id"], "shop")
    shop = here.environment(app, instances=0, suspended=True)
    here.insert("paas_processes", environment_id=shop, type="release", command=migrates("one"))
    here.sql("UPDATE paas_environments SET instances = 2, suspended = false WHERE id = %s", shop)
    here.wait_ready(shop)
    assert count(here, counter) == ["production-one"]
    eventually(lambda: not jobs(here), what="the job is gone")
    path = f"{here.slug('acme')}/shop/production"

    change = "UPDATE paas_processes SET command = %s WHERE environment_id = %s"
    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", shop)
    here.sql(change, migrates("two", seconds=6), shop)
    eventually(partial(has_run, here, counter, "two"), what="the command runs")
    here.controllers[0].kill()
    assert image(here) == f"{WEB}:1", "what ran before serves"
    here.controller().start()
    here.wait_ready(shop)
    assert image(here) == f"{WEB}:2"
    told = count(here, counter)
    assert told.count("production-two") == 1, told
    here.sql("UPDATE paas_environments SET instances = 1 WHERE id = %s", shop)
    here.wait_ready(shop)
    assert count(here, counter) == told, "the scale is no release"

    here.sql(change, migrates("three", code=7), shop)
    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:1", shop)
    failed = eventually(partial(status, here, shop, "ReleaseCommandFailed"), what="it fails")
    assert "exit code 7" in failed["message"]
    assert image(here) == f"{WEB}:2", "the last good one serves"
    assert releases(here)[0]["state"] == "command failed"
    told = count(here, counter)
    said = here.skypanel("explain", "environment", path).stdout
    assert "release command of a new release ended badly" in said, said
    assert "skypanel reconcile" in said, said
    assert jobs(here), "it stays for its logs"
    assert here.skypanel("reconcile", "environment", path).returncode == 0
    eventually(lambda: len(count(here, counter)) == len(told) + 1, what="it is run once more")
    eventually(partial(status, here, shop, "ReleaseCommandFailed"), what="it fails again")
    here.sql(change, migrates("four"), shop)
    here.wait_ready(shop)
    assert image(here) == f"{WEB}:1"
    assert count(here, counter)[-1] == "production-four"
