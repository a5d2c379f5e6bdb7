"""`skypanel migrate` beside a controller that leads: it converges before, during and after, and has nothing to report.

A controller asks for the schema of its own version before it leads, and not while it does: what a newer version, or a
package, adds beside it must not disturb it. The next version is stood for by a package that the first controller has
not, and by a file after the newest of ours.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from controller.schema import migrate
from tests.e2e.world import Controller, World, eventually
from tests.installed import GADGETS, ROOT, install

pytestmark = pytest.mark.long

SLOW = "acme_gadgets/migrations/0001_gadgets.sql"
SLOWLY = "SELECT pg_sleep(2);\n"
"""At the end of a migration that replaces the views which every reconcile reads: its locks are held for so long."""
LATER = """
ALTER TABLE skypanel.inventory ADD COLUMN later text;
ALTER TABLE public.paas_environments ADD COLUMN later text NOT NULL DEFAULT 'x';
CREATE TABLE skypanel.later (id bigint PRIMARY KEY);
"""


def test_a_controller_that_leads_is_not_disturbed_by_what_a_newer_version_migrates(
    here: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "acme-gadgets", "acme_gadgets", {**GADGETS, SLOW: GADGETS[SLOW] + SLOWLY})
    present = here.controller().start()
    organization = here.organization("acme")
    shop = here.environment(here.app(organization, "shop"))
    here.wait_ready(shop)

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    with ThreadPoolExecutor() as pool:
        migrating = pool.submit(here.skypanel, "migrate")
        eventually(lambda: _migrates(here) or migrating.done(), what="the migration is under way")
        _scale(here, shop, 2)
        _applied(migrating.result(), "acme-gadgets/0001_gadgets")
    here.wait_ready(shop)

    _scale(here, shop, 3)
    with psycopg.connect(here.server.dsn_for("skypanel_owner", here.database), autocommit=True) as owner:
        later = migrate.Migration(9999, "later", LATER, hashlib.sha256(LATER.encode()).hexdigest())
        assert migrate.apply(owner, [*migrate.load(), later]) == (later,)
    here.wait_ready(shop)

    here.insert("acme_gadgets", organization_id=organization, name="one")  # of a kind that this controller has not
    _scale(here, shop, 1)
    here.wait_ready(shop)
    assert _complaints(present) == []


def _migrates(world: World) -> bool:
    sleeping = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"
    return bool(world.root(sleeping))


def _scale(world: World, environment: str, instances: int) -> None:
    world.sql("UPDATE paas_environments SET instances = %s WHERE id = %s", instances, environment)


def _applied(done: subprocess.CompletedProcess[str], migration: str) -> None:
    assert done.returncode == 0, done.stderr
    assert f"applied  {migration}" in done.stdout


def _complaints(controller: Controller) -> list[str]:
    """Its lines of level error and above."""
    return [
        line
        for line in controller.text().splitlines()
        if not line.startswith("{") or json.loads(line)["level"] in {"error", "critical"}
    ]
