"""A declared value has its effect, is refused, or is known to be for information: each column of what is declared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from controller.swarm.liveview import LiveView
from reconcilers.objects import Network, Objects
from reconcilers.ports import LookAhead, Options
from reconcilers.registry import registered
from specs.problems import NotSupported
from tests.store.conftest import Database

REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "specs.md"
OPTIONS = Options(installation="blue")
# Tables that decide what runs: a sample that changes it for each column, or why none does.
RENDERED: dict[str, dict[str, Any]] = {
    "organizations": {"slug": "other"},
    "paas_organizations": {
        "suspended": True,
        "network_prefix": "only the prefix of a new network",
        "deleted_at": "now",
    },
    "paas_plans": {"cpu_limit": 2, "memory_mb": 512, "pids_limit": 9},
    "paas_apps": {"slug": "other", "suspended": True, "deleted_at": "now"},
    "paas_environments": {
        "name": "other",
        "plan_id": None,
        "image_ref": "web:2",
        "entrypoint": ["run"],
        "cmd": ["run"],
        "cpu_limit": 3,
        "memory_mb": 333,
        "stop_grace_seconds": 99,
        "drain_seconds": 7,
        "stop_signal": "SIGQUIT",
        "restart": "on-failure",
        "ulimits": Jsonb({"nofile": 2048}),
        "sysctls": Jsonb({"net.core.somaxconn": 99}),
        "extra_hosts": Jsonb({"db": "10.1.2.3"}),
        "files": Jsonb({"/etc/app.conf": "a = 1"}),
        "region": "eu",
        "pool": "gpu",
        "spread": "zone",
        "read_only_root": False,
        "init": False,
        "tmpfs_paths": [],
        "run_as": "9",
        "canary": Jsonb({"tasks": 1}),
        "restart_token": "1",
        "suspended": True,
        "deleted_at": "now",
    },
    "paas_processes": {
        "type": "other",
        "command": ["run"],
        "args": ["run"],
        "instances": 7,
        "port": 9999,
        "healthcheck": Jsonb({"disabled": True}),
        "stop_grace_seconds": 99,
        "drain_seconds": 7,
        "stop_signal": "SIGQUIT",
        "restart": "on-failure",
        "restart_token": "1",
        "deleted_at": "now",
    },
    "paas_domains": {"hostname": "other.example", "process_type": "worker", "deleted_at": "now"},
    "caas_registry_credentials": {"registry": "docker.io", "username": "bob", "ciphertext": b"2", "key_id": "other"},
}
# Only without process rows: they are of the process that an environment has by itself.
OF_ITSELF = {"instances": 7, "port": 9999, "healthcheck": Jsonb({"command": ["check"]})}
REFUSED = {
    "paas_environments": {"ports": Jsonb([{"port": 1}]), "volumes": Jsonb([{"name": "x"}])},
}
INFORMATION = {
    "paas_organizations": {
        "network_prefix": "the prefix of a network that is made anew; a network cannot be changed",
        **dict.fromkeys(
            (
                "quota_apps",
                "quota_environments",
                "quota_tasks",
                "quota_cores",
                "quota_memory_mb",
                "quota_domains",
                "quota_config_vars",
            ),
            "a trigger refuses what exceeds it",
        ),
    },
    "paas_plans": {
        "name": "what specs call it",
        "description": "for people",
        "storage_gb": "the panel's price list",
        "bandwidth_gb": "the panel's price list",
        "price_hourly": "the panel's price list",
        "price_monthly": "the panel's price list",
        "autoscaling": "the panel's price list",
        "enabled": "a trigger refuses a new use",
    },
    "paas_apps": {
        "organization_id": "who owns it",
        "name": "for people",
        "repo_url": "for a builder; nothing is built yet",
        "buildpack": "for a builder; nothing is built yet",
        "created_by": "for people",
    },
    "paas_environments": {
        "app_id": "what it belongs to",
        "deploy_mode": "whether the image is image_ref or what was deployed",
        "release": "the content of a release, which has to be there",
        "follow_seconds": "how often a registry is asked",
    },
    "paas_processes": {"environment_id": "what it belongs to"},
    "paas_domains": {"environment_id": "what it belongs to"},
    "caas_registry_credentials": {
        "secret_ref": "a password that is somewhere else",
        "created_by": "for people",
        "version": "follows from the others",
        "revision": "follows from the others",
    },
}
OF_EVERY_TABLE = {"id", "organization_id", "generation", "created_at", "updated_at", "inputs_version"}
# Nothing acts on these yet, and no status says that anything does; docs/reference/specs.md lists them.
WITHOUT_RECONCILER = {
    "caas_volume_snapshots", "paas_addon_plans", "paas_addons", "paas_buildpacks", "paas_nodes",
    "paas_stack_buildpacks", "paas_stacks", "paas_volumes", "paas_webhooks",
}  # fmt: skip
# What environments are judged by; tests/store/test_image_policies.py has it.
JUDGED = {"caas_image_policies"}
# Rows that stall whom they belong to.
STALLING: dict[str, LiteralString] = {
    "caas_network_policies": (
        "INSERT INTO caas_network_policies (organization_id, default_deny) SELECT id, true FROM organizations"
    ),
}
STATUS_ONLY = {
    "dns_verify_status",
    "tls_status",
    "swarm_name",
    "removed_at",
    "changed_by",
    "change_reason",
    "change_commit",
}


@dataclass(frozen=True, slots=True)
class Sample:
    """One environment with a web and a worker, in a transaction that is rolled back; the view of an empty engine."""

    conn: psycopg.Connection
    live: LiveView

    def run(self, query: LiteralString, *values: object) -> Any:
        """One statement; its first value."""
        cursor = self.conn.execute(query, values or None)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None

    def put(self, table: str, column: str, value: object) -> None:
        """Another value for a column of all rows."""
        self.conn.execute(sql.SQL("UPDATE {} SET {} = %s").format(*map(sql.Identifier, (table, column))), [value])

    def read(self, kind: str) -> Any:
        """The snapshot of the only object of ``kind``; None when it is to be deleted."""
        view = sql.Identifier("skypanel", f"snapshot_{kind}")
        ((doc, deleted),) = self.conn.execute(sql.SQL("SELECT doc, deleted FROM {}").format(view)).fetchall()
        return None if deleted else registered()[kind].read(doc, OPTIONS)

    def wanted(self) -> list[Objects | None]:
        """What should exist, by kind."""
        found = [(registered()[kind], self.read(kind)) for kind in sorted(registered())]
        return [snapshot and kind.preview(snapshot, LookAhead(OPTIONS, self.live)) for kind, snapshot in found]


@pytest.fixture
def place(standing: Database) -> Iterator[Sample]:
    with standing.connect() as conn, conn.transaction(force_rollback=True):
        conn.execute(
            "INSERT INTO paas_processes (environment_id, type, port) SELECT id, 'worker', 8080 FROM paas_environments"
        )
        conn.execute(
            "INSERT INTO caas_registry_credentials (organization_id, registry, username, ciphertext, key_id)"
            " SELECT id, 'index.docker.io', 'ada', '1', 'k' FROM organizations"
        )
        conn.execute(
            "INSERT INTO paas_sources (organization_id, name, repo_url)"
            " SELECT id, 'main', 'https://git.example.com/specs.git' FROM organizations"
        )
        conn.execute("INSERT INTO paas_runs (environment_id, command) SELECT id, '{ls}' FROM paas_environments")
        conn.execute("INSERT INTO paas_run_records (run_id, outcome) SELECT id, 'unknown' FROM paas_runs")
        yield Sample(conn, LiveView("blue", lambda _owners: None))


def test_every_declared_column_is_accounted_for(standing: Database) -> None:
    columns = standing.execute(
        "SELECT a.attrelid::regclass::text, a.attname::text FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid"
        " WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped"
        "   AND (r.relnamespace = 'skypanel'::regnamespace OR r.relname ~ '^(paas|caas)_')"
        "   AND has_any_column_privilege('skypanel_panel', r.oid, 'INSERT')"
    )
    tables = {table for table, _ in columns}
    elsewhere = {"skypanel.config_vars", "skypanel.data_keys", "skypanel.reconcile_controls", "paas_deployments"}
    elsewhere |= {"paas_templates"}  # of which apps are made: tests/store/api/test_templates.py
    elsewhere |= {
        "skypanel.api_tokens",
        "skypanel.role_bindings",
        "paas_sources",
        "skypanel.source_hooks",
        "skypanel.source_forges",
    }
    elsewhere.add("paas_runs")
    # `elsewhere`: tested below, and apart
    known = RENDERED.keys() | WITHOUT_RECONCILER | JUDGED | STALLING.keys() | elsewhere
    assert tables == known - {"organizations"}
    for table in RENDERED.keys() - {"organizations"}:
        accounted = RENDERED[table].keys() | INFORMATION[table].keys() | REFUSED.get(table, {}).keys() | OF_EVERY_TABLE
        accounted |= STATUS_ONLY
        if table == "paas_environments":
            accounted |= OF_ITSELF.keys()
        assert {column for name, column in columns if name == table} - accounted == set(), table


@pytest.mark.parametrize(
    ("table", "column"),
    [(t, c) for t, found in RENDERED.items() for c in found if c not in INFORMATION.get(t, {})],
)
def test_a_column_that_counts_changes_what_should_exist(place: Sample, table: str, column: str) -> None:
    if (table, column) == ("paas_processes", "type"):
        place.run("DELETE FROM paas_domains")
        place.run("DELETE FROM paas_processes WHERE type = 'worker'")
    if column == "restart":  # what may end answers nobody
        place.run("DELETE FROM paas_domains")
        place.run("UPDATE paas_environments SET port = NULL, healthcheck = NULL")
        place.run("UPDATE paas_processes SET port = NULL, healthcheck = NULL")
    before = place.wanted()
    place.put(table, column, RENDERED[table][column])
    assert place.wanted() != before


@pytest.mark.parametrize("column", OF_ITSELF)
def test_an_environment_without_processes_goes_by_its_own_columns(place: Sample, column: str) -> None:
    place.run("DELETE FROM paas_processes")
    before = place.wanted()
    place.put("paas_environments", column, OF_ITSELF[column])
    assert place.wanted() != before


@pytest.mark.parametrize("column", REFUSED["paas_environments"])
@pytest.mark.parametrize("mode", ["image", "buildpack"])
def test_a_column_without_effect_stalls_its_environment(place: Sample, column: str, mode: str) -> None:
    place.put("paas_environments", "deploy_mode", mode)
    place.put("paas_environments", column, REFUSED["paas_environments"][column])
    with pytest.raises(NotSupported, match=f"{column}: has no effect yet.*set it to"):
        place.read("environment")
    assert place.read("organization") is not None


def test_config_vars_are_told_to_their_environment_by_number_and_not_by_value(place: Sample) -> None:
    generation = place.run("SELECT generation FROM paas_environments")
    place.run(
        "INSERT INTO skypanel.config_vars (environment_id, name, ciphertext, key_id)"
        " SELECT id, 'NAME_' || n, 'secret', 'k' FROM paas_environments, generate_series(1, 50) n"
    )
    assert place.run("SELECT generation FROM paas_environments") > generation
    found = place.read("environment").config
    assert found.variables == 50
    assert "secret" not in repr(found)
    place.run("UPDATE skypanel.config_vars SET deleted_at = now()")
    assert place.read("environment").config is None


@pytest.mark.parametrize("table", STALLING)
def test_policies_stall_their_organization_until_they_are_taken_back(place: Sample, table: str) -> None:
    generation = place.run("SELECT generation FROM paas_organizations")
    place.run(STALLING[table])
    assert place.run("SELECT generation FROM paas_organizations") > generation, "it is looked at"
    with pytest.raises(NotSupported, match=f"{table}: has no effect yet"):
        place.read("organization")
    place.conn.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
    assert place.read("organization") is not None


def test_policies_that_allow_everything_are_no_reason_to_stall(place: Sample) -> None:
    place.run("INSERT INTO caas_network_policies (organization_id) SELECT organization_id FROM paas_organizations")
    assert place.read("organization") is not None


def test_a_plan_that_is_not_offered_cannot_be_chosen_and_is_kept_by_who_has_it(place: Sample) -> None:
    place.run("UPDATE paas_plans SET enabled = false")
    place.run("UPDATE paas_environments SET instances = 3, plan_id = plan_id")
    place.run(
        "INSERT INTO paas_environments (app_id, name, image_ref) SELECT app_id, 'other', 'w:1' FROM paas_environments"
    )
    other = "INSERT INTO paas_environments (app_id, name, image_ref, plan_id) SELECT app_id, 'third', 'w:1', id"
    for choose in (
        "UPDATE paas_environments SET plan_id = (SELECT id FROM paas_plans) WHERE name = 'other'",
        f"{other} FROM paas_plans, (SELECT app_id FROM paas_environments LIMIT 1) AS known",
    ):
        with pytest.raises(psycopg.errors.CheckViolation) as refused, place.conn.transaction():
            place.run(choose)
        assert refused.value.diag.constraint_name == "paas_environments_plan_offered"


@pytest.mark.parametrize(
    ("slug", "form"),
    [
        ("Acme_Corp", "acme-corp"),
        ("ACME", "acme"),
        ("x" * 200, "x" * 63),
        ("-" + "y" * 62 + "--z", "y" * 62),
        ("日本", None),
        ("___", None),
    ],
)
def test_an_organization_whose_slug_is_none_is_deployed_under_its_slug_form(
    place: Sample, slug: str, form: str | None
) -> None:
    place.run("UPDATE organizations SET slug = %s", slug)
    found = place.read("organization")
    assert found.slug == (form or str(found.id)[:8])
    assert [bool(objects and (objects.services or objects.of(Network))) for objects in place.wanted()] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_an_app_without_a_slug_and_with_a_very_long_name_gets_one(place: Sample) -> None:
    add: LiteralString = (
        "INSERT INTO paas_apps (organization_id, name) SELECT id, repeat('N', 255) FROM organizations RETURNING slug"
    )
    assert place.run(add) == "n" * 63


def test_what_is_not_built_yet_is_listed_in_the_reference() -> None:
    section = REFERENCE.read_text().partition("\n## Not built yet\n")[2].partition("\n## ")[0]
    named = WITHOUT_RECONCILER | STALLING.keys() | REFUSED["paas_environments"].keys()
    missing = {name for name in named if f"`{name.removeprefix('skypanel.')}`" not in section}
    assert not missing
