"""Kinds as rows: the views that follow say what those said that were written by hand, and a new kind is one call."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import LiteralString
from uuid import UUID, uuid4

import psycopg
import pytest

from controller.schema import migrate
from specs.kinds import KINDS
from tests.store.conftest import Database, Tenant, make_tenant

VIEWS = ("objects", "present", "parts", "dependents")
BY_HAND = 27
"""The last version whose views were written by hand."""


def fill(database: Database) -> None:
    """Tenants, apps and environments in every state: there, deleted at each level, with and without parts."""
    for number in range(4):
        tenant = make_tenant(database, f"org{number}", f"app{number}")
        database.execute(
            "INSERT INTO paas_environments (app_id, name, image_ref, plan_id)"
            " SELECT %s, 'e' || n, 'web:1', %s FROM generate_series(1, 8) n",
            tenant.app,
            tenant.plan,
        )
    database.execute("INSERT INTO paas_processes (environment_id, type) SELECT id, 'web' FROM paas_environments")
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) SELECT id, swarm_name || '.example' FROM paas_environments"
    )
    changes: tuple[LiteralString, ...] = (
        """UPDATE paas_processes SET deleted_at = now() WHERE environment_id IN
           (SELECT id FROM paas_environments WHERE name = 'e1')""",
        "UPDATE paas_domains SET deleted_at = now() WHERE hostname LIKE 'org0%e2.example'",
        "UPDATE paas_environments SET deleted_at = now() WHERE name IN ('e3', 'e4')",
        "UPDATE paas_environments SET removed_at = now() WHERE name = 'e4'",
        "UPDATE paas_apps SET deleted_at = now() WHERE slug = 'app1'",
        """UPDATE paas_organizations SET deleted_at = now() WHERE organization_id IN
           (SELECT id FROM organizations WHERE slug IN ('org2', 'org3'))""",
        """UPDATE paas_organizations SET removed_at = now() WHERE organization_id IN
           (SELECT id FROM organizations WHERE slug = 'org3')""",
    )
    for statement in changes:
        database.execute(statement)


def test_the_views_that_follow_from_kinds_say_what_those_said_that_were_written_by_hand(empty: Database) -> None:
    with empty.connect() as conn:
        migrate.apply(conn, migrate.load()[:BY_HAND])
        fill(Database(empty.server, empty.name, {"panel": conn, "skypanel_owner": conn}))
        for view in VIEWS:
            definition = conn.execute("SELECT pg_get_viewdef(%s::regclass)", [f"skypanel.{view}"]).fetchone()
            assert definition is not None
            conn.execute(f"CREATE VIEW public.before_{view} AS {definition[0]}".encode())
        migrate.apply(conn)
        conn.execute("DELETE FROM skypanel.kind_views")
        conn.execute("UPDATE skypanel.kinds SET key = key")
        for view in VIEWS:
            before, now = f"public.before_{view}", f"skypanel.{view}"
            count = conn.execute(f"SELECT count(*) FROM {before}".encode()).fetchone()
            assert count is not None
            assert count[0] > 0
            for one, other in ((before, now), (now, before)):
                query = f"SELECT * FROM (SELECT * FROM {one} EXCEPT ALL SELECT * FROM {other}) AS apart"
                assert conn.execute(query.encode()).fetchall() == []


READS: tuple[LiteralString, ...] = (
    "SELECT count(*) FROM skypanel.present o LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id",
    "SELECT d.id, (SELECT count(*) FROM skypanel.objects o WHERE o.kind = 'environment') FROM skypanel.dependents d",
    "SELECT ready FROM skypanel.status",
    "SELECT p.id FROM skypanel.parts p JOIN skypanel.objects o ON o.id = p.parent_id",
    "UPDATE paas_environments SET instances = 1 + instances % 3",
)


def test_a_database_is_migrated_while_others_read_and_write_it_without_a_break(empty: Database) -> None:
    done = threading.Event()
    counts = dict.fromkeys(READS, 0)

    def work(query: LiteralString) -> None:
        with empty.connect() as mine:
            while not done.is_set():
                mine.execute(query)
                counts[query] += 1

    with empty.connect() as conn, ThreadPoolExecutor(len(READS)) as others:
        migrate.apply(conn, migrate.load()[:BY_HAND])
        make_tenant(Database(empty.server, empty.name, {"panel": conn}))
        working = [others.submit(work, query) for query in READS]
        try:
            migrate.apply(conn)
        finally:
            done.set()
        for one in working:
            one.result()
    assert all(counts.values()), counts


def test_the_schema_and_the_models_say_the_same_of_each_kind(database: Database) -> None:
    found = database.execute(
        "SELECT kind, table_name, name_table, name_column, parent, parent_column, reconciled, part FROM skypanel.kinds"
    )
    expected = set()
    for cls in KINDS.values():
        binding, facts = cls.binding, cls.facts
        parent = KINDS[binding.parent].word() if binding.parent else None
        kept = binding.deleted_in or binding.table
        expected.add((
            cls.word(), f"public.{kept}", f"public.{binding.table}", binding.key_column,
            parent, binding.parent_column, facts.reconciled, facts.part,
        ))  # fmt: skip
    assert set(found) == expected


THING = """
CREATE TABLE public.paas_things (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), organization_id uuid NOT NULL REFERENCES public.organizations (id),
    name text NOT NULL, plan_id uuid REFERENCES public.paas_plans (id), state text, deleted_at timestamptz,
    inputs_version bigint NOT NULL DEFAULT 1, generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE public.paas_knobs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    thing_id uuid NOT NULL REFERENCES public.paas_things (id) ON DELETE CASCADE,
    name text NOT NULL, deleted_at timestamptz, generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE VIEW skypanel.snapshot_thing AS
    SELECT id, organization_id, generation, deleted_at IS NOT NULL AS deleted, jsonb_build_object('id', id) AS doc
      FROM public.paas_things;
