"""Migrations that an installed package brings: after ours, recorded under its name, and checked as ours are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.schema import migrate
from controller.schema.files import load, load_packages
from controller.schema.fitness import packages_refusal
from tests.installed import GADGETS, install, run
from tests.store.conftest import Database, Tenant

MIGRATE = ("-m", "controller", "migrate")
SEVERAL = """
import json, sys
from controller.cli import main
for arguments in json.loads(sys.argv[1]):
    print(main(arguments), end="\\0", flush=True)
"""
"""Commands one after the other in one process; after what each says come its exit code and a NUL."""
FILE = "acme_gadgets/migrations/0001_gadgets.sql"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    install(tmp_path, "acme-gadgets", "acme_gadgets", GADGETS)
    return tmp_path


def test_they_are_planned_applied_and_recorded_with_the_packages_name(database: Database, packages: Path) -> None:
    url = database.dsn("skypanel_owner")
    assert "pending  acme-gadgets/0001_gadgets  Gadgets." in run(
        packages, *MIGRATE, "--check", code=2, DATABASE_URL=url
    )
    assert "applied  acme-gadgets/0001_gadgets  Gadgets." in run(packages, *MIGRATE, DATABASE_URL=url)
    assert f"{len(load()) + 1} migrations" in run(packages, *MIGRATE, DATABASE_URL=url)
    assert database.execute("SELECT package, version, name FROM skypanel.package_migrations", role="reader") == [
        ("acme-gadgets", 1, "gadgets")
    ]


def test_an_object_of_it_is_declared_shown_and_deleted_as_any_other(
    database: Database, packages: Path, tenant: Tenant
) -> None:
    run(packages, *MIGRATE, DATABASE_URL=database.dsn("skypanel_owner"))
    url = database.dsn("panel")
    (packages / "one.yaml").write_text(
        "apiVersion: skypanel.io/v1\nkind: Gadget\nmetadata: {name: one, organization: acme}\nspec: {colour: red}\n"
    )
    commands = [
        ["apply", "-f", str(packages / "one.yaml")],
        ["get", "gad"],
        ["describe", "gadget", "acme/one"],
        ["pause", "gad", "acme/one"],
        ["trace", "gadget", "acme/one", "--from", "127.0.0.1:1"],
        ["delete", "gadget", "acme/one", "--yes"],
    ]
    done = run(packages, "-c", SEVERAL, json.dumps(commands), DATABASE_URL=url).split("\0")
    applied, shown, described, paused, traced, deleted = done[:-1]
    assert "gadget acme/one  created" in applied
    assert " ".join(shown.split()).startswith("GADGET READY REASON COLOUR AGE acme/one False Pending red")
    assert "Pending" in described
    assert "paused gadget acme/one" in paused
    assert "no controller answers" in traced
    assert [text.rstrip()[-1] for text in (applied, shown, described, paused, traced, deleted)] == list("000010")
    assert database.execute("SELECT kind, deleted FROM skypanel.objects WHERE kind = 'gadget'") == [("gadget", True)]


def test_an_edited_file_and_a_newer_record_are_refused_by_the_packages_name(database: Database, packages: Path) -> None:
    url = database.dsn("skypanel_owner")
    run(packages, *MIGRATE, DATABASE_URL=url)
    (packages / FILE).write_text(GADGETS[FILE] + "-- later\n")
    assert "acme-gadgets/0001_gadgets.sql differs from the file" in run(packages, *MIGRATE, code=1, DATABASE_URL=url)
    (packages / FILE).write_text(GADGETS[FILE])
    database.execute("INSERT INTO skypanel.package_migrations VALUES ('acme-gadgets', 2, 'more', 'x')")
    said = " ".join(run(packages, *MIGRATE, code=1, DATABASE_URL=url).split())
    assert "has migration acme-gadgets/0002_more, which the installed acme-gadgets lacks" in said


def test_a_package_that_is_not_installed_here_stops_nothing(database: Database, packages: Path) -> None:
    run(packages, *MIGRATE, DATABASE_URL=database.dsn("skypanel_owner"))
    assert load_packages() == ()
    with database.connect() as conn:
        migrate.check(conn)
    assert packages_refusal({("acme-gadgets", 1): "gadgets"}) is None


def test_a_controller_does_not_lead_before_they_are_applied(packages: Path) -> None:
    ask = "from controller.schema.fitness import packages_refusal as ask; print(ask({}), ask({%s}))"
    said = run(packages, "-c", ask % "('acme-gadgets', 1): 'gadgets', ('acme-gadgets', 2): 'more'")
    assert "the database lacks migration acme-gadgets/0001_gadgets: run `skypanel migrate`" in said
    assert "has migration acme-gadgets/0002_more, which the installed acme-gadgets lacks" in said
