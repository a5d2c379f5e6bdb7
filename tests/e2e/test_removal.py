"""Removal: exactly what belongs to the object goes; what is too much at once waits for an operator."""

from __future__ import annotations

from tests.e2e.world import PASSWORD, Controller, World, eventually


def twenty(world: World) -> tuple[Controller, list[str]]:
    controller = world.controller().start()
    app = world.app(world.organization("acme"), "shop")
    environments = [world.environment(app, f"e{number}", instances=0) for number in range(20)]
    for environment in environments:
        world.wait_ready(environment)
    return controller, environments


def test_deleting_an_environment_removes_exactly_its_objects(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    gone, stays = here.environment(app, "gone"), here.environment(app, "stays")
    here.wait_ready(gone)
    here.wait_ready(stays)
    before = set(here.services())
    here.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", gone)
    eventually(lambda: (here.status("environment", gone) or {}).get("finalized_at"), what="the deletion is finished")
    assert before - set(here.services()) == {here.service("acme-shop-gone")}
    assert here.network() in here.networks()
    assert here.root("SELECT count(*) FROM skypanel.inventory WHERE owner_id = %s", gone)[0]["count"] == 0


def test_a_hard_delete_by_the_panel_removes_the_live_objects_too(here: World) -> None:
    here.controller().start()
    organization = here.organization("acme")
    environment = here.environment(here.app(organization, "shop"))
    here.wait_ready(environment)
    here.sql("DELETE FROM organizations WHERE id = %s", organization)
    eventually(lambda: not here.services() and not here.networks(), what="everything of it is gone")
    eventually(
        lambda: here.root("SELECT count(*) FROM skypanel.inventory")[0]["count"] == 0, what="the inventory is empty"
    )


def test_the_same_name_can_be_used_again_at_once(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    first = here.environment(app)
    here.wait_ready(first)
    here.sql("UPDATE paas_environments SET deleted_at = now() WHERE id = %s", first)
    second = here.environment(app, cmd=["worker"], port=None)
    here.wait_ready(second)
    labels = here.services()[here.service()]["Spec"]["Labels"]
    assert labels["io.skypanel.owner"] == f"environment/{second}"
    eventually(lambda: (here.status("environment", first) or {}).get("finalized_at"), what="the first one is removed")
    here.wait_ready(second)
    assert [e["reason"] for e in here.events(second)] == ["Created"], "the new one's service was touched by the removal"


def test_an_empty_database_under_a_running_cluster_removes_nothing(here: World) -> None:
    controller, _ = twenty(here)
    controller.terminate()
    before = here.versions()
    here.root("TRUNCATE organizations, skypanel.inventory, skypanel.object_status, skypanel.change_log CASCADE")
    second = here.controller(SKYPANEL_RESYNC_SECONDS="1").start()
    eventually(lambda: second.metric("skypanel_gc_fuse_tripped") == 1, what="the fuse has tripped")
    eventually(lambda: second.metric("skypanel_resync_time_seconds_count") >= 3, what="three comparisons are done")
    assert here.versions() == before
    assert "gc.fuse_tripped" in second.text()

    shown = here.skypanel("gc")
    assert "21" in shown.stdout + shown.stderr or "20" in shown.stdout + shown.stderr
    confirmed = here.skypanel("gc", "--confirm")
    assert confirmed.returncode == 0, confirmed.stderr
    assert PASSWORD not in confirmed.stdout + confirmed.stderr
    eventually(lambda: not here.services() and not here.networks(), what="what was confirmed is gone", seconds=40)
    eventually(lambda: second.metric("skypanel_gc_fuse_tripped") == 0, what="the fuse is whole again")


def test_deleting_everything_in_one_statement_trips_the_fuse(here: World) -> None:
    controller, environments = twenty(here)
    before = here.versions()
    here.sql("UPDATE paas_environments SET deleted_at = now()")
    eventually(lambda: controller.metric("skypanel_gc_fuse_tripped") == 1, what="the fuse has tripped")
    status = here.conditions("environment", environments[0])
    eventually(
        lambda: here.conditions("environment", environments[0])["Ready"]["reason"] == "FuseTripped",
        what=f"it says so: {status}",
    )
    assert here.versions() == before
    here.sql("UPDATE paas_environments SET deleted_at = NULL")
    for environment in environments:
        here.wait_ready(environment)
    assert here.versions() == before


def test_another_installation_on_the_same_engine_is_not_touched(here: World) -> None:
    here.controller().start()
    environment = here.environment(here.app(here.organization("acme"), "shop"))
    here.wait_ready(environment)
    version = here.engine.get("/services/skypanel-edge")["Version"]["Index"]
    here.sql("UPDATE paas_environments SET deleted_at = now()")
    eventually(lambda: (here.status("environment", environment) or {}).get("finalized_at"), what="it is removed")
    assert here.engine.get("/services/skypanel-edge")["Version"]["Index"] == version
