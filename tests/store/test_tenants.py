"""Who has skypanel_api sees and writes rows of the organization that the transaction names, and knows no other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors, sql
from psycopg.types.json import Jsonb

from controller.actions.doctor.database import tenants_check
from controller.declared import reader, writer
from controller.declared.constraint_messages import SpecRefused
from controller.postgres.tenancy import Tenancy, TenantConnection, acting
from controller.schema import migrate
from deploy.postgres import Server
from specs.loader import Located, read_resources
from tests.store.conftest import Database, Tenant, _name, make_tenant
from tests.store.test_audit import ROWS as DECLARED
from tests.store.test_schema_kinds import THING

# One row of each other table, as whoever may write it would: the organization's words and ids are in it.
ROWS: dict[str, LiteralString] = {
    **{name: row for name, row in DECLARED.items() if name != "public.paas_organizations"},
    "public.paas_plans": "INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES (%(word)s || '-p', 1, 64)",
    "public.paas_addon_plans": "INSERT INTO paas_addon_plans (type, tier) VALUES ('redis', %(word)s)",
    "public.paas_buildpacks": "INSERT INTO paas_buildpacks (name, source_uri, version) VALUES (%(word)s, 'u', '1')",
    "public.paas_stacks": "INSERT INTO paas_stacks (name, builder_image, run_image) VALUES (%(word)s, 'b:1', 'r:1')",
    "public.paas_stack_buildpacks": (
        "INSERT INTO paas_stack_buildpacks (stack_id, buildpack_id, order_index)"
        " SELECT s.id, b.id, 1 FROM paas_stacks s JOIN paas_buildpacks b USING (name) WHERE name = %(word)s"
    ),
    "public.paas_templates": (
        "INSERT INTO paas_templates (name, deploy_mode, image_ref) VALUES (%(word)s, 'image', 'w:1')"
    ),
    "skypanel.api_idempotency": (
        "INSERT INTO skypanel.api_idempotency (id, organization_id, request, body)"
        " SELECT w.hash, %(organization)s, w.hash, convert_to(%(word)s, 'UTF8')"
        " FROM (SELECT sha256(convert_to(%(word)s, 'UTF8')) AS hash) w"
    ),
    "skypanel.api_tokens": (
        "INSERT INTO skypanel.api_tokens (id, name, hash, organization_id, role, expires_at)"
        " SELECT left(encode(w.hash, 'hex'), 12), %(word)s, w.hash, %(organization)s, 'member', now() + '1 day'"
        " FROM (SELECT sha256(convert_to(%(word)s, 'UTF8')) AS hash) w"
    ),
    "skypanel.role_bindings": (
        "INSERT INTO skypanel.role_bindings (name, organization_id, issuer, claims, role)"
        " VALUES (%(word)s, %(organization)s, 'https://id.example.com',"
        " jsonb_build_object('sub', jsonb_build_array(%(word)s::text)), 'member')"
    ),
    "skypanel.api_token_uses": (
        "INSERT INTO skypanel.api_token_uses (token_id, used_at, address)"
        " SELECT id, now(), %(word)s FROM skypanel.api_tokens WHERE organization_id = %(organization)s"
    ),
    "public.paas_nodes": "INSERT INTO paas_nodes (name) VALUES (%(word)s || '-node')",
    "public.paas_domains": (
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%(environment)s, %(word)s || '.example')"
    ),
    "public.paas_volumes": (
        "INSERT INTO paas_volumes (organization_id, environment_id, name, size_gb)"
        " VALUES (%(organization)s, %(environment)s, 'data', 1)"
    ),
    "public.caas_volume_snapshots": (
        "INSERT INTO caas_volume_snapshots (volume_id) SELECT id FROM paas_volumes"
        " WHERE organization_id = %(organization)s"
    ),
    "public.paas_addons": (
        "INSERT INTO paas_addons (environment_id, type, name, plan_id)"
        " SELECT %(environment)s, type, 'cache', id FROM paas_addon_plans WHERE tier = %(word)s"
    ),
    "public.paas_webhooks": (
        "INSERT INTO paas_webhooks (app_id, provider, repo, branch, secret, secret_key_id)"
        " VALUES (%(app)s, 'github', %(word)s || '/shop', 'main', '\\x01', 'k1')"
    ),
    "public.paas_deployments": "INSERT INTO paas_deployments (environment_id, git_sha) VALUES"
    " (%(environment)s, repeat('c0ffee00', 5))",
    "public.paas_runs": "INSERT INTO paas_runs (environment_id, command) VALUES (%(environment)s, '{ls}')",
    "public.paas_run_records": (
        "WITH made AS (INSERT INTO paas_runs (environment_id, command) VALUES (%(environment)s, '{ls}') RETURNING id)"
        " INSERT INTO paas_run_records (run_id, outcome) SELECT id, 'unknown' FROM made"
    ),
    "public.paas_sources": (
        "INSERT INTO paas_sources (organization_id, name, repo_url)"
        " VALUES (%(organization)s, 'git', 'https://git.example/' || %(word)s)"
    ),
    "skypanel.source_commits": (
        "INSERT INTO skypanel.source_commits (source_id, organization_id, commit, files, objects)"
        " SELECT id, organization_id, 'c0ffee', 1, 1 FROM paas_sources WHERE organization_id = %(organization)s"
    ),
    "skypanel.source_objects": (
        "INSERT INTO skypanel.source_objects (kind, id, source_id, organization_id)"
        " SELECT 'app', %(app)s, id, organization_id FROM paas_sources WHERE organization_id = %(organization)s"
    ),
    "skypanel.source_claims": (
        "INSERT INTO skypanel.source_claims (kind, id, source_id, organization_id)"
        " SELECT 'app', %(app)s, id, organization_id FROM paas_sources WHERE organization_id = %(organization)s"
    ),
    "skypanel.source_hooks": (
        "INSERT INTO skypanel.source_hooks (id, source_id, key_id, ciphertext)"
        " SELECT gen_random_uuid(), id, 'k1', '\\x01' FROM paas_sources WHERE organization_id = %(organization)s"
    ),
    "skypanel.source_variables": (
        "INSERT INTO skypanel.source_variables (owner_id, name, owner_kind, variable_id, source_id, organization_id)"
        " SELECT %(app)s, 'LEVEL', 'app', %(app)s, id, organization_id FROM paas_sources"
        " WHERE organization_id = %(organization)s"
    ),
    "skypanel.source_forges": (
        "INSERT INTO skypanel.source_forges (id, source_id, forge, api, key_id, ciphertext)"
        " SELECT gen_random_uuid(), id, 'github', 'https://' || %(word)s || '.example', 'k1', '\\x01'"
        " FROM paas_sources WHERE organization_id = %(organization)s"
    ),
    "skypanel.data_keys": (
        "INSERT INTO skypanel.data_keys (organization_id, kek_id, wrapped) VALUES (%(organization)s,"
        " '0123abcd', '\\x01')"
    ),
    "skypanel.reconcile_controls": (
        "INSERT INTO skypanel.reconcile_controls (scope, kind, id, paused, paused_reason)"
        " VALUES ('object', 'environment', %(environment)s, true, %(word)s)"
    ),
    "public.paas_releases": (
        "INSERT INTO paas_releases (environment_id, version, image_ref) VALUES (%(environment)s, 1, %(word)s || ':1')"
    ),
    "public.paas_containers": (
        "INSERT INTO paas_containers (environment_id, task_id, status) VALUES (%(environment)s, %(word)s, 'running')"
    ),
    "public.paas_usage": (
        "INSERT INTO paas_usage (organization_id, app_id, environment_id, period_start)"
        " VALUES (%(organization)s, %(app)s, %(environment)s, date_trunc('hour', now()))"
    ),
    "public.caas_exec_audit": (
        "INSERT INTO caas_exec_audit (organization_id, environment_id, user_id, command)"
        " VALUES (%(organization)s, %(environment)s, %(user)s, '{sh}')"
    ),
    "public.paas_image_facts": (
        "INSERT INTO paas_image_facts (environment_id, reference, pinned, architecture)"
        " VALUES (%(environment)s, 'w:1', 'w@sha256:00', 'amd64')"
    ),
    "public.caas_image_verdicts": (
        "INSERT INTO caas_image_verdicts (environment_id, image, policy, verdict, reason, message)"
        " VALUES (%(environment)s, 'w:1', 'images', 'allowed', 'Allowed', %(word)s)"
    ),
    "public.caas_image_reports": (
        "INSERT INTO caas_image_reports (digest, digests, scanner, reference, scanned_at, found, fixable)"
        " SELECT d, ARRAY[d], 's', %(word)s, now(), '{0,0,0,0,0}', '{0,0,0,0,0}'"
        " FROM (VALUES ('sha256:' || encode(sha256(%(word)s::bytea), 'hex'))) AS v(d)"
    ),
    "skypanel.object_status": (
        "INSERT INTO skypanel.object_status (kind, id, organization_id, observed_generation, ready,"
        " reason, message, epoch)"
        " VALUES ('environment', %(environment)s, %(organization)s, 1, true, 'Converged', %(word)s, 1)"
    ),
    "skypanel.events": (
        "INSERT INTO skypanel.events (kind, object_id, organization_id, type, reason, message)"
        " VALUES ('environment', %(environment)s, %(organization)s, 'Normal', 'Made', %(word)s)"
    ),
    "skypanel.config_history": (
        "INSERT INTO skypanel.config_history (revision, id, organization_id, layer, owner_id, name,"
        " version, ciphertext, key_id)"
        " VALUES (gen_random_uuid(), gen_random_uuid(), %(organization)s, 'app', %(app)s, 'A', 1, '\\x01', 'k1')"
    ),
    "skypanel.inventory": (
        "INSERT INTO skypanel.inventory (object_type, name, owner_kind, owner_id, organization_id, state, epoch)"
        " VALUES ('service', %(word)s, 'environment', %(environment)s, %(organization)s, 'present', 1)"
    ),
    "skypanel.subnets": (
        "INSERT INTO skypanel.subnets (subnet, organization_id, state) VALUES ('10.99.0.0/24', %(organization)s, 'x')"
    ),
}
OPEN = {"schema_migrations", "package_migrations", "kinds", "leader", "caller"}
"""What tells of nobody, to whoever has the role."""
ONE_AT_A_TIME = {
    "person_of", "token_of", "token_used", "hook_of", "hook_delivered", "session_of", "session_used", "session_begins",
    "session_ends",
}  # fmt: skip
"""They find out who calls, before it is known for which organization: one by one, by what nobody can guess."""
OF_THE_PLATFORM = {"fuse_waiting", "controller_state", "platform_numbers", "paas_nodes", "caas_image_reports"}
"""Of which organizations see nothing."""
SUBNET: LiteralString = (
    "INSERT INTO skypanel.subnets (subnet, organization_id, state, allocated_at)"
    " VALUES (set_masklen('10.64.0.0'::inet + %s * 256, 24)::cidr, %s, 'allocated', now())"
)


@dataclass(frozen=True, slots=True)
class Two:
    """A database with a row of each of two organizations in every table."""

    database: Database
    mine: Tenant
    other: Tenant

    def api(self) -> TenantConnection[Any]:
        """A connection of a login that has skypanel_api."""
        if "tenant" not in self.database._open:
            self.database._open["tenant"] = TenantConnection.connect(self.database.dsn("api"), autocommit=True)
        found = self.database._open["tenant"]
        assert isinstance(found, TenantConnection)
        return found

    @property
    def member(self) -> Tenancy:
        """Of one's own organization."""
        return Tenancy(self.mine.organization, actor="ada", means="token", address="192.0.2.7", request="r-1")

    def marks(self, tenant: Tenant, word: str) -> set[str]:
        """What an organization can be known by."""
        ids = {str(each) for each in (tenant.user, tenant.organization, tenant.app, tenant.environment)}
        return {*ids, word}


