"""Writing declared resources into the spec tables: all or none, only what differs, clear refusals."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from controller.declared import writer
from controller.declared.constraint_messages import SpecRefused
from controller.declared.writer import Target, Written
from specs.loader import FileProblem, Located, load, read_resources
from tests.store.conftest import Database, make_tenant

EXAMPLES = Path(__file__).parents[2] / "specs" / "examples"
SPEC_TABLES = ("paas_organizations", "paas_plans", "paas_apps", "paas_environments", "paas_processes", "paas_domains")
OWNERS = {"organization": "acme", "app": "shop", "environment": "production"}


@pytest.fixture
def conn(database: Database) -> Iterator[psycopg.Connection]:
    """A connection of the panel's role, which writes specs; the owners of the examples exist."""
    for email in ("ops@acme.example", "ops@globex.example"):
        database.execute("INSERT INTO users (email, password_hash, name) VALUES (%s, 'x', 'Ops')", email, role="panel")
    with database.connect("panel") as connection:
        yield connection


def declared(text: str) -> list[Located]:
    found = list(read_resources(text, "test.yaml"))
    problems = [str(entry) for entry in found if isinstance(entry, FileProblem)]
    assert not problems
    return [entry for entry in found if isinstance(entry, Located)]


def resource(kind: str, name: str, depth: int = 0, spec: str = "{}") -> str:
    owners = "".join(f", {owner}: {value}" for owner, value in list(OWNERS.items())[:depth])
    return f"apiVersion: skypanel.io/v1\nkind: {kind}\nmetadata: {{name: {name}{owners}}}\nspec: {spec}\n---\n"


ORGANIZATION = resource("Organization", "acme", 0, "{owner: ops@acme.example}")
APP = resource("App", "shop", 1)
ENVIRONMENT = resource("Environment", "production", 2, '{image: "web:1", port: 8080}')
WEB = resource("Process", "web", 3, "{replicas: 2, port: 8080, healthcheck: {command: [/bin/web], interval: 5s}}")
DOMAIN = resource("Domain", "shop.example.com", 3)
ALL = ORGANIZATION + APP + ENVIRONMENT + WEB + DOMAIN


def apply(conn: psycopg.Connection, text: str) -> dict[str, Written]:
    return {written.target.name: written for written in writer.apply(conn, declared(text))}


def actions(written: list[Written]) -> set[str]:
    return {entry.action for entry in written}


def rows(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {table: database.execute(f"SELECT t::text, t.xmin::text FROM {table} t ORDER BY 1") for table in SPEC_TABLES}


def test_everything_is_created_owners_first(conn: psycopg.Connection) -> None:
    written = writer.apply(conn, load([EXAMPLES]))
    assert actions(written) == {"created"}
    kinds = [entry.target.kind for entry in written]
    assert kinds.index("Organization") < kinds.index("App") < kinds.index("Environment") < kinds.index("Domain")


def test_an_unchanged_apply_writes_nothing(conn: psycopg.Connection, database: Database) -> None:
    writer.apply(conn, load([EXAMPLES]))
    before = rows(database)
    database.execute("DELETE FROM skypanel.change_log")
    assert actions(writer.apply(conn, load([EXAMPLES]))) == {"unchanged"}
    assert rows(database) == before  # also its versions: nothing was written again
    assert database.one("SELECT count(*) FROM skypanel.change_log") == 0


def test_an_unchanged_apply_needs_no_right_to_write(conn: psycopg.Connection, database: Database) -> None:
    writer.apply(conn, load([EXAMPLES]))
    with database.connect("reader") as reader:
        assert actions(writer.apply(reader, load([EXAMPLES]))) == {"unchanged"}


def test_an_update_names_its_fields_and_changes_no_others(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ALL)
    written = apply(conn, WEB.replace("replicas: 2", "replicas: 3").replace("5s", "6s"))
    entry = written["acme/shop/production/web"]
    assert entry.action == "updated"
    assert [str(change) for change in entry.changes] == ["replicas: 2 -> 3", "healthcheck.interval: 5s -> 6s"]
    assert database.one("SELECT generation FROM paas_processes") == 2


def test_a_plan_is_named_and_not_numbered(conn: psycopg.Connection) -> None:
    plans = "".join(resource("Plan", name, 0, "{cpu: 1, memory: 64Mi}") for name in ("small", "large"))
    apply(conn, plans + ORGANIZATION + APP + ENVIRONMENT.replace("port", "plan: small, port"))
    written = apply(conn, ENVIRONMENT.replace("port", "plan: large, port"))
    assert [str(change) for change in written["acme/shop/production"].changes] == ["plan: small -> large"]


def test_a_field_that_is_left_out_goes_back_to_its_default(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ALL)
    apply(conn, resource("Environment", "production", 2, '{image: "web:1"}'))
    assert database.one("SELECT port FROM paas_environments") is None


def test_what_the_files_do_not_name_is_left_alone(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ALL)
    apply(conn, ENVIRONMENT.replace("web:1", "web:2"))
    assert database.one("SELECT count(*) FROM paas_processes WHERE deleted_at IS NULL") == 1


def test_nothing_is_written_when_the_last_one_is_refused(conn: psycopg.Connection, database: Database) -> None:
    other = make_tenant(database, organization="umbrella")
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'shop.example.com')",
        other.environment,
        role="panel",
    )
    before = rows(database)
    with pytest.raises(SpecRefused, match="has this host name") as refused:
        apply(conn, ALL)
    assert refused.value.refusals[0].place.startswith("test.yaml:")
    assert rows(database) == before


