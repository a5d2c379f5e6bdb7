"""Who does not belong together does not write: a copied database, and a second installation on one database."""

from __future__ import annotations

import time

from tests.e2e.world import World, eventually

WATCHED_SECONDS = 3.0


def test_a_copy_of_the_database_writes_nothing_until_it_is_accepted_and_then_its_original_stops(here: World) -> None:
    first = here.controller(SKYPANEL_RESYNC_SECONDS="1").start()
    environment = here.environment(here.app(here.organization("acme"), "shop"))
    here.wait_ready(environment)
    assert "They belong together" in here.skypanel("identity").stdout
    first.terminate()
    original, copy = here.database, f"{here.database}_copy"
    with here.server.connect() as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            [original],
        )
        conn.execute(f"CREATE DATABASE {copy} OWNER skypanel_owner TEMPLATE {original}".encode())
    try:
        before = here.versions()
        here.database = copy
        second = here.controller().start(ready=False)
        eventually(lambda: second.metric("skypanel_identity_mismatch") == 1, what="it says so")
        time.sleep(WATCHED_SECONDS)
        assert here.versions() == before
        assert "this database is a copy" in second.text()
        shown = here.skypanel("identity")
        assert shown.returncode == 2
        assert "this database is a copy" in shown.stdout

        here.database = original
        again = here.controller(SKYPANEL_RESYNC_SECONDS="1").start()
        here.database = copy
        accepted = here.skypanel("identity", "--accept", "--yes")
        assert accepted.returncode == 0, accepted.stderr
        eventually(second.is_ready, what="the copy goes on")
        eventually(lambda: again.metric("skypanel_identity_mismatch") == 1, what="the original stops")
        assert here.versions() == before
    finally:
        here.database = original
        for controller in here.controllers:
            controller.kill()
        here.server.drop_database(copy)


def test_a_second_installation_on_one_database_writes_nothing(here: World) -> None:
    here.controller().start()
    here.wait_ready(here.environment(here.app(here.organization("acme"), "shop")))
    before = here.versions()
    other = here.controller(SKYPANEL_INSTALLATION=f"{here.name}-other").start(ready=False)
    eventually(lambda: other.metric("skypanel_identity_mismatch") == 1, what="it says so")
    assert f"belongs to installation {here.name}" in other.text()
    assert here.versions() == before
    filters = {"label": [f"io.skypanel.installation={here.name}-other"]}
    assert not here.engine.get("/configs", filters=filters)