def given(tenant: Tenant, word: str) -> dict[str, object]:
    return {
        "word": word,
        "user": tenant.user,
        "organization": tenant.organization,
        "app": tenant.app,
        "environment": tenant.environment,
    }


def filled(database: Database) -> Two:
    two = Two(database, make_tenant(database, "acme"), make_tenant(database, "globex"))
    for number, (tenant, word) in enumerate(((two.mine, "acme"), (two.other, "globex"))):
        database.execute(
            "INSERT INTO organization_members (organization_id, user_id, role) VALUES (%s, %s, 'owner')",
            tenant.organization, tenant.user,
        )  # fmt: skip
        database.session("skypanel_owner").execute("SELECT set_config('skypanel.actor', %s, false)", [word])
        for table, row in ROWS.items():
            if table == "skypanel.subnets":
                database.execute(SUBNET, number, tenant.organization)
            else:
                database.session("skypanel_owner").execute(row, given(tenant, word))
    database.execute("SELECT skypanel.seal_audit(20)")
    return two


@pytest.fixture(scope="module")
def both(server: Server) -> Iterator[Two]:
    """For tests that leave no change behind."""
    database = Database(server, _name())
    server.create_database(database.name)
    yield filled(database)
    database.close()
    server.drop_database(database.name)


@pytest.fixture
def two(database: Database) -> Two:
    return filled(database)


