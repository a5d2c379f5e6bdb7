"""A row that cannot be: it says so by the field's name, its last good service goes on, others converge meanwhile."""

from __future__ import annotations

import pytest

from tests.e2e.world import WEB, World, eventually

CONSTRAINTS = """
DO $$
DECLARE c record;
BEGIN
    FOR c IN SELECT conrelid::regclass AS relation, conname FROM pg_constraint
             WHERE contype = 'c' AND conrelid IN ('paas_environments'::regclass, 'paas_processes'::regclass)
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', c.relation, c.conname);
    END LOOP;
END $$
"""

BAD: list[tuple[str, object, str]] = [
    ("image_ref", "Not An Image!", "image_ref"),
    ("name", "a" * 70, "name"),
    ("port", 0, "port"),
    ("memory_mb", 3, "memory_mb"),
]

UNREADABLE: list[tuple[str, object, str]] = [
    ("healthcheck", f'{{"command": ["x"], "interval_seconds": 1{"0" * 400}}}', "healthcheck.interval_seconds"),
    ("ports", "[" * 1100 + "]" * 1100, "ports"),
    ("cmd", ["x" * 3_000_000], "cmd"),
]


@pytest.mark.parametrize(("column", "value", "field"), BAD + UNREADABLE, ids=lambda value: str(value)[:20])
def test_an_impossible_row_is_stalled_by_name_and_its_last_good_service_goes_on(
    here: World, column: str, value: object, field: str
) -> None:
    here.root(CONSTRAINTS)  # rows that are older than a constraint, or a database that has lost it
    here.controller().start()
    app = here.app(here.organization("acme"), "shop")
    good = here.environment(app)
    host = f"bad.{here.name}.localhost"
    here.insert("paas_domains", environment_id=good, hostname=host)
    here.wait_ready(good)
    eventually(lambda: here.curl(host)[0] == 200, what="it is routed")
    services = here.versions()

    here.root(f"UPDATE paas_environments SET {column} = %s WHERE id = %s", value, good)
    other = here.environment(app, "other")
    here.wait_ready(other)
    eventually(lambda: "Stalled" in here.conditions("environment", good), what="it is stalled")
    conditions = here.conditions("environment", good)
    assert conditions["Ready"]["status"] == "False"
    assert conditions["Stalled"]["reason"] == "InvalidSpec"
    assert field in conditions["Stalled"]["message"]
    assert (here.status("environment", good) or {})["observed_generation"] == here.generation("environment", good)

    assert here.controllers[0].metric("skypanel_loop_failures_total") == 0
    assert here.controllers[0].metric("skypanel_reconcile_panics_total") == 0

    kept = {name: version for name, version in here.versions().items() if name in services}
    assert kept == services
    assert here.curl(host)[0] == 200
    (service,) = [name for name in services if "-production-web_" in name]
    here.engine.delete(f"/services/{service}")
    eventually(lambda: service in here.services(), what="its last good service is put back")


def test_a_constraint_names_the_rule_that_the_panel_broke(here: World) -> None:
    app = here.app(here.organization("acme"), "shop")
    for column, value, _ in BAD[1:]:
        with pytest.raises(Exception, match=r"paas_environments_\w*|value too long"):
            here.insert(
                "paas_environments", **{"app_id": app, "name": "production", "image_ref": f"{WEB}:1", column: value}
            )


def test_a_corrected_row_converges(here: World) -> None:
    here.root(CONSTRAINTS)
    here.controller().start()
    environment = here.environment(here.app(here.organization("acme"), "shop"), port=0)
    eventually(lambda: "Stalled" in here.conditions("environment", environment), what="it is stalled")
    here.sql("UPDATE paas_environments SET port = 8080 WHERE id = %s", environment)
    here.wait_ready(environment)


def test_a_service_of_somebody_else_with_our_name_is_left_alone(here: World) -> None:
    environment = here.environment(here.app(here.organization("acme"), "shop"))
    name = here.service()
    foreign = here.engine.post(
        "/services/create",
        {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": f"{WEB}:1"}}, "EndpointSpec": {"Mode": "dnsrr"}},
    )["ID"]
    try:
        here.controller().start()
        eventually(lambda: "Stalled" in here.conditions("environment", environment), what="it is stalled")
        assert here.conditions("environment", environment)["Stalled"]["reason"] == "NameConflict"
        assert not here.engine.get(f"/services/{name}")["Spec"]["Labels"]
    finally:
        here.engine.delete(f"/services/{foreign}")
