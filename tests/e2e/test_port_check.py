"""A program that listens late loses no request: it has a port, so its tasks are asked before they are routed."""

from __future__ import annotations

from functools import partial

import pytest

from tests.e2e.test_bad_deploys import answers
from tests.e2e.world import WEB, World, eventually
from tests.load import Load

LATE = {"entrypoint": ["/bin/sh", "-c", "sleep 3; exec web keepalive"], "instances": 2}  # it ends well


@pytest.mark.long
def test_a_program_that_listens_late_loses_no_request_to_a_rolling_deploy(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    asked, unasked = here.environment(app, "asked", **LATE), here.environment(app, "unasked", **LATE)
    here.sql("UPDATE paas_environments SET healthcheck = '{\"disabled\": true}' WHERE id = %s", unasked)
    hosts = {name: f"{name}.{here.name}.localhost" for name in ("asked", "unasked")}
    for environment, host in zip((asked, unasked), hosts.values(), strict=True):
        here.insert("paas_domains", environment_id=environment, hostname=host)
    for environment, host in zip((asked, unasked), hosts.values(), strict=True):
        here.wait_ready(environment, seconds=60)
        eventually(partial(answers, here, host), what=f"{host} answers")
    load = Load(here.http_port, list(hosts.values()))
    with load.running():
        here.sql("UPDATE paas_environments SET image_ref = %s", f"{WEB}:2")
        for environment, host in zip((asked, unasked), hosts.values(), strict=True):
            here.wait_ready(environment, seconds=60)
            eventually(load.goes_on(host, "image 2"), what=f"{host} is served by image 2")
    found = {name: dict(load.outcomes[host]) for name, host in hosts.items()}
    assert found["asked"].keys() == {"image 1", "image 2"}, found