def readable(database: Database) -> list[tuple[str, str, list[str]]]:
    """Schema, name and readable columns of everything that skypanel_api may read."""
    return database.execute(
        "SELECT n.nspname::text, c.relname::text, array_agg(a.attname::text ORDER BY a.attnum)"
        "  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        "  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relkind IN ('r', 'v', 'm', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
        "   AND has_column_privilege('api', c.oid, a.attnum, 'SELECT') GROUP BY 1, 2 ORDER BY 1, 2"
    )


def written(database: Database, right: str = "INSERT, UPDATE, DELETE") -> list[str]:
    """Tables of which skypanel_api may write anything; has one of the rights."""
    rows = (
        database.session("skypanel_owner")
        .execute(
            "SELECT n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'v', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
            "   AND (has_any_column_privilege('api', c.oid, 'INSERT') AND strpos(%(right)s, 'INSERT') > 0"
            "        OR has_any_column_privilege('api', c.oid, 'UPDATE') AND strpos(%(right)s, 'UPDATE') > 0"
            "        OR has_table_privilege('api', c.oid, 'DELETE')) ORDER BY 1",
            {"right": right},
        )
        .fetchall()
    )
    return [name for (name,) in rows]


def texts(conn: psycopg.Connection[Any], schema: str, name: str, columns: list[str]) -> list[str]:
    """Rows as text."""
    query = sql.SQL("SELECT to_jsonb(t)::text FROM (SELECT {} FROM {}) t").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(schema, name)
    )
    return [text for (text,) in conn.execute(query)]


def test_whatever_may_be_read_shows_ones_own_rows_and_none_of_another_organization(both: Two) -> None:
    seen, conn = {}, both.api()
    foreign = both.marks(both.other, "globex")
    for schema, name, columns in readable(both.database):
        if name in OPEN or name in SHOWN_TO_ALL:
            continue
        with acting(conn, both.member):
            found = texts(conn, schema, name, columns)
        leaked = [text for text in found if any(mark in text for mark in foreign)]
        assert leaked == [], name
        seen[name] = len(found)
    empty = {name for name, count in seen.items() if not count}
    assert empty == OF_THE_PLATFORM, "no row was there to be seen: add one to ROWS"


