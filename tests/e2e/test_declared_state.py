"""Rows become running, routed services; a changed row changes them, and the status says so for that generation."""

from __future__ import annotations

import pytest

from tests.e2e.world import WEB, World, eventually


@pytest.fixture
def shop(here: World) -> tuple[World, str, str]:
    """An environment of two tasks with a domain, converged: (world, environment, domain)."""
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    environment = here.environment(app, instances=2)
    host = f"shop.{here.name}.localhost"
    domain = here.insert("paas_domains", environment_id=environment, hostname=host)
    here.wait_ready(environment)
    return here, environment, domain


def service_of(world: World) -> str:
    return world.service()


def test_a_row_becomes_a_routed_service_that_is_ready_for_its_generation(shop: tuple[World, str, str]) -> None:
    world, environment, domain = shop
    status, body = eventually(
        lambda: (answer := world.curl(f"shop.{world.name}.localhost"))[0] == 200 and answer, what="the host is routed"
    )
    assert (status, "image 1" in body) == (200, True)
    assert world.wait_ready(domain, kind="domain")["reason"] == "RouteGiven"
    reasons = [e["reason"] for e in world.events(environment)]
    assert "Created" in reasons
    assert set(reasons) <= {"Created", "Updated"}, "the domain is a row of its own, which may come after the create"


