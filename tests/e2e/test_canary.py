"""A canary under load: one task first, the others when it was quiet; back when it ends, and what serves goes on."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.e2e.test_bad_deploys import LISTENS, answers, shell
from tests.e2e.world import WEB, World, eventually
from tests.load import Load

CANARY = {"tasks": 1, "quiet_seconds": 12}


@pytest.mark.long
def test_one_task_goes_first_and_the_others_follow_or_it_goes_back(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    columns = {"cmd": ["keepalive"], "instances": 3, "healthcheck": json.dumps(LISTENS), "canary": json.dumps(CANARY)}
    made = {name: here.environment(app, name, **columns) for name in ("good", "bad")}
    hosts = {name: f"{name}.{here.name}.localhost" for name in made}
    for name, environment in made.items():
        here.insert("paas_domains", environment_id=environment, hostname=hosts[name])
    for environment in made.values():
        here.wait_ready(environment, seconds=60)
    for host in hosts.values():
        eventually(partial(answers, here, host), what=f"{host} answers")

    def reason(name: str) -> str:
        return str((here.status("environment", made[name]) or {}).get("reason"))

    load = Load(here.http_port, list(hosts.values()))
    with load.running():
        here.sql("UPDATE paas_environments SET image_ref = %s", f"{WEB}:2")
        dies = shell("web keepalive & sleep 9; exit 3")["entrypoint"]
        here.sql("UPDATE paas_environments SET entrypoint = %s, cmd = NULL WHERE id = %s", dies, made["bad"])
        eventually(lambda: reason("good") == "Canary", seconds=30, what="it rests")
        for image in ("image 1", "image 2"):
            eventually(load.goes_on(hosts["good"], image), what=f"{image} answers meanwhile")
        message = (here.status("environment", made["good"]) or {}).get("message", "")
        assert "1 of 3 task(s) run release 2" in message, message
        assert reason("good") == "Canary"
        here.wait_ready(made["good"], seconds=60)
        eventually(lambda: reason("bad") == "RolledBack", seconds=60, what="it is taken back")
        eventually(load.goes_on(hosts["bad"], "image 1"), what="image 1 serves")
    good, bad = (load.outcomes[host] for host in hosts.values())
    assert good.keys() == {"image 1", "image 2"}, dict(good)
    assert bad["image 1"] > bad["image 2"] > 0, dict(bad)
