"""Ways out of what every container gets, and what has no way in: on the real engine."""

from __future__ import annotations

from tests.e2e.world import World, eventually

MUST_BE_FIRST = ["/bin/sh", "-c", "[ $$ = 1 ] || exit 100; exec /bin/web"]


def test_an_image_that_must_be_process_1_runs_without_init_and_without_any_check(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    environment = here.environment(app, entrypoint=MUST_BE_FIRST, init=False, healthcheck='{"disabled": true}')
    here.wait_ready(environment)
    container = here.engine.get(f"/services/{here.service()}")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert not container.get("Init")
    assert container["Healthcheck"] == {"Test": ["NONE"]}
    before = here.versions()
    assert here.skypanel("reconcile", "environment", f"{here.slug('acme')}/shop/production", "--wait").returncode == 0
    assert here.versions() == before, "what was written reads back as it is"


def test_what_has_no_effect_yet_is_not_deployed_until_it_is_taken_back(here: World) -> None:
    here.controller().start()
    environment = here.environment(here.app(here.organization("acme"), "shop"), ports='[{"port": 1}]')
    eventually(lambda: "Stalled" in here.conditions("environment", environment), what="it is stalled")
    stalled = here.conditions("environment", environment)["Stalled"]
    assert (stalled["reason"], "ports: has no effect yet" in stalled["message"]) == ("NotSupported", True)
    assert not [name for name in here.services() if "-shop-" in name]
    here.sql("UPDATE paas_environments SET ports = '[]' WHERE id = %s", environment)
    here.wait_ready(environment)


def test_no_node_is_sent_to_a_private_host_for_an_image(here: World) -> None:
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    environment = here.environment(app, image_ref="169.254.169.254/latest/meta-data:1")
    eventually(lambda: "Stalled" in here.conditions("environment", environment), what="it is stalled")
    stalled = here.conditions("environment", environment)["Stalled"]
    assert stalled["reason"] == "InvalidSpec"
    assert stalled["message"].startswith('image_ref: "169.254.169.254" is not a registry that may be used')
    assert not [name for name in here.services() if "-shop-" in name]
