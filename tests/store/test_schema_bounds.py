"""What the panel may write is bounded: in every column, by the same rules as the reader's, and rows of before go on."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from controller.schema import migrate
from specs.snapshots import EnvironmentSnapshot
from tests.store.conftest import Database, Tenant, make_tenant

OF_FIXED_SIZE = {"uuid", "boolean", "smallint", "integer", "bigint", "inet"}
SHA = "sha256:" + "0" * 64
SAMPLES: list[tuple[str, Any, bool]] = [
    ("image_ref", "redis", True),
    ("image_ref", "redis:7", True),
    ("image_ref", "library/redis:7.2-alpine", True),
    ("image_ref", "registry.example.com/team/app:1.2", True),
    ("image_ref", "registry.example.com:5000/team/app", True),
    ("image_ref", "registry.example.com:65535/a__b/c--d/e.f", True),
    ("image_ref", "registry.example.com:00080/x", True),
    ("image_ref", f"registry.example.com/x:1@{SHA}", True),
    ("image_ref", f"x@{SHA}", True),
    ("image_ref", "localhost/x", True),
    ("image_ref", "[2001:db8::1]:5000/x:1", True),
    ("image_ref", "x:" + "t" * 128, True),
    ("image_ref", "a/" * 127 + "a:tag", True),
    ("image_ref", "test.com:5000", True),
    ("image_ref", "UPPER/x", False),
    ("image_ref", "Registry.example.com/x", False),
    ("image_ref", "registry.example.com:65536/x", False),
    ("image_ref", "registry.example.com:0/x", False),
    ("image_ref", "registry.example.com:000/x", False),
    ("image_ref", "registry.example.com:/x", False),
    ("image_ref", "a__b.c/x", False),
    ("image_ref", "a..b", False),
    ("image_ref", "a/b/", False),
    ("image_ref", "/a", False),
    ("image_ref", "x:", False),
    ("image_ref", "x:.y", False),
    ("image_ref", "x:-y", False),
    ("image_ref", "x:ä", False),
    ("image_ref", "test:5000:tag", False),
    ("image_ref", "x:" + "t" * 129, False),
    ("image_ref", "a/" * 128 + "a", False),
    ("image_ref", "f" * 64, False),
    ("image_ref", f"x@{SHA}0", False),
    ("image_ref", f"x@{SHA}@{SHA}", False),
    ("image_ref", "x@", False),
    ("image_ref", "https://registry.example.com/x", False),
    ("image_ref", "x\ny", False),
    ("image_ref", "x\n", False),
    ("image_ref", "x:1\n", False),
    ("entrypoint", ["a"], True),
    ("entrypoint", ["a", ""], True),
    ("entrypoint", ["a"] * 256, True),
    ("entrypoint", ["ü" * 32_768], True),
    ("entrypoint", ["", "a"], False),
    ("entrypoint", ["a"] * 257, False),
    ("entrypoint", ["a", "b" * 32_768], False),
    ("cmd", ["", ""], True),
    ("cmd", ["x" * 32_768], True),
    ("cmd", ["x" * 32_769], False),
    ("cmd", ["x"] * 257, False),
    ("tmpfs_paths", [], True),
    ("tmpfs_paths", ["/tmp", "/var/cache/my app", "/run/secretsx", "/.a"], True),
    ("tmpfs_paths", [f"/{n}" for n in range(32)], True),
    ("tmpfs_paths", ["/" + "x" * 1023], True),
    ("tmpfs_paths", [f"/{n}" for n in range(33)], False),
    ("tmpfs_paths", ["/" + "x" * 1024], False),
    ("tmpfs_paths", ["/tmp", "/tmp"], False),
    ("tmpfs_paths", ["/tmp/"], False),
    ("tmpfs_paths", ["//tmp"], False),
    ("tmpfs_paths", ["/a/./b"], False),
    ("tmpfs_paths", ["/proc"], False),
    ("tmpfs_paths", ["/sys/fs"], False),
    ("tmpfs_paths", ["/run/secrets/x"], False),
    ("tmpfs_paths", ["/{{.Node.Hostname}}"], False),
    ("tmpfs_paths", ["/a:b"], False),
    ("tmpfs_paths", ["/a,b"], False),
    ("tmpfs_paths", ["/ü"], False),
    ("tmpfs_paths", ["/a\nb"], False),
    ("tmpfs_paths", ["/a\x7fb"], False),
    ("run_as", "0", True),
    ("run_as", "1000:1000", True),
    ("run_as", "4294967294:0", True),
    ("run_as", "4294967295", False),
    ("run_as", "0:4294967295", False),
    ("run_as", "9999999999", False),
    ("run_as", "01", False),
    ("run_as", "1:", False),
    ("port", 1, True),
    ("port", 65_536, False),
    ("instances", 1000, True),
    ("instances", 1001, False),
    ("memory_mb", 2**31 - 1, True),
    ("memory_mb", 3, False),
    ("cpu_limit", 999.999, True),
    ("cpu_limit", 0.001, True),
    ("cpu_limit", 0, False),
    ("cpu_limit", float("nan"), False),
    ("stop_grace_seconds", 3600, True),
    ("stop_grace_seconds", 3601, False),
    ("healthcheck", {"command": ["a"]}, True),
    ("healthcheck", {"command": ["a", ""], "interval_seconds": 0.001, "timeout_seconds": 86_400, "retries": 100}, True),
    ("healthcheck", {"command": ["a"], "start_period_seconds": 0}, True),
    ("healthcheck", {"command": ["x" * 32_768]}, True),
    ("healthcheck", {"disabled": True}, True),
    ("healthcheck", {}, False),
    ("healthcheck", [], False),
    ("healthcheck", {"disabled": False}, False),
    ("healthcheck", {"disabled": True, "command": ["a"]}, False),
    ("healthcheck", {"command": []}, False),
    ("healthcheck", {"command": [""]}, False),
    ("healthcheck", {"command": "a"}, False),
    ("healthcheck", {"command": ["a", 1]}, False),
    ("healthcheck", {"command": ["a", ["b"]]}, False),
    ("healthcheck", {"command": ["x" * 32_769]}, False),
    ("healthcheck", {"command": ["x"] * 257}, False),
    ("healthcheck", {"command": ["a"], "test": 1}, False),
    ("healthcheck", {"command": ["a"], "interval_seconds": 0}, False),
    ("healthcheck", {"command": ["a"], "interval_seconds": -1}, False),
    ("healthcheck", {"command": ["a"], "timeout_seconds": 86_401}, False),
    ("healthcheck", {"command": ["a"], "timeout_seconds": "5"}, False),
    ("healthcheck", {"command": ["a"], "timeout_seconds": None}, False),
    ("healthcheck", {"command": ["a"], "timeout_seconds": True}, False),
    ("healthcheck", {"command": ["a"], "start_period_seconds": 1e300}, False),
    ("healthcheck", {"command": ["a"], "retries": 0}, False),
    ("healthcheck", {"command": ["a"], "retries": 101}, False),
    ("healthcheck", {"command": ["a"], "retries": 3.5}, False),
    ("healthcheck", {"command": ["a"], "start_interval_seconds": 1, "start_period_seconds": 9}, True),
    ("healthcheck", {"tcp": True}, True),
    ("healthcheck", {"tcp": 1, "retries": 2}, True),
    ("healthcheck", {"tcp": 65_536}, False),
    ("healthcheck", {"tcp": 1.5}, False),
    ("healthcheck", {"tcp": "80"}, False),
    ("healthcheck", {"tcp": None}, False),
    ("healthcheck", {"tcp": False}, False),
    ("healthcheck", {"tcp": True, "command": ["a"]}, False),
    ("healthcheck", {"http": {}}, True),
    ("healthcheck", {"http": {"path": "/up?now=1", "port": 80}, "interval_seconds": 2}, True),
    ("healthcheck", {"http": {"path": "/" + "x" * 1023}}, True),
    ("healthcheck", {"http": {"path": "/" + "x" * 1024}}, False),
    ("healthcheck", {"http": {"path": "up"}}, False),
    ("healthcheck", {"http": {"path": "/a b"}}, False),
    ("healthcheck", {"http": {"path": "/a\r\nb"}}, False),
    ("healthcheck", {"http": {"path": None}}, False),
    ("healthcheck", {"http": {"port": 0}}, False),
    ("healthcheck", {"http": {"port": None}}, True),
    ("healthcheck", {"http": {"host": "x"}}, False),
    ("healthcheck", {"http": "/"}, False),
    ("healthcheck", {"http": {}, "tcp": True}, False),
    ("tmpfs_paths", ["/tmp:size=4Mi", "/data:size=9999999Mi"], True),
    ("tmpfs_paths", [f"/{'x' * 1021}{n:02}:size=1000Mi" for n in range(32)], True),
    ("tmpfs_paths", ["/tmp:size=3Mi"], False),
    ("tmpfs_paths", ["/tmp:size=64"], False),
    ("tmpfs_paths", ["/tmp:size=1Gi"], False),
    ("tmpfs_paths", ["/tmp:size="], False),
    ("tmpfs_paths", ["/tmp:size=64Mi:size=64Mi"], False),
    ("tmpfs_paths", ["/tmp", "/tmp:size=64Mi"], False),
    ("tmpfs_paths", ["/proc:size=64Mi"], False),
    ("stop_signal", "SIGQUIT", True),
    ("stop_signal", "SIGKILL", False),
    ("stop_signal", "sigterm", False),
    ("stop_signal", "", False),
    ("restart_token", "2026-11-27T09:30:00.123456+00:00", True),
    ("restart_token", "x" * 64, True),
    ("restart_token", "x" * 65, False),
    ("restart_token", "", False),
    ("restart_token", "a\n", False),
    ("restart_token", "a b", False),
    ("pool", "gpu", True),
    ("pool", "GPU", False),
    ("spread", "zone", True),
    ("spread", "a.b", False),
    ("follow_seconds", 60, True),
    ("follow_seconds", 86_400, True),
    ("follow_seconds", 59, False),
    ("follow_seconds", 86_401, False),
    ("canary", {"tasks": 1}, True),
    ("canary", {"share": 99, "quiet_seconds": 86_400}, True),
    ("canary", {"share": 100}, False),
    ("canary", {"tasks": 0}, False),
    ("canary", {"tasks": 1.5}, False),
    ("canary", {"tasks": 1, "share": 20}, False),
    ("canary", {"tasks": 1, "quiet_seconds": 0}, False),
    ("canary", {"quiet_seconds": 60}, False),
    ("canary", [], False),
    ("ulimits", {"nofile": 1024, "memlock_mb": 4}, True),
    ("ulimits", {"nofile": 1_048_576}, True),
    ("ulimits", {"nofile": 1023}, False),
    ("ulimits", {"nofile": 1_048_577}, False),
    ("ulimits", {"nofile": 2000.5}, False),
    ("ulimits", {"memlock_mb": 3}, False),
    ("ulimits", {"nproc": 10}, False),
    ("ulimits", [], False),
    ("sysctls", {"net.core.somaxconn": 4096, "net.ipv4.ip_local_port_range": "15000 64000"}, True),
    ("sysctls", {"net.ipv4.tcp_syncookies": 0}, True),
    ("sysctls", {"net.core.somaxconn": 0}, False),
    ("sysctls", {"net.core.somaxconn": "4096"}, False),
    ("sysctls", {"net.core.somaxconn": True}, False),
    ("sysctls", {"net.core.somaxconn": None}, False),
    ("sysctls", {"net.core.somaxconn": 1.5}, False),
    ("sysctls", {"kernel.msgmax": 1}, False),
    ("sysctls", {"net.ipv4.ip_local_port_range": "64000 15000"}, False),
    ("sysctls", {"net.ipv4.ip_local_port_range": "1000 64000"}, False),
    ("sysctls", {"net.ipv4.ip_local_port_range": "15000 65536"}, False),
    ("sysctls", {"net.ipv4.ip_local_port_range": 15000}, False),
    ("sysctls", "x", False),
    ("extra_hosts", {"db": "10.1.2.3", "api.partner.example": "2001:db8::7"}, True),
    ("extra_hosts", {f"h{n}": "10.1.2.3" for n in range(64)}, True),
    ("extra_hosts", {f"h{n}": "10.1.2.3" for n in range(65)}, False),
    ("extra_hosts", {"localhost": "10.1.2.3"}, False),
    ("extra_hosts", {"web.production.shop.internal": "10.1.2.3"}, False),
    ("extra_hosts", {"internal": "10.1.2.3"}, False),
    ("extra_hosts", {"DB": "10.1.2.3"}, False),
    ("extra_hosts", {"a b": "10.1.2.3"}, False),
    ("extra_hosts", {"10.1.2.4": "10.1.2.3"}, False),
    ("extra_hosts", {"db": "127.0.0.1"}, False),
    ("extra_hosts", {"db": "169.254.169.254"}, False),
    ("extra_hosts", {"db": "::1"}, False),
    ("extra_hosts", {"db": "fe80::1"}, False),
    ("extra_hosts", {"db": "other"}, False),
    ("extra_hosts", {"db": 1}, False),
    ("files", {"/etc/app.conf": "a = 1\n", "/app/x": "\u00fc"}, True),
    ("files", {"/a": "x" * 99_998}, True),
    ("files", {"/a": "x" * 99_999}, False),
    ("files", {f"/{n}": "x" for n in range(32)}, True),
    ("files", {f"/{n}": "x" for n in range(33)}, False),
    ("files", {"/a": ""}, False),
    ("files", {"/a": 1}, False),
    ("files", {"a": "x"}, False),
    ("files", {"/a/": "x"}, False),
    ("files", {"/a/../b": "x"}, False),
    ("files", {"/proc/x": "x"}, False),
    ("files", {"/run/secrets/x": "x"}, False),
    ("files", {"/.skypanel/env": "x"}, False),
    ("files", {"/{{.Node.ID}}": "x"}, False),
    ("files", ["/a"], False),
]


DOCUMENTS = {"healthcheck", "ulimits", "canary", "sysctls", "extra_hosts", "files"}


def document(database: Database) -> dict[str, Any]:
    found: dict[str, Any] = database.one("SELECT doc FROM skypanel.snapshot_environment", role="controller")
    return found


@pytest.mark.parametrize(("column", "value", "good"), SAMPLES, ids=lambda value: str(value)[:40])
def test_the_database_and_the_reader_agree(standing: Database, column: str, value: object, good: bool) -> None:
    query = sql.SQL("UPDATE paas_environments SET {} = %s").format(sql.Identifier(column))
    with standing.connect("panel") as conn:
        rule = ""
        try:
            with conn.transaction(force_rollback=True):
                conn.execute(query, [Jsonb(value) if column in DOCUMENTS else value])
        except psycopg.errors.CheckViolation as refused:
            rule = refused.diag.constraint_name or "?"
    read = True
    try:
        EnvironmentSnapshot.model_validate({**document(standing), column: value})
    except ValidationError:
        read = False
    assert (rule == "", read) == (good, good)
    assert rule == "" or rule.startswith(f"paas_environments_{column}_")


def test_every_column_that_the_panel_may_write_is_bounded(database: Database) -> None:
    """By its type, or by a constraint that speaks of it alone."""
    written = database.execute(
        """
        SELECT a.attrelid::regclass::text, a.attname::text, format_type(a.atttypid, NULL), a.atttypmod,
               ARRAY(SELECT pg_get_constraintdef(c.oid) FROM pg_constraint c
                      WHERE c.contype = 'c' AND c.conrelid = a.attrelid AND c.conkey = ARRAY[a.attnum])
          FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid
         WHERE r.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
           AND (r.relnamespace = 'skypanel'::regnamespace OR r.relname ~ '^(paas|caas)_')
           AND (has_column_privilege('skypanel_panel', a.attrelid, a.attnum, 'INSERT')
                OR has_column_privilege('skypanel_panel', a.attrelid, a.attnum, 'UPDATE'))
        """
    )
    assert len(written) > 150

    def bounded(type_: str, length: int, rules: list[str]) -> bool:
        told = " ".join(rules)
        match type_:
            case "character varying":
                return length > 0
            case "numeric" | "timestamp with time zone":
                return "'-Infinity'" in told if type_ == "numeric" else "3000-01-01" in told
            case "text" | "bytea":
                words = ("length(", "is_slug(", "is_hostname(", "is_image(", "is_user(", "= ANY (ARRAY[", "{0,19}$")
                return any(word in told for word in words)
            case "text[]":
                return any(word in told for word in ("are_words(", "is_command(", "are_tmpfs_paths("))
            case "jsonb":
                forms = (
                    "is_bounded_json(",
                    "is_health_check(",
                    "are_ulimits(",
                    "is_canary(",
                    "are_vulnerability_limits(",
                    "are_sysctls(",
                    "are_hosts(",
                    "are_files(",
                )
                return any(form in told for form in forms)
            case _:
                return type_ in OF_FIXED_SIZE

    unbounded = [f"{table}.{column}" for table, column, *rest in written if not bounded(*rest)]
    assert not unbounded, "no bound: CALL skypanel.bound_table, or skypanel.add_rule"


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("paas_environments", "cmd", ["x" * 30_000_000]),
        ("paas_environments", "ports", Jsonb(["x" * 20_000])),
        ("paas_environments", "ports", "[" * 18 + "]" * 18),
        ("paas_environments", "ports", "[" * 1100 + "]" * 1100),
        ("paas_environments", "volumes", "[1e400]"),
        ("paas_environments", "volumes", '[{"a": {"b": -1e309}}]'),
        ("paas_environments", "healthcheck", '{"command": ["x"], "interval_seconds": 1e400}'),
        ("paas_environments", "deleted_at", "infinity"),
        ("paas_environments", "deleted_at", "-infinity"),
        ("paas_environments", "updated_at", "infinity"),
        ("paas_environments", "deleted_at", "10000-01-01"),
        ("paas_environments", "deleted_at", "0044-03-15 BC"),
        ("paas_apps", "deleted_at", "infinity"),
        ("paas_domains", "deleted_at", "infinity"),
        ("paas_processes", "args", ["x" * 40_000]),
        ("paas_organizations", "deleted_at", "infinity"),
        ("paas_plans", "cpu_limit", "NaN"),
        ("paas_plans", "price_hourly", "NaN"),
        ("paas_plans", "description", "x" * 5000),
        ("paas_apps", "buildpack", "x" * 256),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_would_fill_or_break_a_reader_is_refused(
    standing: Database, table: str, column: str, value: object
) -> None:
    query = sql.SQL("UPDATE {} SET {} = %s").format(sql.Identifier(table), sql.Identifier(column))
    with standing.connect("skypanel_owner") as conn:
        conn.execute("ALTER TABLE paas_environments DISABLE TRIGGER update_paas_environments_updated_at")
        with pytest.raises(psycopg.errors.CheckViolation) as refused, conn.transaction():
            conn.execute(query, [value])
        conn.execute("ALTER TABLE paas_environments ENABLE TRIGGER update_paas_environments_updated_at")
    assert refused.value.diag.constraint_name == f"{table}_{column}_bounded"


def test_rows_of_before_a_rule_go_on_and_may_not_get_worse(empty: Database) -> None:
    with empty.connect() as conn:
        migrate.apply(conn, [file for file in migrate.load() if file.name != "bounds" and file.version < BOUNDS])
    empty.execute("GRANT SELECT ON ALL TABLES IN SCHEMA skypanel TO skypanel_panel")  # of no interest here
    tenant = make_tenant(empty)
    old = '{"command": ["x"], "interval": 10}'
    empty.execute(
        "UPDATE paas_environments SET healthcheck = %s, cmd = ARRAY[repeat('x', 40000)], deleted_at = 'infinity'", old
    )
    empty.execute("UPDATE paas_plans SET cpu_limit = 'NaN'")
    with empty.connect() as conn:
        migrate.apply(conn)
        migrate.check(conn)
    # What was there can be told of, suspended and deleted, by itself and with all that it belongs to.
    assert empty.one("SELECT deleted_at FROM paas_environments").year == 3000
    for change in (
        "UPDATE paas_organizations SET suspended = true",
        "UPDATE paas_environments SET suspended = true, deleted_at = NULL",
        "UPDATE paas_plans SET pids_limit = 9",
    ):
        empty.execute(change, role="panel")
    with pytest.raises(ValidationError, match=r"interval|cmd"):
        EnvironmentSnapshot.model_validate(document(empty))
    # Another wrong value is not taken, a right one is.
    for value in ('{"command": ["y"], "interval": 10}', "{}"):
        with pytest.raises(psycopg.errors.CheckViolation):
            empty.execute("UPDATE paas_environments SET healthcheck = %s", value, role="panel")
    empty.execute("UPDATE paas_environments SET healthcheck = NULL WHERE id = %s", tenant.environment, role="panel")


@pytest.mark.parametrize(
    ("insert", "limit", "what"),
    [
        ("INSERT INTO paas_processes (environment_id, type) SELECT %s, 'p' || n", 100, "processes"),
        ("INSERT INTO paas_domains (environment_id, hostname) SELECT %s, 'h' || n || '.example'", 500, "domains"),
    ],
)
def test_processes_and_domains_of_an_environment_are_limited(
    database: Database, tenant: Tenant, insert: str, limit: int, what: str
) -> None:
    add = sql.SQL(insert + " FROM generate_series(%s::integer, %s::integer) n")
    conn = database.session("panel")
    conn.execute(add, [tenant.environment, 1, limit])
    assert len(document(database)[what]) == limit
    conn.execute(add, [tenant.environment, limit + 1, limit + 50])
    with pytest.raises(ValidationError, match=f"{what}: has more than {limit}"):
        EnvironmentSnapshot.model_validate(document(database))


BOUNDS = next(file.version for file in migrate.load() if file.name == "bounds")


@pytest.mark.parametrize("rule", ["is_health_check(healthcheck)", "is_command(entrypoint)", "is_user(run_as)"])
def test_the_rule_of_a_column_that_is_mostly_empty_costs_a_write_nothing(database: Database, rule: str) -> None:
    lines = database.execute(f"EXPLAIN (VERBOSE) SELECT skypanel.{rule} FROM paas_environments")
    assert any(f"skypanel.{rule}" in line for (line,) in lines), "its body is planned with each statement"
    assert database.one(f"SELECT skypanel.{rule.partition('(')[0]}(NULL)") is None


INLINE = {"is_image", "is_slug"}
"""Their bodies go into the statement that writes; strict, they would be planned at each call."""


def test_a_rule_of_a_column_that_is_empty_is_not_gone_through(database: Database) -> None:
    found = database.execute(
        "SELECT c.conname, f.proname, f.proisstrict FROM pg_constraint c"
        "  JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = c.oid"
        "                  AND d.refclassid = 'pg_proc'::regclass"
        "  JOIN pg_proc f ON f.oid = d.refobjid"
        " WHERE c.contype = 'c' AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.conrelid"
        "                                      AND a.attnum = ANY (c.conkey) AND NOT a.attnotnull)"
    )
    assert len(found) > 20
    assert [(rule, function) for rule, function, strict in found if not strict and function not in INLINE] == []