CREATE VIEW skypanel.serving_thing AS SELECT id, true AS runs, 'main'::text AS name FROM public.paas_things;
CALL skypanel.declare_kind('thing', 'paas_things', parent => 'organization', parent_column => 'organization_id',
                           reconciled => true, wakes_on => '{organization,plan}', refers => '{"plan": "plan_id"}',
                           status => '{state}');
CALL skypanel.declare_kind('knob', 'paas_knobs', parent => 'thing', parent_column => 'thing_id', part => true);
"""


@pytest.fixture
def thing(database: Database, tenant: Tenant) -> UUID:
    """A kind of one's own, of which the migrations know nothing, and one object of it."""
    database.session("skypanel_owner").execute(THING.encode())
    query = "INSERT INTO paas_things (organization_id, name, plan_id) VALUES (%s, 'one', %s) RETURNING id"
    found = database.one(query, tenant.organization, tenant.plan, role="panel")
    assert isinstance(found, UUID)
    return found


def test_a_kind_of_ones_own_is_in_every_view_after_one_call(database: Database, tenant: Tenant, thing: UUID) -> None:
    query = "INSERT INTO paas_knobs (thing_id, name) VALUES (%s, 'left') RETURNING id"
    knob = database.one(query, thing, role="panel")

    def read(what: str, view: str, kind: str) -> list[tuple[object, ...]]:
        query = f"SELECT {what} FROM skypanel.{view} WHERE kind = '{kind}'"
        return database.session("controller").execute(query.encode()).fetchall()

    assert read("id, organization_id, generation, deleted", "objects", "thing") == [
        (thing, tenant.organization, 2, False)
    ]
    assert read("id, generation", "present", "thing") == [(thing, 2)]
    assert read("id, parent_kind, parent_id, organization_id", "parts", "knob") == [
        (knob, "thing", thing, tenant.organization)
    ]
    assert read("path, organization_id", "names", "knob") == [("acme/one/left", tenant.organization)]
    assert read("path, generation, deleted", "names", "organization") == [("acme", 1, False)]
    assert (thing,) in read("dependent_id", "dependents", "plan")
    assert (thing,) in read("dependent_id", "dependents", "organization")
    assert read("id, runs, name", "served", "thing") == [(thing, True, "main")]
    assert ("thing", thing) in read("object_kind, object_id", "concerns", "plan")
    assert read("object_kind, object_id, always", "concerns", "knob") == [("thing", thing, True)]
    assert read("reason", "status", "knob") == [("Pending",)]


