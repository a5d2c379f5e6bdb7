"""SQL of the pages, and the commands around it, on a PostgreSQL of its own: a panel's database gets roles, schema."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import Server
from deploy.postgres.binaries import find_bindir
from deploy.postgres.server import named
from tests.docs.blocks import Block, blocks
from tests.docs.session import follow
from tests.store.conftest import Database
from tests.store.test_migrations import panel

SCHEMA, OPERATIONS = "docs/reference/schema.md", "docs/operations.md"
DATABASE = "panel"  # as the pages call it
RESTORED = "restored"
THINGS = """
CREATE TABLE public.paas_things (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, status text, token text,
    organization_id uuid NOT NULL REFERENCES public.organizations (id), generation bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now());
CREATE VIEW skypanel.snapshot_thing AS
    SELECT id, organization_id, generation, false AS deleted, to_jsonb(name) AS doc FROM public.paas_things
"""
"""What the page says that a new kind needs before it is declared."""
ENVIRONMENT = "00000000-0000-4000-8000-00000000000e"
ROWS = f"""
INSERT INTO paas_apps (id, organization_id, name, slug) SELECT '{ENVIRONMENT}', id, 'Shop', 'shop' FROM organizations;
INSERT INTO paas_environments (id, app_id, name, image_ref) VALUES ('{ENVIRONMENT}', '{ENVIRONMENT}', 'production', 'a')
"""


def sql(heading: str) -> list[Block]:
    return [block for block in blocks(SCHEMA, heading) if block.language == "sql"]


def run(url: str, block: Block | str) -> None:
    """Every statement of a block in one transaction; what a reader puts in himself is put in."""
    text = block if isinstance(block, str) else block.text
    text = text.replace("$1", "gen_random_uuid()").replace("'environment', '...'", f"'environment', '{ENVIRONMENT}'")
    with psycopg.connect(url) as conn:
        conn.execute(text.encode())


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server without any role of ours, and on it a panel's database that has what a panel makes."""
    before = os.environ.get("SKYPANEL_LAB")
    with tempfile.TemporaryDirectory(prefix="skypanel-") as folder:
        Path(folder).chmod(0o711)
        os.environ["SKYPANEL_LAB"] = folder
        try:
            server = named("docs", durable=False)
            server.cluster.folder.mkdir(mode=0o755)
            server.cluster.initialise()
            server.start()
            with server.connect() as conn:
                conn.execute("CREATE ROLE panel_owner LOGIN")
                conn.execute(f"CREATE DATABASE {DATABASE} OWNER panel_owner")
            panel(Database(server, DATABASE), "today", role="panel_owner")
            yield server
            server.destroy()
        finally:
            os.environ.pop("SKYPANEL_LAB")
            if before is not None:
                os.environ["SKYPANEL_LAB"] = before


@pytest.fixture(scope="module")
def installed(server: Server) -> Server:
    """The same with roles and schema, made in the order and with the statements of the page."""
    logins, groups, grants = sql("Roles")
    superuser = server.dsn_for("postgres", DATABASE)
    run(superuser, groups)
    owner = server.dsn_for("skypanel_owner", DATABASE)
    with tempfile.TemporaryDirectory() as folder:
        follow(blocks(SCHEMA, "Database schema"), Path(folder), prelude=f"export DATABASE_URL='{owner}'\n")
    run(superuser, logins)
    run(server.dsn_for("panel_owner", DATABASE), grants)
    run(server.dsn_for("my_panel", DATABASE), ROWS)
    return server


@pytest.mark.parametrize(
    "heading", ["Tables that the controller writes", "Pause and look now"], ids=["what to show", "to pause"]
)
def test_the_panels_login_may_run_what_the_page_gives_it(installed: Server, heading: str) -> None:
    (block,) = sql(heading)
    run(installed.dsn_for("my_panel", DATABASE), block)


def test_a_kind_is_declared_as_the_page_says(installed: Server) -> None:
    (block,) = sql("Adding a kind")
    run(installed.dsn_for("skypanel_owner", DATABASE), THINGS)
    run(installed.dsn_for("skypanel_owner", DATABASE), block)
    with psycopg.connect(installed.dsn_for("postgres", DATABASE)) as conn:
        assert conn.execute("SELECT count(*) FROM skypanel.kinds WHERE kind = 'thing'").fetchone() == (1,)


def test_every_block_of_sql_is_run(installed: Server) -> None:
    run_above = {"Roles", "Tables that the controller writes", "Pause and look now", "Adding a kind"}
    assert {block.heading for block in blocks(SCHEMA) if block.language == "sql"} == run_above


def test_what_was_saved_as_the_page_says_is_there_after_it_was_restored(installed: Server, tmp_path: Path) -> None:
    given = [block for block in blocks(OPERATIONS, "Backup and restore") if block.language == "sh"]
    tools = f"export PATH={find_bindir()}:$PATH PGUSER=postgres PGHOST={installed.socket_dir}\n"
    follow(given[:1], tmp_path, prelude=tools)
    # On one server here: the database has another name when it comes back.
    other = {"owner panel": f"owner {RESTORED}", "-d panel": f"-d {RESTORED}"}
    follow(given[1:], tmp_path, prelude=tools, instead=other)
    counts = []
    for database in (DATABASE, RESTORED):
        with psycopg.connect(installed.dsn_for("postgres", database)) as conn:
            rows = conn.execute(
                "SELECT kind, name FROM skypanel.kinds, skypanel.schema_migrations ORDER BY 1, 2"
            ).fetchall()
            counts.append(rows)
    assert counts[0] == counts[1]
    assert re.search("CREATE ROLE my_panel", (tmp_path / "roles.sql").read_text())
