"""What an operator says beside the rows: pause, go on, look now."""

from __future__ import annotations

import getpass

from tests.e2e.world import WEB, World, eventually


def of_everything(world: World, *objects: tuple[str, str]) -> list[tuple[str, str]]:
    """(status, reason) of each object's Ready condition."""
    found = [world.conditions(*each).get("Ready", {}) for each in objects]
    return [(ready.get("status", ""), ready.get("reason", "")) for ready in found]


def test_what_is_paused_is_left_alone_says_so_and_is_caught_up_with_afterwards(here: World) -> None:
    controller = here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    changed, damaged, leaving = (here.environment(app, name, instances=0) for name in ("changed", "damaged", "leaving"))
    domain = here.insert("paas_domains", environment_id=changed, hostname=f"shop.{here.name}.localhost")
    for environment in (changed, damaged, leaving):
        here.wait_ready(environment)
    names = {e: here.service(f"acme-shop-{e}") for e in ("changed", "damaged", "leaving")}

    said = here.skypanel("pause", "--organization", here.slug("acme"), "--reason", "audit", role="panel")
    assert said.returncode == 0, said.stderr
    objects = [("environment", e) for e in (changed, damaged, leaving)] + [("domain", domain)]
    eventually(lambda: of_everything(here, *objects) == [("Unknown", "Paused")] * 4, what="all of it is paused")
    message = here.conditions("environment", changed)["Ready"]["message"]
    assert f"{getpass.getuser()} paused everything of the organization at " in message
    assert "(audit)" in message
    assert "skypanel resume --organization" in message
    eventually(lambda: controller.metric('skypanel_paused{scope="organization"}') == 1, what="it is counted")

    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", changed)
    here.engine.delete(f"/services/{names['damaged']}")
    here.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", leaving)
    for environment in (changed, leaving):
        generation = here.generation("environment", environment)
        eventually(
            lambda e=environment, g=generation: here.status("environment", e)["observed_generation"] == g,  # type: ignore[misc, index]
            what="the change was seen",
        )
    assert of_everything(here, *objects) == [("Unknown", "Paused")] * 4
    assert names["damaged"] not in here.services()
    assert names["leaving"] in here.services()
    assert here.services()[names["changed"]]["Spec"]["TaskTemplate"]["ContainerSpec"]["Image"] == f"{WEB}:1"

    here.skypanel("resume", "--organization", here.slug("acme"), role="panel")
    for environment in (changed, damaged):
        here.wait_ready(environment)
    eventually(lambda: here.status("environment", leaving)["finalized_at"], what="the deleted one is gone")  # type: ignore[index]
    assert set(here.services()) >= {names["changed"], names["damaged"]}
    assert names["leaving"] not in here.services()
    assert [e["reason"] for e in here.events(damaged)] == ["Created", "Paused", "Resumed", "Repaired"]


def test_a_pause_of_everything_is_said_by_doctor_and_waited_for_by_nobody(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    here.wait_ready(here.environment(app, instances=0))
    assert here.skypanel("pause", "--all", "--reason", "upgrade").returncode == 0
    assert "paused the whole installation" in here.skypanel("doctor").stdout
    here.environment(app, "staging", instances=0)
    path = f"{here.slug('acme')}/shop/staging"
    eventually(lambda: "Paused" in here.skypanel("get", "env", path).stdout, what="a new one is paused, too")
    assert here.service("acme-shop-staging") not in here.services()
    refused = here.skypanel("pause", "process", f"{path}/web")
    assert refused.returncode == 1
    assert "has no reconciler of its own" in refused.stderr
    assert here.skypanel("reconcile", "env", path, "--wait").stdout.startswith(f"environment {path}  Paused")


def test_a_look_now_tries_what_was_rolled_back_once_more(here: World) -> None:
    here.controller().start()
    environment = here.environment(here.app(here.organization("acme"), "shop"))
    here.wait_ready(environment)
    here.sql("UPDATE paas_environments SET cmd = '{crash}' WHERE id = %s", environment)
    eventually(lambda: "Stalled" in here.conditions("environment", environment), seconds=30, what="it was rolled back")
    tried = [e["reason"] for e in here.events(environment)].count("Updated")
    path = f"{here.slug('acme')}/shop/production"
    said = here.skypanel("reconcile", "environment", path, "--wait", role="panel")
    assert (said.returncode, said.stdout.split()[2]) == (0, "RollingOut"), said
    assert [e["reason"] for e in here.events(environment)].count("Updated") == tried + 1
    assert here.status("environment", environment)["handled_token"]  # type: ignore[index]
