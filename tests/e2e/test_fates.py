"""What fails is the version alone; what ends again and again is told so; what somebody rolls back is put right."""

from __future__ import annotations

from typing import Any

from tests.e2e.test_command_line import SPEC
from tests.e2e.world import WEB, World, eventually

DIES = ["/bin/sh", "-c", "sleep 2; exit 3"]
CRASH = f'{{{",".join(DIES[:2])},"{DIES[2]}"}}'


def tasks(world: World, service: str, *states: str) -> list[dict[str, Any]]:
    found = world.engine.get("/tasks", filters={"service": [service]})
    return [t for t in found if t["DesiredState"] == "running" and t["Status"]["State"] in (states or ("running",))]


def images(world: World, service: str) -> list[str]:
    return [t["Spec"]["ContainerSpec"]["Image"] for t in tasks(world, service)]


def rules(world: World, service: str) -> str:
    labels = world.services()[service]["Spec"]["Labels"]
    return " ".join(value for key, value in labels.items() if key.endswith(".rule"))


def attempts(world: World, service: str) -> set[str]:
    found = world.engine.get("/tasks", filters={"service": [service]})
    return {t["ID"] for t in found if t["Spec"]["ContainerSpec"].get("Args") == ["crash"]}


def is_said(world: World, environment: str, reason: str) -> bool:
    status = world.status("environment", environment) or {}
    current = status.get("observed_generation") == world.generation("environment", environment)
    return bool(current and status["reason"] == reason)


def test_a_domain_and_the_scale_change_while_a_version_is_held_back_and_it_is_not_tried_again(here: World) -> None:
    here.controller().start()
    one = here.environment(here.app(here.organization("acme"), "shop"))
    two = here.environment(here.app(here.organization("beta"), "blog"), image_ref=f"{WEB}:2")
    host = f"www.{here.name}.localhost"
    domain = here.insert("paas_domains", environment_id=one, hostname=host)
    for environment in (one, two):
        here.wait_ready(environment)
    here.sql("UPDATE paas_environments SET cmd = '{crash}' WHERE id = %s", one)
    eventually(lambda: is_said(here, one, "RolledBack"), seconds=40, what="it is held back")
    assert "exit (1)" in here.conditions("environment", one)["Stalled"]["message"]
    service, other = here.service(), here.service("beta-blog-production")
    eventually(
        lambda: here.services()[service]["UpdateStatus"]["State"] == "rollback_completed", what="Swarm has gone back"
    )
    tried = attempts(here, service)

    here.sql("UPDATE paas_domains SET environment_id = %s WHERE id = %s", two, domain)
    eventually(lambda: host in rules(here, other), what="the host is routed to its new owner")
    assert host not in rules(here, service)
    eventually(lambda: "image 2" in here.curl(host)[1], what="the new owner answers")

    here.sql("UPDATE paas_environments SET instances = 3 WHERE id = %s", one)
    eventually(lambda: images(here, service) == [f"{WEB}:1"] * 3, what="three tasks of the last good version")
    eventually(lambda: is_said(here, one, "RolledBack"), what="it is still held back")
    assert attempts(here, service) <= tried


def test_what_somebody_rolls_back_by_hand_is_put_right_and_named(here: World) -> None:
    here.controller().start()
    shop = here.environment(here.app(here.organization("acme"), "shop"))
    here.wait_ready(shop)
    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", shop)
    here.wait_ready(shop)
    stored = here.engine.get(f"/services/{here.service()}")
    here.engine.post(
        f"/services/{stored['ID']}/update", stored["Spec"], version=stored["Version"]["Index"], rollback="previous"
    )
    eventually(lambda: here.events(shop)[-1]["reason"] == "Repaired", what="it is repaired")
    assert "rolled it back by hand" in here.events(shop)[-1]["message"]
    eventually(lambda: images(here, here.service()) == [f"{WEB}:2"], what="the wanted version runs")
    eventually(lambda: is_said(here, shop, "Deployed"), what="it is ready")


def test_a_crash_loop_is_not_ready_and_a_version_that_loops_after_swarm_s_watch_is_taken_back(here: World) -> None:
    here.settings = {**here.settings, "SKYPANEL_MIN_READY_SECONDS": "3", "SKYPANEL_ROLLOUT_MONITOR_SECONDS": "0.5"}
    here.root("INSERT INTO users (email, password_hash, name) VALUES ('ops@example.com', '!', 'ops')")
    here.controller().start()
    # Nothing asks whether it listens: with that check Swarm itself goes back, and does not take it for running at all.
    blog = here.environment(here.app(here.organization("beta"), "blog"), healthcheck='{"disabled": true}')
    here.wait_ready(blog)
    here.sql(f"UPDATE paas_environments SET entrypoint = '{CRASH}' WHERE id = %s", blog)

    text = SPEC.format(organization=here.slug("acme"), world=here.name, image=f"{WEB}:1", replicas=1)
    text = text.replace("port: 8080,", f"port: 8080, command: {DIES},")
    done = here.skypanel("apply", "-f", "-", "--wait", "--timeout", "40s", stdin=text)
    assert done.returncode == 4, done.stdout + done.stderr
    assert "CrashLoop" in done.stdout + done.stderr
    assert "exit (3)" in done.stdout + done.stderr

    eventually(lambda: is_said(here, blog, "RolledBack"), seconds=40, what="it is taken back")
    assert "CrashLoop" in [event["reason"] for event in here.events(blog)], here.events(blog)
    message = here.conditions("environment", blog)["Stalled"]["message"]
    assert "crash loop" in message
    assert "exit (3)" in message
    service = here.service("beta-blog-production")
    eventually(lambda: [t["Spec"]["ContainerSpec"].get("Command") for t in tasks(here, service)] == [None])


def test_suspension_stops_the_tasks_of_a_row_that_is_wrong(here: World) -> None:
    here.controller().start()
    shop = here.environment(here.app(here.organization("acme"), "shop"))
    here.insert("paas_domains", environment_id=shop, hostname=f"x.{here.name}.localhost")
    here.wait_ready(shop)
    here.sql("UPDATE paas_domains SET process_type = 'nope'")
    eventually(lambda: is_said(here, shop, "InvalidSpec"), what="the row is wrong")
    assert images(here, here.service()) == [f"{WEB}:1"]
    here.sql("UPDATE paas_apps SET suspended = true")
    eventually(lambda: not here.engine.get("/tasks", filters={"service": [here.service()]}), what="nothing runs")
    assert is_said(here, shop, "InvalidSpec")