SHOWN_TO_ALL = {
    "paas_plans", "paas_addon_plans", "paas_stacks", "paas_buildpacks", "paas_stack_buildpacks", "paas_templates",
    "names",
}  # fmt: skip
"""Of no organization; names has those of both sorts."""


def test_names_of_others_are_not_there(both: Two) -> None:
    conn = both.api()
    with acting(conn, both.member):
        found = conn.execute("SELECT DISTINCT organization_id FROM skypanel.names").fetchall()
    assert {each for (each,) in found} == {None, both.mine.organization}


@pytest.mark.parametrize("left", ["never set", "empty", "of a transaction before"])
def test_who_names_no_organization_sees_nothing(both: Two, left: str) -> None:
    with psycopg.connect(both.database.dsn("api"), autocommit=True) as conn:
        if left == "empty":
            conn.execute("SELECT set_config('skypanel.organization', '', false)")
        elif left == "of a transaction before":
            with conn.transaction():
                conn.execute("SELECT set_config('skypanel.organization', %s, true)", [str(both.mine.organization)])
                conn.execute("SELECT set_config('skypanel.platform', 'on', true)")
        for schema, name, columns in readable(both.database):
            if name not in OPEN:
                found = texts(conn, schema, name, columns)
                assert [t for t in found if '"scope": "installation"' not in t] == [], name
        for table in written(both.database, "DELETE"):
            with conn.transaction(force_rollback=True):
                assert conn.execute(f"DELETE FROM {table}".encode()).rowcount == 0, table


@pytest.mark.parametrize("setting", ["acme", "*", "' OR true --", "00000000", "null"])
def test_what_is_no_id_shows_nothing(both: Two, setting: str) -> None:
    with psycopg.connect(both.database.dsn("api"), autocommit=True) as conn:
        conn.execute("SELECT set_config('skypanel.organization', %s, false)", [setting])
        conn.execute("SELECT set_config('skypanel.platform', 'yes', false)")
        for schema, name, columns in readable(both.database):
            if name in OPEN - {"caller"}:
                continue
            try:
                found = texts(conn, schema, name, columns)
            except errors.InvalidTextRepresentation:
                found = []
            assert found == [], name


def test_the_platform_sees_everything(both: Two) -> None:
    conn, owner = both.api(), both.database.session("skypanel_owner")
    for schema, name, columns in readable(both.database):
        if name == "caller":
            continue
        with acting(conn, Tenancy(None, platform=True)):
            count = len(texts(conn, schema, name, columns))
        assert count == len(texts(owner, schema, name, columns)), name


def test_other_roles_see_and_write_as_before(both: Two) -> None:
    for role in ("panel", "controller", "reader"):
        conn = both.database.session(role)
        assert conn.execute("SELECT count(*) FROM skypanel.status WHERE kind = 'organization'").fetchone() == (2,)
        assert conn.execute("SELECT count(*) FROM paas_environments").fetchone() == (4,)
    assert both.database.execute("SELECT * FROM skypanel.hidden_tables") == []


def test_nothing_is_written_beyond_ones_own_organization(both: Two) -> None:
    conn = both.api()
    for table in written(both.database):
        nothing_else_is_written(both, conn, table)


def nothing_else_is_written(both: Two, conn: TenantConnection[Any], table: str) -> None:
    name = sql.Identifier(*table.split("."))
    updatable = both.database.one(
        "SELECT array_agg(attname::text ORDER BY attname) FROM pg_attribute WHERE attrelid ="
        " %s::regclass AND attnum > 0"
        " AND has_column_privilege('api', attrelid, attnum, 'UPDATE')",
        table,
    )
    before = (
        both.database.session("skypanel_owner").execute(sql.SQL("SELECT ctid, xmin FROM {}").format(name)).fetchall()
    )
    with acting(conn, both.member), conn.transaction(force_rollback=True):
        visible = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone()
        assert visible is not None
        of_platform = not both.database.one("SELECT of_tenants FROM skypanel.isolated_tables WHERE name = %s", table)
        if table == "skypanel.reconcile_controls":
            of_platform = False
        if updatable:
            column = sql.Identifier("updated_at" if "updated_at" in updatable else updatable[0])
            query = sql.SQL("UPDATE {} SET {} = {}").format(name, column, column)
            try:
                assert conn.execute(query).rowcount == (0 if of_platform else visible[0]), table
            except errors.InsufficientPrivilege as error:
                assert "permission denied" in str(error), table  # a secret, which it may not read  # noqa: PT017
    if table in written(both.database, "DELETE"):
        with acting(conn, both.member), conn.transaction(force_rollback=True):
            gone = conn.execute(sql.SQL("DELETE FROM {}").format(name)).rowcount
            assert gone == (0 if of_platform else visible[0]), table
    after = (
        both.database.session("skypanel_owner").execute(sql.SQL("SELECT ctid, xmin FROM {}").format(name)).fetchall()
    )
    assert after == before, table
    if (row := ROWS.get(table)) is not None:
        words = given(both.other, f"evil-{uuid4().hex[:6]}")
        for tenancy in (both.member, Tenancy(None)):
            with acting(conn, tenancy), conn.transaction(force_rollback=True):
                # A row that is made of what is not seen is made of nothing.
                try:
                    assert conn.execute(row, words).rowcount == 0, table
                except errors.InsufficientPrivilege as error:
                    assert "row-level security" in str(error), table  # noqa: PT017


