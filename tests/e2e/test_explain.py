"""What is wrong, on real parts: each cause is named in the first line, and its mend in the second."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.e2e.test_bad_rows import CONSTRAINTS
from tests.e2e.world import WEB, Controller, World, eventually

EATS = '["/bin/sh", "-c", "x=0123456789abcdef; while :; do x=$x$x; done"]'
CHECK = json.dumps({"command": ["/bin/web", "health"], "interval_seconds": 1, "timeout_seconds": 1, "retries": 2})


class Wrong(NamedTuple):
    """What is wrong with the environment of this name, what the first two lines say, and which link it is."""

    name: str
    columns: dict[str, object]
    says: str
    mend: str
    link: str


TABLE = [
    Wrong("absent", {"image_ref": f"{WEB}:404"}, "does not answer", "it is tried again", "image"),
    Wrong("crashing", {"cmd": ["crash", "3"]}, "Its program ends with an error", "`docker service logs`", "task"),
    Wrong("sick", {"cmd": ["unhealthy"], "healthcheck": CHECK}, "Its health check fails", "answer the check", "health"),
    Wrong("hungry", {"entrypoint": json.loads(EATS)}, "Its tasks are killed", "Give it more memory", "task"),
    Wrong("big", {"memory_mb": 500_000}, "No node has as much CPU or memory", "Ask for less cpu", "placement"),
    Wrong("far", {"region": "nowhere"}, "No node that takes tasks has the labels", "Label a node", "placement"),
]


def lines(here: World, kind: str, path: str) -> list[str]:
    """What a role that may only read is told."""
    done = here.skypanel("explain", kind, path, role="reader")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def told(here: World, kind: str, path: str, says: str, mend: str, link: str) -> Callable[[], bool]:
    """Whether the first line has the cause, the second the mend, and the chain the link."""

    def check() -> bool:
        found = lines(here, kind, path)
        marked = [line.split()[0] for line in found if line.split()[1:2] in (["broken"], ["waits"])]
        if says in found[0] and mend in found[1] and marked[:1] == [link]:
            return True
        raise LookupError("\n".join(found))

    return check


@pytest.mark.long
@pytest.mark.timeout(400)
def test_each_cause_is_named_first_with_its_mend(here: World) -> None:
    here.root(CONSTRAINTS)
    here.settings["SKYPANEL_KEYS"] = base64.b64encode(os.urandom(32)).decode()
    controller = here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    at = f"{here.slug('acme')}/shop"
    for wrong in TABLE:
        here.environment(app, wrong.name, **wrong.columns)
    keyed, good = here.environment(app, "keyed"), here.environment(app, "good")
    other = here.environment(app, "other")
    host = f"shop.{here.name}.localhost"
    domain = here.insert("paas_domains", environment_id=good, hostname=host)
    for each in (keyed, good, other):
        here.wait_ready(each, seconds=90)
    eventually(lambda: here.status("domain", domain), what="the domain is spoken of")
    assert lines(here, "env", f"{at}/good")[0].startswith(f"environment {at}/good is as declared")

    for wrong in TABLE:
        check = told(here, "env", f"{at}/{wrong.name}", wrong.says, wrong.mend, wrong.link)
        eventually(check, seconds=60, what=wrong.name)

    assert "the engine says that memory ran out" in lines(here, "env", f"{at}/hungry")[2]
    here.root("UPDATE paas_environments SET port = 0 WHERE id = %s", other)
    eventually(told(here, "env", f"{at}/other", "A row is invalid", "names the column", "row"), what="an invalid row")
    here.sql("UPDATE paas_environments SET port = 8080 WHERE id = %s", other)
    here.wait_ready(other)

    assert here.skypanel("pause", "env", f"{at}/good", "--reason", "a look").returncode == 0
    resume = f"`skypanel resume environment {at}/good`"
    eventually(told(here, "env", f"{at}/good", "paused it (a look)", resume, "hold"), what="paused")
    here.sql("UPDATE paas_domains SET environment_id = %s WHERE id = %s", other, domain)
    check = told(here, "domain", host, "still routes the host name to its previous owner", "a paused owner", "route")
    eventually(check, what="a domain that a paused owner still has")

    controller.terminate()
    away = here.controller(SKYPANEL_KEYS=base64.b64encode(os.urandom(32)).decode()).start()
    set_ = here.skypanel("config", "set", f"{at}/keyed", "TOKEN", stdin="planted-4711")
    assert set_.returncode == 0, set_.stderr
    check = told(here, "env", f"{at}/keyed", "The key that opens its config vars", "`skypanel keys status`", "config")
    eventually(check, what="the key is lost")
    said = "\n".join(lines(here, "env", f"{at}/keyed"))
    assert "config var TOKEN of environment" in said
    assert "planted-4711" not in said
    _nobody_leads(here, away, at)


def _nobody_leads(here: World, controller: Controller, at: str) -> None:
    controller.terminate()
    here.root("UPDATE skypanel.lease SET renewed_at = now() - interval '5 min', expires_at = now() - interval '4 min'")
    for path in ("good", "keyed"):
        told(here, "env", f"{at}/{path}", "no controller has renewed its lease", "`skypanel up`", "controller")()
    done = here.skypanel("explain", "app", at, "-o", "json", role="reader")
    assert json.loads(done.stdout)["cause"]["link"] == "controller"