def test_all_that_is_missing_is_said_at_once_and_an_owner_only_once(conn: psycopg.Connection) -> None:
    orphan = APP.replace("acme", "nobody")
    with pytest.raises(SpecRefused) as refused:
        apply(conn, orphan + ENVIRONMENT.replace("acme", "nobody") + resource("Organization", "lone", 0))
    said = [str(refusal) for refusal in refused.value.refusals]
    assert len(said) == 2
    assert "test.yaml:14:1: Organization lone: spec.owner: is required" in said[0]
    assert "test.yaml:3:24: App nobody/shop: its organization nobody does not exist" in said[1]


def test_an_unknown_plan_and_an_unknown_owner_are_named(conn: psycopg.Connection) -> None:
    with pytest.raises(SpecRefused, match=r"spec\.plan: there is no plan huge \(add the Plan to the files"):
        apply(conn, ORGANIZATION + APP + ENVIRONMENT.replace("port", "plan: huge, port"))
    with pytest.raises(SpecRefused, match=r"there is no user no@one\.example"):
        apply(conn, ORGANIZATION.replace("ops@acme.example", "no@one.example"))


def test_a_host_name_of_another_environment_is_refused_by_name(conn: psycopg.Connection) -> None:
    apply(conn, ALL)
    other = resource("Environment", "staging", 2, '{image: "web:1", port: 8080}')
    with pytest.raises(SpecRefused, match="environment acme/shop/production has this host name"):
        apply(conn, other + DOMAIN.replace("environment: production", "environment: staging"))


def test_an_organization_of_the_panel_is_taken_in_and_not_changed(conn: psycopg.Connection, database: Database) -> None:
    make_tenant(database, "panelorg")
    before = database.execute("SELECT * FROM organizations WHERE slug = 'panelorg'")
    declared_text = (
        "apiVersion: skypanel.io/v1\nkind: Organization\nmetadata: {name: panelorg}\nspec: {networkPrefix: 23}\n"
    )
    written = apply(conn, declared_text)
    assert [str(change) for change in written["panelorg"].changes] == ["networkPrefix: 24 -> 23"]
    assert database.execute("SELECT * FROM organizations WHERE slug = 'panelorg'") == before