def test_a_row_cannot_be_moved_to_or_attached_to_another_organization(both: Two) -> None:
    conn = both.api()
    links = both.database.execute(
        "SELECT i.name, l.column_name, l.above::text, l.above_key FROM skypanel.isolated_tables i"
        " CROSS JOIN LATERAL skypanel.tenant_links(i.name::regclass) l WHERE i.of_tenants"
        "   AND has_column_privilege('api', i.name, l.column_name, 'UPDATE')"
        " UNION ALL SELECT i.name, 'organization_id', 'paas_organizations', 'organization_id'"
        "  FROM skypanel.isolated_tables i WHERE CASE WHEN skypanel.has_column(i.name, 'organization_id')"
        "   THEN has_column_privilege('api', i.name, 'organization_id', 'UPDATE') END ORDER BY 1, 2"
    )
    assert len(links) > 12
    for table, column, above, key in links:
        others = both.database.session("skypanel_owner").execute(
            sql.SQL("SELECT t.{} FROM {} t").format(sql.Identifier(key), sql.SQL(above))
        )
        with acting(conn, both.member):
            mine = {
                row[0] for row in conn.execute(sql.SQL("SELECT {} FROM {}").format(sql.Identifier(key), sql.SQL(above)))
            }
        for stranger in (*({row[0] for row in others} - mine), uuid4()):
            query = sql.SQL("UPDATE {} SET {} = %s").format(sql.SQL(table), sql.Identifier(column))
            with acting(conn, both.member), conn.transaction(force_rollback=True):
                if not conn.execute(sql.SQL("SELECT 1 FROM {} LIMIT 1").format(sql.SQL(table))).fetchone():
                    continue
                with pytest.raises(errors.InsufficientPrivilege, match="row-level security"):
                    conn.execute(query, [stranger])


def test_a_taken_host_name_is_all_that_is_told_and_not_by_whom(both: Two) -> None:
    conn, insert = both.api(), "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'globex.example')"
    with acting(conn, both.member):
        with pytest.raises(errors.UniqueViolation) as refused, conn.transaction():
            conn.execute(insert, [both.mine.environment])
        assert "globex" not in str(refused.value).replace("paas_domains_hostname_unique", "")
        for more in ("DO NOTHING", "(hostname) WHERE deleted_at IS NULL DO NOTHING"):
            with conn.transaction(force_rollback=True):
                query = f"{insert} ON CONFLICT {more} RETURNING id"
                assert conn.execute(query.encode(), [both.mine.environment]).fetchall() == []
        change = "(hostname) WHERE deleted_at IS NULL DO UPDATE SET process_type = 'x' RETURNING id"
        with pytest.raises(errors.InsufficientPrivilege, match="row-level security"), conn.transaction():
            conn.execute(f"{insert} ON CONFLICT {change}".encode(), [both.mine.environment])


def test_copy_gives_no_more_than_select(both: Two) -> None:
    conn = both.api()
    with (
        acting(conn, both.member),
        conn.transaction(),
        conn.cursor().copy("COPY paas_apps (slug, organization_id) TO STDOUT") as rows,
    ):
        copied = b"".join(bytes(part) for part in rows).decode()
    assert str(both.mine.organization) in copied
    assert str(both.other.organization) not in copied


