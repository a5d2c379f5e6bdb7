"""A new version that is never healthy, of one task, whose program ends with 0 when it is stopped: nobody notices.

To Swarm it has run for a moment, when it is the engine that gives it up, and the task of before is stopped: that was
seen in one of five such deploys. So several are done at once, each by itself.
"""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.e2e.test_bad_deploys import answers
from tests.e2e.world import WEB, World, eventually
from tests.load import Load

CHECK = {"http": {"path": "/healthz"}, "interval_seconds": 1, "timeout_seconds": 2, "retries": 2}
APPS = 6


def is_taken_back(here: World, environment: str) -> bool:
    """Whether that is said, with what the check said."""
    status = here.status("environment", environment) or {}
    if status.get("reason") != "RolledBack":
        raise LookupError(f"{status.get('reason')}: {status.get('message')}")
    assert "its health check failed ([http 8080 /healthz], every 1s): exit code 1" in status["message"], status
    return True


@pytest.mark.long
def test_a_version_that_is_never_healthy_and_ends_well_loses_no_request(here: World) -> None:
    here.settings["SKYPANEL_MAX_ROLLOUTS"] = "64"
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    good = {"cmd": ["keepalive"], "healthcheck": json.dumps(CHECK), "memory_mb": 16}
    made = {f"shop-{n}": here.environment(app, f"shop-{n}", **good) for n in range(APPS)}
    hosts = {name: f"{name}.{here.name}.localhost" for name in made}
    for name, environment in made.items():
        here.insert("paas_domains", environment_id=environment, hostname=hosts[name])
    for name, environment in made.items():
        here.wait_ready(environment, seconds=60)
        eventually(partial(answers, here, hosts[name]), what=f"{name} answers")
    load = Load(here.http_port, list(hosts.values()))
    with load.running():
        here.sql("UPDATE paas_environments SET image_ref = %s, cmd = %s", f"{WEB}:2", ["unhealthy"])
        for name, environment in made.items():
            eventually(partial(is_taken_back, here, environment), seconds=60, what=f"{name} is taken back")
            eventually(load.goes_on(hosts[name], "image 1"), what=f"{name} is served")
    found = {name: dict(load.outcomes[host]) for name, host in hosts.items()}
    assert {what for outcomes in found.values() for what in outcomes} == {"image 1"}, found


def test_a_version_that_ends_well_before_it_is_healthy_is_taken_back_and_its_check_is_not_blamed(here: World) -> None:
    here.controller().start()
    check = json.dumps({"command": ["/bin/false"], "interval_seconds": 1, "retries": 3})
    shop = here.environment(here.app(here.organization("acme"), "shop"))
    here.wait_ready(shop)
    ends = ["/bin/sh", "-c", "sleep 3"]
    here.sql("UPDATE paas_environments SET entrypoint = %s, cmd = NULL, healthcheck = %s::jsonb", ends, check)
    said = "it ended by itself (exit code 0), before its health check had passed"
    eventually(lambda: said in (here.status("environment", shop) or {})["message"], what="it is taken back")
    assert here.conditions("environment", shop)["Ready"]["reason"] == "RolledBack"
    found = here.skypanel("explain", "env", f"{here.slug('acme')}/shop/production", role="reader").stdout
    assert "Its program ends by itself" in found, found