def test_a_deleted_environment_leaves_its_name_to_a_new_row(conn: psycopg.Connection, database: Database) -> None:
    first = apply(conn, ALL)["acme/shop/production"].id
    writer.delete(conn, [Target("Environment", ("acme", "shop", "production"))])
    second = apply(conn, ALL)
    assert second["acme/shop/production"].action == "created"
    assert second["acme/shop/production"].id != first
    assert second["shop.example.com"].action == "created"
    assert database.one("SELECT count(*) FROM paas_environments WHERE deleted_at IS NOT NULL") == 1


def test_an_organization_taken_back_does_not_bring_its_apps_back(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ALL)
    writer.delete(conn, [Target("Organization", ("acme",))])
    assert apply(conn, ORGANIZATION)["acme"].action == "created"
    assert database.one("SELECT deleted_at FROM paas_organizations") is None
    for table in ("paas_apps", "paas_environments", "paas_domains"):
        assert database.one(f"SELECT count(*) FROM {table} WHERE deleted_at IS NULL") == 0
    assert apply(conn, ALL)["acme/shop"].action == "created"


def test_deletion_is_asked_for_once_and_what_is_absent_is_said(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ALL)
    targets = [Target.of(entry) for entry in declared(ALL)]
    assert actions(writer.delete(conn, targets)) == {"deleted"}
    marked = database.execute("SELECT deleted_at FROM paas_environments")
    assert actions(writer.delete(conn, targets)) == {"absent"}
    assert database.execute("SELECT deleted_at FROM paas_environments") == marked


def test_a_plan_in_use_cannot_be_deleted_and_an_unused_one_goes(conn: psycopg.Connection, database: Database) -> None:
    plan = resource("Plan", "small", 0, "{cpu: 1, memory: 64Mi}")
    apply(conn, plan + ORGANIZATION + APP + ENVIRONMENT.replace("port", "plan: small, port"))
    with pytest.raises(SpecRefused, match="environments use this plan"):
        writer.delete(conn, [Target("Plan", ("small",))])
    apply(conn, ENVIRONMENT)
    assert actions(writer.delete(conn, [Target("Plan", ("small",))])) == {"deleted"}
    assert database.one("SELECT count(*) FROM paas_plans") == 0


def test_a_role_that_may_not_write_is_told_which_one_may(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ORGANIZATION)
    with database.connect("reader") as reader, pytest.raises(SpecRefused, match="skypanel_panel"):
        apply(reader, APP)


def test_a_check_before_the_commit_can_undo_everything(conn: psycopg.Connection, database: Database) -> None:
    before = rows(database)

    def refuse(_written: object) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        writer.apply(conn, declared(ALL), check=refuse)
    assert rows(database) == before


def test_a_row_that_breaks_the_rules_of_specs_can_be_mended(conn: psycopg.Connection, database: Database) -> None:
    apply(conn, ALL)
    database.execute("ALTER TABLE paas_environments DROP CONSTRAINT paas_environments_image_ref_bounded")
    database.execute("UPDATE paas_environments SET image_ref = 'UPPER//x:::'")
    (change,) = apply(conn, ENVIRONMENT)["acme/shop/production"].changes
    assert (change.field, change.before, change.after) == ("image", "UPPER//x:::", "web:1")


def test_writers_at_the_same_time_all_succeed_and_make_one_row_each(
    conn: psycopg.Connection, database: Database
) -> None:
    assert not conn.closed
    start, failures = threading.Barrier(4), []

    def write() -> None:
        with database.connect("panel") as own:
            start.wait()
            try:
                writer.apply(own, load([EXAMPLES]))
            except Exception as error:  # noqa: BLE001 - reported below
                failures.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert database.one("SELECT count(*) FROM paas_environments") == 4
    assert database.one("SELECT count(*) FROM paas_domains") == 3


@pytest.mark.parametrize("failure", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
def test_a_transaction_that_met_another_is_run_again(conn: psycopg.Connection, failure: type[psycopg.Error]) -> None:
    met: list[object] = []

    def check(written: object) -> None:
        met.append(written)
        if len(met) == 1:
            raise failure

    assert actions(writer.apply(conn, declared(ALL), check=check)) == {"created"}
    assert len(met) == 2