def test_functions_that_may_be_called_tell_nothing_of_others(both: Two) -> None:
    found = both.database.execute(
        "SELECT p.proname::text FROM pg_proc p WHERE p.pronamespace = 'skypanel'::regnamespace"
        " AND has_function_privilege('api', p.oid, 'EXECUTE')"
        " AND NOT (p.prosqlbody IS NOT NULL AND p.provolatile = 'i')"
    )
    assert {name for (name,) in found} == {
        "pause_of", "config_of", "config_now", "built_image", "record_refusal", "seen_email", "stream_since",
        "confirm_losses", "source_applied", "source_claimed", "source_configured", "source_wanted", "bindings_of",
        "sessions_end",
        *ONE_AT_A_TIME,
    }  # fmt: skip
    other, conn = both.other, both.api()
    ids = (other.organization, other.app, other.environment)
    with acting(conn, both.member):
        assert conn.execute("SELECT * FROM skypanel.config_of(%s, %s, %s)", ids).fetchall() == []
        assert conn.execute("SELECT * FROM skypanel.config_now(%s, %s, %s)", ids).fetchall() == []
        pause = "SELECT * FROM skypanel.pause_of('environment', %s, %s)"
        assert conn.execute(pause, [other.environment, other.organization]).fetchall() == []
        assert len(conn.execute(pause, [both.mine.environment, both.mine.organization]).fetchall()) == 1
        assert conn.execute("SELECT skypanel.seen_email(%s)", [other.user]).fetchone() == (None,)
        assert conn.execute("SELECT skypanel.seen_email(%s)", [both.mine.user]).fetchone() == ("ops@acme.example",)
        bound: LiteralString = "SELECT jsonb_array_length(skypanel.bindings_of('https://id.example.com', %s))"
        for each, count in ((both.mine, 1), (other, 0)):
            claims = both.database.one(
                "SELECT claims FROM skypanel.role_bindings WHERE organization_id = %s", each.organization
            )
            assert conn.execute(bound, [Jsonb(claims)]).fetchone() == (count,)
        assert conn.execute("SELECT skypanel.built_image(%s, 'x')", [other.environment]).fetchone() == ("x",)
        both.database.execute("DELETE FROM skypanel.lease")
        both.database.execute(
            "INSERT INTO skypanel.lease (name, holder, epoch, expires_at) VALUES ('blue', 'me', 1, now() + '1 h')"
        )
        mine, theirs = (
            both.database.one("SELECT id FROM paas_sources WHERE organization_id = %s LIMIT 1", whose)
            for whose in (both.mine.organization, other.organization)
        )
        declared = Jsonb([{"kind": "app", "id": str(other.app)}])
        applied = "SELECT said, other FROM skypanel.source_applied('blue', 'me', 1, %s, 1, 'c0ffee', 1, %s)"
        assert conn.execute(applied, [theirs, declared]).fetchall() == [("changed", None)]
        assert conn.execute(applied, [mine, declared]).fetchall() == []
        whose = "SELECT source_id FROM skypanel.source_objects WHERE id = %s"
        assert both.database.execute(whose, other.app) == [(theirs,)], "somebody else's object was claimed"
        before = both.database.execute("SELECT kind, id, source_id FROM skypanel.source_claims ORDER BY 1, 2, 3")
        for source in (mine, theirs):
            conn.execute("SELECT skypanel.source_claimed(%s, %s)", [source, declared])
        claims = both.database.execute("SELECT kind, id, source_id FROM skypanel.source_claims ORDER BY 1, 2, 3")
        assert not {row for row in claims if row[1] == other.app} - set(before), "somebody else's object was claimed"
        told = Jsonb([{"id": str(other.app), "kind": "app", "owner": str(other.app), "name": "LEVEL", "changed": True}])
        configured = "SELECT said FROM skypanel.source_configured(%s, 'c0ffee', %s)"
        variables = "SELECT owner_id, source_id, wanted FROM skypanel.source_variables WHERE owner_id = %s"
        was = both.database.execute(variables, other.app)
        for source in (mine, theirs):
            assert conn.execute(configured, [source, told]).fetchall() == []
            conn.execute("SELECT skypanel.source_wanted(%s, %s)", [source, told])
        assert both.database.execute(variables, other.app) == was, "somebody else's variable was claimed"
        confirm = "SELECT skypanel.confirm_losses('{environment}', %s, '{9}', '{9}', '{9}')"
        both.database.execute(
            "INSERT INTO skypanel.fuse_losses (owner_kind, owner_id, why, objects, processes, hosts)"
            " VALUES ('environment', %s, 'absent', 1, 0, 0)",
            both.mine.environment,
        )
        assert conn.execute(confirm, [[both.mine.environment]]).fetchone() == (0,), "that is the platform's to say"
        assert conn.execute("SELECT FROM skypanel.fuse_waiting").fetchall() == []
        assert conn.execute("SELECT FROM skypanel.controller_state").fetchall() == []
        of = conn.execute("SELECT DISTINCT organization_id FROM skypanel.stream_since('1:1:')").fetchall()
        assert of == [(both.mine.organization,)]
    assert conn.execute("SELECT FROM skypanel.stream_since('1:1:')").fetchall() == []


def test_nothing_is_computed_of_a_row_before_it_is_known_to_be_ones_own(both: Two) -> None:
    """A function with side effects, or one that fails, would tell of rows that are not shown."""
    conn = both.api()
    with acting(conn, both.member), conn.transaction(force_rollback=True):
        conn.execute("CREATE TEMP TABLE spied (what text)")
        conn.execute(
            "CREATE FUNCTION pg_temp.spy(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
            " $$ BEGIN INSERT INTO spied VALUES ($1); RETURN true; END $$"
        )
        for column, table in (
            ("slug", "paas_apps"), ("hostname", "paas_domains"), ("message", "skypanel.events"),
            ("doc::text", "skypanel.document_environment"), ("name", "skypanel.seen_organizations"),
            ("image_ref", "paas_environments"),
        ):  # fmt: skip
            conn.execute(f"SELECT FROM {table} WHERE pg_temp.spy({column})".encode())
        spied = " ".join(what for (what,) in conn.execute("SELECT what FROM spied"))
    assert "acme" in spied
    assert not [mark for mark in both.marks(both.other, "globex") if mark in spied]
    with pytest.raises(errors.InsufficientPrivilege):
        conn.execute("CREATE OPERATOR skypanel.<<< (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq)")


