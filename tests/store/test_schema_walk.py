"""A walk over the catalog, of an empty database and the panel's: whose code runs as we, and who may do what."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.schema import migrate
from tests.store.conftest import Database
from tests.store.test_migrations import panel

RIGHTS = Path(__file__).parent / "rights.txt"
# What is ours: our schema, and our tables in public.
OURS = "(c.relnamespace = 'skypanel'::regnamespace OR c.relname ~ '^(paas|caas)_')"


@pytest.fixture(params=["empty", "then", "today"])
def walked(request: pytest.FixtureRequest, empty: Database) -> Database:
    """A migrated database: without the panel, and beside each of its ages."""
    if request.param != "empty":
        panel(empty, request.param, role="postgres")
        with empty.connect("postgres") as conn:
            conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO skypanel_owner")
    with empty.connect() as conn:
        migrate.apply(conn)
    return empty


def test_every_function_is_ours_and_finds_nothing_by_the_callers_search_path(walked: Database) -> None:
    assert walked.one("SELECT count(*) > 20 FROM pg_proc WHERE pronamespace = 'skypanel'::regnamespace")
    loose = walked.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'skypanel'::regnamespace"
        " AND (proowner <> 'skypanel_owner'::regrole"
        # A body that is bound when it is made looks nothing up any more.
        "      OR NOT (prosqlbody IS NOT NULL OR coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig), false)))"
    )
    assert loose == []


def test_no_function_takes_a_lock_that_anybody_may_take(walked: Database) -> None:
    taking = walked.execute(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'skypanel'::regnamespace AND prosrc LIKE '%pg\\_%advisory%'"
    )
    assert taking == []


def test_every_trigger_on_our_tables_calls_a_function_of_ours(walked: Database) -> None:
    foreign = walked.execute(
        "SELECT c.oid::regclass::text, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid"
        " JOIN pg_proc f ON f.oid = t.tgfoid"
        f" WHERE NOT t.tgisinternal AND {OURS} AND f.pronamespace <> 'skypanel'::regnamespace"
    )
    assert foreign == []


def test_defaults_checks_views_and_indexes_use_nothing_of_others(walked: Database) -> None:
    # PostgreSQL notes what each of them depends on, but for what is its own.
    foreign = walked.execute(
        f"""
        WITH ours AS (SELECT oid FROM pg_class c WHERE {OURS}),
        parts AS (
            SELECT 'pg_constraint'::regclass::oid AS catalog, oid FROM pg_constraint
             WHERE conrelid IN (SELECT oid FROM ours)
            UNION ALL SELECT 'pg_attrdef'::regclass, oid FROM pg_attrdef WHERE adrelid IN (SELECT oid FROM ours)
            UNION ALL SELECT 'pg_rewrite'::regclass, oid FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM ours)
            UNION ALL SELECT 'pg_policy'::regclass, oid FROM pg_policy WHERE polrelid IN (SELECT oid FROM ours)
            UNION ALL SELECT 'pg_class'::regclass, oid FROM ours
            UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = 'skypanel'::regnamespace
        )
        SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, 0)
          FROM parts JOIN pg_depend d ON d.classid = parts.catalog AND d.objid = parts.oid
         WHERE d.refclassid IN ('pg_proc'::regclass, 'pg_operator'::regclass, 'pg_type'::regclass)
           AND NOT EXISTS (SELECT FROM pg_proc WHERE oid = d.refobjid AND pronamespace = 'skypanel'::regnamespace)
           AND NOT EXISTS (SELECT FROM pg_type WHERE oid = d.refobjid AND typnamespace = 'skypanel'::regnamespace)
           -- A whole row of a table has no code; skypanel.person_of looks at a column before it reads it.
           AND NOT EXISTS (SELECT FROM pg_type
                            WHERE oid = d.refobjid AND typtype = 'c' AND d.refclassid = 'pg_type'::regclass)
        """
    )
    assert foreign == []


def test_the_groups_and_the_public_may_do_what_is_listed_and_nothing_else(walked: Database) -> None:
    listed = RIGHTS.read_text(encoding="utf-8").splitlines()
    found = rights(walked)
    ours = "SELECT pg_has_role('skypanel_owner', relowner, 'USAGE') FROM pg_class WHERE oid = 'users'::regclass"
    if walked.one(ours):
        assert found == listed, "\n".join(["Should the rights be so? Then this is the new list:", *found])
    else:  # the panel's owner gives what he likes on his tables
        on_panel = ("users ", "organizations ", "organization_members ")
        assert [line for line in found if not line.startswith(on_panel)] == [
            line for line in listed if not line.startswith(on_panel)
        ]


def rights(database: Database) -> list[str]:
    """Object, grantee, and the rights with their columns; of all that is not PostgreSQL's own."""
    return [
        f"{name} {who} {what}"
        for name, who, what in database.execute(
            f"""
            WITH given AS (
                SELECT c.relname::text AS name, a.grantee, a.privilege_type AS what, NULL::text AS of_column, 0 AS place
                  FROM pg_class c, aclexplode(c.relacl) a
                 WHERE c.relkind IN ('r', 'v')
                   AND ({OURS} OR c.relname IN ('users', 'organizations', 'organization_members'))
                UNION ALL
                SELECT c.relname, a.grantee, a.privilege_type, att.attname, att.attnum
                  FROM pg_class c JOIN pg_attribute att ON att.attrelid = c.oid AND NOT att.attisdropped,
                       aclexplode(att.attacl) a
                 WHERE c.relnamespace IN ('public'::regnamespace, 'skypanel'::regnamespace)
                UNION ALL
                SELECT p.proname || '()', a.grantee, a.privilege_type, NULL, 0
                  FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
                 WHERE p.pronamespace = 'skypanel'::regnamespace
                UNION ALL
                SELECT 'SCHEMA', a.grantee, a.privilege_type, NULL, 0
                  FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'skypanel'
            ), one AS (
                SELECT name, grantee,
                       what || coalesce('(' || string_agg(of_column, ',' ORDER BY place) || ')', '') AS what
                  FROM given
                 WHERE grantee = 0 OR grantee::regrole::text LIKE 'skypanel%' AND grantee <> 'skypanel_owner'::regrole
                 GROUP BY name, grantee, given.what
            )
            SELECT name, CASE grantee WHEN 0 THEN 'PUBLIC' ELSE replace(grantee::regrole::text, 'skypanel_', '') END,
                   string_agg(what, ' ' ORDER BY what)
              FROM one GROUP BY name, grantee ORDER BY name COLLATE "C", grantee::regrole::text
            """
        )
    ]