def test_changes_of_a_kind_of_ones_own_are_logged_with_their_organization(
    database: Database, tenant: Tenant, thing: UUID
) -> None:
    database.execute("DELETE FROM skypanel.change_log")
    database.execute("INSERT INTO paas_knobs (thing_id, name) VALUES (%s, 'left')", thing, role="panel")
    database.execute("UPDATE paas_knobs SET name = 'right'", role="panel")
    assert database.execute("SELECT DISTINCT kind, organization_id FROM skypanel.change_log ORDER BY kind") == [
        ("knob", tenant.organization),
        ("thing", tenant.organization),
    ]
    assert database.one("SELECT generation FROM paas_things") == 3
    database.execute("DELETE FROM paas_things", role="panel")
    assert database.execute("SELECT kind, id FROM skypanel.tombstones") == [("thing", thing)]


def test_the_groups_have_the_least_rights_on_a_kind_of_ones_own(database: Database, thing: UUID) -> None:
    database.execute("UPDATE paas_things SET state = 'there'", role="controller")
    for role, query in {
        "controller": "UPDATE paas_things SET name = 'x'",
        "panel": "UPDATE paas_things SET state = 'x'",
        "reader": "UPDATE paas_things SET name = 'x'",
    }.items():
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            database.session(role).execute(query.encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        database.execute("SELECT doc FROM skypanel.snapshot_thing", role="panel")
    with database.connect() as conn:
        migrate.apply(conn)
    assert database.one("SELECT doc ->> 'id' FROM skypanel.snapshot_thing", role="controller") == str(thing)


def test_what_was_deleted_long_ago_of_a_kind_of_ones_own_is_pruned_before_its_owner(
    database: Database, tenant: Tenant, thing: UUID
) -> None:
    prune: LiteralString = "SELECT skypanel.prune(%s, 30, 100)"
    long_ago: LiteralString = "now() - interval '90 days'"
    database.execute("UPDATE paas_apps SET deleted_at = now()", role="panel")
    database.execute(
        "INSERT INTO skypanel.object_status"
        " (kind, id, observed_generation, ready, reason, message, finalized_at, epoch)"
        " SELECT kind, id, 1, false, 'Deleted', 'gone', " + long_ago + ", 1 FROM skypanel.objects"
    )
    database.execute(f"UPDATE paas_organizations SET deleted_at = {long_ago}, removed_at = {long_ago}")
    database.execute(f"UPDATE paas_organizations SET removed_at = {long_ago}")
    database.execute("DELETE FROM paas_environments")
    database.execute("DELETE FROM paas_apps")
    assert database.one(prune, "things") == 0, "it was not deleted"
    assert database.one(prune, "organizations") == 0, "the thing is left"
    database.execute(f"UPDATE paas_things SET deleted_at = {long_ago}")
    assert database.one(prune, "things") == 1
    assert database.one(prune, "organizations") == 1
    with pytest.raises(psycopg.errors.RaiseException, match="nothing is no kind"):
        database.one(prune, "nothing")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("'gear', 'paas_plans', reconciled => true", "there is no view skypanel.snapshot_gear"),
        ("'gear', 'paas_plans', parent => 'nothing', parent_column => 'id'", "belongs to nothing, which is no kind"),
        ("'gear', 'paas_plans', parent => 'app', parent_column => 'app_id'", "has no column app_id"),
        ("'gear', 'paas_plans', wakes_on => '{app}'", "woken by app, which it neither belongs nor refers to"),
        (
            "'gear', 'paas_domains', parent => 'app', parent_column => 'id', part => true",
            "app, which has no reconciler",
        ),
    ],
)
def test_a_kind_that_cannot_be_is_refused_with_the_reason(database: Database, call: str, said: str) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match=said):
        database.session("skypanel_owner").execute(f"CALL skypanel.declare_kind({call})".encode())


@pytest.mark.parametrize("view", ["objects", "names", "parts"])
def test_one_of_a_kind_is_found_by_its_key(database: Database, tenant: Tenant, view: str) -> None:
    kind = "process" if view == "parts" else "environment"
    with database.session("skypanel_owner").transaction() as _:
        database.execute("SET LOCAL enable_seqscan = off")
        query = f"EXPLAIN (FORMAT json) SELECT * FROM skypanel.{view} WHERE kind = '{kind}' AND id = '{uuid4()}'"
        row = database.session("skypanel_owner").execute(query.encode()).fetchone()
    assert row is not None
    text = json.dumps(row[0])
    assert "paas_domains" not in text
    assert ("paas_processes_pkey" if view == "parts" else "paas_environments_pkey") in text