def test_no_right_is_on_what_has_no_policy_and_no_filter(database: Database) -> None:
    bare = database.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relnamespace::regnamespace::text"
        " !~ '^(pg_|information)'"
        " AND (has_any_column_privilege('api', c.oid, 'SELECT') OR has_any_column_privilege('api', c.oid, 'INSERT')"
        "      OR has_any_column_privilege('api', c.oid, 'UPDATE') OR has_table_privilege('api', c.oid, 'DELETE'))"
        " AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND (SELECT count(*) FROM pg_policy p"
        "  WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polroles = ARRAY['skypanel_api'::regrole::oid]) = 4)"
    )
    assert {name for (name,) in bare} == OPEN - {"leader", "caller"}
    lacking = database.execute(
        "SELECT d.name FROM skypanel.declared_tables d LEFT JOIN skypanel.isolated_tables i USING"
        " (name) WHERE i IS NULL"
    )
    assert lacking == []


def test_what_the_panel_may_do_the_api_may_on_what_hides_rows(database: Database) -> None:
    apart = database.execute(
        "SELECT c.relname::text FROM pg_class c WHERE c.relkind IN ('r', 'v')"
        " AND c.relnamespace IN ('public'::regnamespace, 'skypanel'::regnamespace)"
        " AND (has_any_column_privilege('skypanel_panel', c.oid, 'SELECT')"
        "      <> has_any_column_privilege('skypanel_api', c.oid, 'SELECT'))"
    )
    theirs = {"users", "organizations", "organization_members"}
    to_explain = {"inventory", "subnets", "document_environment", "document_organization", "document_registry"}
    to_explain |= {"document_source", "document_run"}
    own = {"api_idempotency", "fuse_waiting", "controller_state", "platform_numbers"}
    assert {name for (name,) in apart} == theirs | to_explain | own


def test_policies_that_were_taken_away_are_made_again_and_those_that_are_there_are_left(database: Database) -> None:
    oids: LiteralString = "SELECT array_agg(oid ORDER BY oid) FROM pg_policy"
    before = database.one(oids)
    with database.connect() as conn:
        assert migrate.apply(conn) == ()
        assert database.one(oids) == before
        conn.execute("DROP POLICY skypanel_select ON paas_apps")
        conn.execute("ALTER TABLE skypanel.events NO FORCE ROW LEVEL SECURITY")
        assert migrate.apply(conn) == ()
    assert database.one("SELECT count(*) FROM pg_policy WHERE polrelid = 'paas_apps'::regclass") == 5
    assert database.one("SELECT relforcerowsecurity FROM pg_class WHERE oid = 'skypanel.events'::regclass")


def test_a_kind_of_ones_own_is_isolated_without_a_further_word(two: Two) -> None:
    owner = two.database.session("skypanel_owner")
    owner.execute(THING.encode())
    for tenant in (two.mine, two.other):
        thing = two.database.one(
            "INSERT INTO paas_things (organization_id, name) VALUES (%s, 'one') RETURNING id", tenant.organization
        )
        owner.execute("INSERT INTO paas_knobs (thing_id, name) VALUES (%s, 'left')", [thing])
    conn = two.api()
    with acting(conn, two.member):
        for table in ("paas_things", "paas_knobs", "skypanel.document_thing"):
            assert conn.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() == (1,), table
        with pytest.raises(errors.InsufficientPrivilege):
            conn.execute("INSERT INTO paas_knobs (thing_id, name) VALUES (%s, 'right')", [thing])


SPEC = """
apiVersion: skypanel.io/v1
kind: App
metadata: {{name: shop, organization: {0}}}
spec: {{}}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {{name: staging, app: shop, organization: {0}}}
spec: {{image: "web:2", plan: nano-{0}}}
---
apiVersion: skypanel.io/v1
kind: Domain
metadata: {{name: {1}, environment: staging, app: shop, organization: {0}}}
spec: {{}}
"""


def entries(organization: str, host: str) -> list[Located]:
    found = list(read_resources(SPEC.format(organization, host), "spec.yaml"))
    assert all(isinstance(each, Located) for each in found), found
    return [each for each in found if isinstance(each, Located)]


def test_a_whole_spec_is_applied_for_ones_own_organization_and_touches_nothing_else(two: Two) -> None:
    others: LiteralString = (
        "SELECT to_jsonb(e) FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id WHERE a.organization_id = %s"
    )
    before = two.database.execute(others, two.other.organization)
    conn = two.api()
    with acting(conn, two.member):
        written = writer.apply(conn, entries("acme", "shop.example"))
        assert [each.action for each in written] == ["updated", "created", "created"]
        found = reader.objects(conn, "Environment")
        assert {each.path[0] for each in found} == {"acme"}
        assert {each.path for each in reader.objects(conn, "Organization")} == {("acme",)}
        assert reader.objects(conn, "App", ("globex",)) == []
        with pytest.raises(SpecRefused, match="does not exist"):
            writer.apply(conn, entries("globex", "evil.example"))
        with pytest.raises(SpecRefused) as refused:
            writer.apply(conn, entries("acme", "globex.example"))
        assert "globex/" not in str(refused.value)
        gone = writer.delete(conn, [writer.Target("App", ("globex", "shop"))])
        assert [each.action for each in gone] == ["absent"]
    assert two.database.execute(others, two.other.organization) == before
    (author,) = two.database.execute(
        "SELECT DISTINCT actor, means, address, session_role FROM skypanel.audit WHERE said ->> 'request' = 'r-1'"
    )
    assert author == ("ada", "token", "192.0.2.7", "api")