def test_a_new_replica_count_converges_with_one_event_that_says_what_changed(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    before = len(world.events(environment))
    world.sql("UPDATE paas_environments SET instances = 3 WHERE id = %s", environment)
    world.wait_ready(environment)
    tasks = world.engine.get("/tasks", filters={"service": [service_of(world)], "desired-state": ["running"]})
    assert [t["Status"]["State"] for t in tasks] == ["running"] * 3
    (event,) = world.events(environment)[before:]
    assert event["reason"] == "Updated"
    assert "replicas: 2 -> 3" in event["message"]


def test_a_new_image_is_rolled_out_and_ready_only_when_all_tasks_run_it(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    world.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", environment)
    world.wait_ready(environment)
    tasks = world.engine.get("/tasks", filters={"service": [service_of(world)], "desired-state": ["running"]})
    assert {t["Spec"]["ContainerSpec"]["Image"] for t in tasks} == {f"{WEB}:2"}
    eventually(lambda: "image 2" in world.curl(f"shop.{world.name}.localhost")[1], what="the new image answers")
    assert "image: " in world.events(environment)[-1]["message"]


def test_a_renamed_domain_answers_on_the_new_host_and_no_longer_on_the_old(shop: tuple[World, str, str]) -> None:
    world, environment, domain = shop
    old, new = f"shop.{world.name}.localhost", f"store.{world.name}.localhost"
    eventually(lambda: world.curl(old)[0] == 200, what="the old host is routed")
    running = {t["ID"] for t in world.engine.get("/tasks", filters={"service": [service_of(world)]})}
    world.sql("UPDATE paas_domains SET hostname = %s WHERE id = %s", new, domain)
    world.wait_ready(environment)
    eventually(lambda: world.curl(new)[0] == 200, what="the new host is routed")
    eventually(lambda: world.curl(old)[0] == 404, what="the old host is not routed any more")
    assert {t["ID"] for t in world.engine.get("/tasks", filters={"service": [service_of(world)]})} == running


def test_a_rollout_that_the_engine_rolls_back_is_stalled_and_not_tried_again(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    world.sql("UPDATE paas_environments SET cmd = '{crash}' WHERE id = %s", environment)
    eventually(lambda: "Stalled" in world.conditions("environment", environment), seconds=60, what="it is stalled")
    conditions = world.conditions("environment", environment)
    assert (conditions["Ready"]["status"], conditions["Stalled"]["reason"]) == ("False", "RolledBack")
    eventually(
        lambda: world.services()[service_of(world)]["UpdateStatus"]["State"] == "rollback_completed",
        seconds=60,
        what="Swarm has finished",
    )
    eventually(lambda: world.curl(f"shop.{world.name}.localhost")[0] == 200, what="the last good tasks answer")
    world.controllers[0].terminate()
    world.controller().start()
    eventually(lambda: world.controllers[1].metric("skypanel_reconcile_total") >= 2, what="it was looked at again")
    assert world.controllers[1].metric("skypanel_engine_writes_total") == 0, "the failed spec was applied again"
    assert "crash" not in world.services()[service_of(world)]["Spec"]["TaskTemplate"]["ContainerSpec"].get("Args", [])
    world.sql("UPDATE paas_environments SET cmd = NULL WHERE id = %s", environment)
    world.wait_ready(environment)


def test_a_suspended_app_runs_nothing_and_comes_back(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    world.sql("UPDATE paas_apps SET suspended = true")
    assert world.wait_ready(environment)["reason"] == "Suspended"
    assert world.services()[service_of(world)]["Spec"]["Mode"]["Replicated"].get("Replicas", 0) == 0
    world.sql("UPDATE paas_apps SET suspended = false")
    assert world.wait_ready(environment)["reason"] == "Deployed"


def test_processes_get_a_service_each_and_a_removed_process_loses_its_own(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    web = world.insert("paas_processes", environment_id=environment, type="web", instances=1, port=8080)
    worker = world.insert("paas_processes", environment_id=environment, type="worker", instances=1, args=["worker"])
    world.wait_ready(environment)
    assert {world.service(), world.service(process="worker")} <= set(world.services())
    assert world.wait_ready(worker, kind="process")["reason"] == "Deployed"
    world.sql("DELETE FROM paas_processes WHERE id = %s", worker)
    world.wait_ready(environment)
    assert world.service(process="worker") not in world.services()
    assert world.wait_ready(web, kind="process")["ready"]


def test_a_plan_change_reaches_its_environments(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    plan = world.insert("paas_plans", name="small", cpu_limit="0.2", memory_mb=32)
    world.sql("UPDATE paas_environments SET plan_id = %s, memory_mb = NULL WHERE id = %s", plan, environment)
    world.wait_ready(environment)
    world.sql("UPDATE paas_plans SET memory_mb = 48 WHERE id = %s", plan)
    world.wait_ready(environment)
    limits = world.services()[service_of(world)]["Spec"]["TaskTemplate"]["Resources"]["Limits"]
    assert limits["MemoryBytes"] == 48 * 1024 * 1024


def test_a_renamed_organization_keeps_its_network_and_its_services_get_new_names(shop: tuple[World, str, str]) -> None:
    world, environment, _ = shop
    host = f"shop.{world.name}.localhost"
    eventually(lambda: world.curl(host)[0] == 200, what="it is routed")
    networks = set(world.networks())
    world.root("UPDATE organizations SET slug = %s", world.slug("renamed"))
    world.wait_ready(environment)
    wanted = {world.service("renamed-shop-production"), world.pin("renamed")}
    eventually(lambda: set(world.services()) == wanted, what="only the new services are left")
    assert set(world.networks()) == networks
    eventually(lambda: world.curl(host)[0] == 200, what="it is routed under its new name")


def test_a_route_changes_only_when_no_task_is_pending(shop: tuple[World, str, str]) -> None:
    world, environment, domain = shop
    world.sql("UPDATE paas_environments SET memory_mb = 900000 WHERE id = %s", environment)
    eventually(
        lambda: any(
            t["Status"]["State"] == "pending"
            for t in world.engine.get("/tasks", filters={"service": [service_of(world)], "desired-state": ["running"]})
        ),
        what="a task is pending",
    )
    version = world.versions()[service_of(world)]
    world.sql("UPDATE paas_domains SET hostname = %s WHERE id = %s", f"other.{world.name}.localhost", domain)
    eventually(
        lambda: world.conditions("environment", environment)["Ready"]["reason"] == "TaskPending",
        what="it waits and says so",
    )
    assert world.versions()[service_of(world)] == version
    world.sql("UPDATE paas_environments SET memory_mb = 16 WHERE id = %s", environment)
    world.wait_ready(environment)
    eventually(lambda: world.curl(f"other.{world.name}.localhost")[0] == 200, what="the new host is routed")


def test_every_container_has_the_security_baseline(shop: tuple[World, str, str]) -> None:
    world, _, _ = shop
    (task, *_) = world.engine.get("/tasks", filters={"service": [service_of(world)], "desired-state": ["running"]})
    container = world.engine.get(f"/containers/{task['Status']['ContainerStatus']['ContainerID']}/json")
    host = container["HostConfig"]
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges=true"], "and the engine's own seccomp and AppArmor profiles"
    assert (host["ReadonlyRootfs"], host["Privileged"], host["Binds"]) == (True, False, None)
    assert (host["PidsLimit"], host["Memory"]) == (256, 16 * 1024 * 1024)
    assert not [e for e in container["Config"]["Env"] if "password" in e.lower() or "secret" in e.lower()]
