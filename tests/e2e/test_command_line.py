"""The command line on the real parts: look ahead, apply and wait, look again, break, describe, delete."""

from __future__ import annotations

import json

from tests.e2e.world import WEB, World

SPEC = """
apiVersion: skypanel.io/v1
kind: Organization
metadata: {{name: {organization}}}
spec: {{owner: ops@example.com}}
---
apiVersion: skypanel.io/v1
kind: App
metadata: {{name: shop, organization: {organization}}}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {{name: production, app: shop, organization: {organization}}}
spec: {{image: "{image}", port: 8080, replicas: {replicas}, memory: 16Mi}}
---
apiVersion: skypanel.io/v1
kind: Domain
metadata: {{name: shop.{world}.localhost, environment: production, app: shop, organization: {organization}}}
"""


def spec(world: World, *, replicas: int) -> str:
    return SPEC.format(organization=world.slug("acme"), world=world.name, image=f"{WEB}:1", replicas=replicas)


def test_plan_says_what_apply_then_does_and_afterwards_there_is_nothing_to_do(here: World) -> None:
    here.root("INSERT INTO users (email, password_hash, name) VALUES ('ops@example.com', '!', 'ops')")
    here.controller().start()

    ahead = here.skypanel("plan", "-f", "-", stdin=spec(here, replicas=1))
    assert (ahead.returncode, f"+ service {here.slug('acme')}-shop-production-web_" in ahead.stdout) == (2, True), (
        ahead.stdout + ahead.stderr
    )
    assert here.sql("SELECT count(*) FROM paas_apps")[0]["count"] == 0, "a look ahead wrote something"

    done = here.skypanel("apply", "-f", "-", "--wait", "--timeout", "60s", stdin=spec(here, replicas=1))
    assert done.returncode == 0, done.stdout + done.stderr
    service = here.service()
    assert service in here.services()

    again = here.skypanel("plan", "-f", "-", stdin=spec(here, replicas=1))
    assert (again.returncode, "nothing would change" in again.stdout) == (0, True), again.stdout + again.stderr

    more = here.skypanel("plan", "-f", "-", stdin=spec(here, replicas=3))
    assert more.returncode == 2
    assert "replicas: 1 -> 3" in more.stdout
    assert here.services()[service]["Spec"]["Mode"]["Replicated"]["Replicas"] == 1


def test_what_get_prints_as_yaml_is_what_apply_takes(here: World) -> None:
    here.root("INSERT INTO users (email, password_hash, name) VALUES ('ops@example.com', '!', 'ops')")
    here.controller().start()
    assert here.skypanel("apply", "-f", "-", "--wait", stdin=spec(here, replicas=1)).returncode == 0
    printed = here.skypanel("get", "all", "-o", "yaml")
    assert printed.returncode == 0, printed.stderr
    assert here.skypanel("plan", "-f", "-", stdin=printed.stdout).returncode == 0

    path = f"{here.slug('acme')}/shop/production"
    described = here.skypanel("describe", "environment", path, "-o", "json")
    found = json.loads(described.stdout)
    assert "running" in json.dumps(found)
    service = here.service()
    deleted = here.skypanel("delete", "environment", path, "--yes", "--wait")
    assert deleted.returncode == 0, deleted.stderr
    assert service not in here.services()


def test_doctor_finds_nothing_wrong_with_a_running_installation(here: World) -> None:
    here.controller().start()
    found = here.skypanel("doctor", "-o", "json")
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_bad_file_is_refused_whole_with_file_line_and_field(here: World) -> None:
    bad = spec(here, replicas=1).replace("port: 8080", "port: 0").replace("replicas: 1", "replcas: 1")
    refused = here.skypanel("apply", "-f", "-", stdin=bad)
    assert refused.returncode == 1
    assert "spec.port" in refused.stderr
    assert "replicas" in refused.stderr, "no suggestion for the misspelt field"
    assert here.sql("SELECT count(*) FROM paas_apps")[0]["count"] == 0


def test_a_day_of_deploying_and_scaling_ends_as_each_command_says(here: World) -> None:
    here.root("INSERT INTO users (email, password_hash, name) VALUES ('ops@example.com', '!', 'ops')")
    here.controller().start()
    assert here.skypanel("apply", "-f", "-", "--wait", stdin=spec(here, replicas=1)).returncode == 0
    app = f"{here.slug('acme')}/shop"

    done = here.skypanel("deploy", app, "--tag", "2", "--wait", "--timeout", "40s", "--reason", "faster")
    assert done.returncode == 0, done.stdout + done.stderr
    done = here.skypanel("scale", app, "web=2", "--wait", "--timeout", "40s")
    assert done.returncode == 0, done.stdout + done.stderr
    service = here.services()[here.service()]["Spec"]
    assert service["Mode"]["Replicated"]["Replicas"] == 2
    assert f"{WEB}:2" in service["TaskTemplate"]["ContainerSpec"]["Image"]

    (process,) = json.loads(here.skypanel("ps", app, "-o", "json").stdout)
    assert (process["running"], process["wanted"], process["tone"]) == (2, 2, "ready")
    assert "faster" in here.skypanel("releases", app).stdout
    assert here.skypanel("open", app).stdout == f"http://shop.{here.name}.localhost/\n"

    bad = here.skypanel("deploy", app, "--tag", "nothing", "--wait", "--timeout", "8s")
    assert (bad.returncode, "is not ready after 8 s: RegistryUnavailable" in bad.stderr) == (4, True), bad.stderr
    (process,) = json.loads(here.skypanel("ps", app, "-o", "json").stdout)
    assert (process["running"], process["reason"]) == (2, "RegistryUnavailable"), "what ran runs on"
    assert here.skypanel("events", app, "-o", "jsonpath={..reason}").stdout.startswith("Created Updated Updated")
    back = here.skypanel("deploy", app, "--tag", "2", "--wait", "--timeout", "40s")
    assert back.returncode == 0, back.stdout + back.stderr