def test_what_is_refused_is_in_the_audit_of_who_tried_and_not_of_whom_he_tried_it_on(two: Two) -> None:
    conn = two.api()
    with acting(conn, two.member):
        conn.execute("SELECT skypanel.record_refusal('apply', 'app', 'globex/shop', 'no')")
        own = conn.execute("SELECT organization_id FROM skypanel.audit WHERE did = 'refused'").fetchall()
    assert own == [(two.mine.organization,)]


def test_nothing_is_left_on_a_connection_that_somebody_else_gets(both: Two) -> None:
    conn = both.api()
    count: LiteralString = "SELECT count(*) FROM paas_apps"
    with acting(conn, both.member):
        assert conn.execute(count).fetchone() == (2,)
        with conn.transaction():
            conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            with conn.transaction():
                assert conn.execute(count).fetchone() == (2,)
        with pytest.raises(ValueError, match="acts for somebody"), acting(conn, both.member):
            pass
    with pytest.raises(errors.DivisionByZero), acting(conn, Tenancy(None, platform=True)):
        conn.execute("SELECT 1 / 0")
    assert conn.execute(count).fetchone() == (0,)
    left = conn.execute(
        "SELECT current_setting('skypanel.organization', true), current_setting('skypanel.actor', true)"
    )
    assert left.fetchone() == ("", "")
    with acting(conn, Tenancy(both.other.organization)):
        assert conn.execute("SELECT DISTINCT organization_id FROM paas_apps").fetchall() == [(both.other.organization,)]


def test_the_panel_is_held_to_one_organization_where_the_operator_asks_for_it(two: Two) -> None:
    owner, panel = two.database.session("skypanel_owner"), two.database.connect("panel")
    rows: LiteralString = "SELECT (SELECT count(*) FROM paas_apps), (SELECT count(*) FROM skypanel.status)"
    with panel:
        assert panel.execute(rows).fetchone() == (4, 18)
        owner.execute("CALL skypanel.isolate_panel(true)")
        migrate.apply(owner)
        assert panel.execute(rows).fetchone() == (0, 0)
        with panel.transaction():
            panel.execute("SELECT set_config('skypanel.organization', %s, true)", [str(two.mine.organization)])
            assert panel.execute(rows).fetchone() == (2, 9)
            assert panel.execute("UPDATE paas_apps SET suspended = true").rowcount == 2
            with pytest.raises(errors.InsufficientPrivilege, match="row-level security"), panel.transaction():
                panel.execute("UPDATE paas_apps SET organization_id = %s", [two.other.organization])
        with panel.transaction():
            panel.execute("SET LOCAL skypanel.platform = 'on'")
            assert panel.execute(rows).fetchone() == (4, 18)
        for role in ("controller", "reader"):
            assert two.database.execute(rows, role=role) == [(4, 18)]
        assert two.database.execute("SELECT * FROM skypanel.hidden_tables") == []
        owner.execute("CALL skypanel.isolate_panel(false)")
        migrate.apply(owner)
        assert panel.execute(rows).fetchone() == (4, 18)


def test_doctor_names_tables_that_show_everything_and_logins_that_nothing_holds(database: Database) -> None:
    with database.connect("postgres") as conn:
        assert tenants_check(conn).level == "ok", tenants_check(conn)
        for spoilt, mended in (
            ("ALTER TABLE paas_apps DISABLE ROW LEVEL SECURITY", "ALTER TABLE paas_apps ENABLE ROW LEVEL SECURITY"),
            ("ALTER TABLE paas_apps NO FORCE ROW LEVEL SECURITY", "ALTER TABLE paas_apps FORCE ROW LEVEL SECURITY"),
            ("DROP POLICY skypanel_select ON paas_apps", "CALL skypanel.isolate_table('public.paas_apps')"),
        ):
            conn.execute(spoilt.encode())
            assert (tenants_check(conn).level, "paas_apps" in tenants_check(conn).message) == ("fail", True)
            conn.execute(mended.encode())
        assert tenants_check(conn).level == "ok"
        conn.execute("CREATE TABLE skypanel.extra (x int)")
        assert tenants_check(conn).level == "ok", "nobody may touch it"
        conn.execute("GRANT SELECT ON skypanel.extra TO skypanel_api")
        assert "skypanel.extra" in tenants_check(conn).message
        conn.execute("DROP TABLE skypanel.extra")
        with conn.transaction(force_rollback=True):
            conn.execute("CREATE ROLE test_unheld LOGIN BYPASSRLS IN ROLE skypanel_api")
            assert "ALTER ROLE test_unheld" in tenants_check(conn).mend
