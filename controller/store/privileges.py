"""What a role needs before it can apply the migrations, as the statements that would give it."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg
from psycopg import sql

GROUPS = ("skypanel_panel", "skypanel_controller", "skypanel_reader")
# Rights that we need on the panel's tables, where they exist: keys, one trigger, and the views' reading.
ON_PANEL = {
    "public.users": ("REFERENCES",),
    "public.organizations": ("REFERENCES", "TRIGGER", "SELECT"),
}


class RowSecurityError(Exception):
    """Row-level security would hide organizations from our views, and so make them look deleted."""


def missing(conn: psycopg.Connection) -> list[str]:
    """The statements that a superuser or the tables' owner has to run first; empty when nothing is missing."""
    found: list[sql.Composed] = []
    me = sql.Identifier(_one(conn, "SELECT current_user"))
    if not _one(
        conn,
        "SELECT has_database_privilege(current_database(), 'CREATE') OR to_regnamespace('skypanel') IS NOT NULL",
    ):
        database = sql.Identifier(_one(conn, "SELECT current_database()"))
        found.append(sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, me))
    if not _one(conn, "SELECT has_schema_privilege('public', 'CREATE')"):
        found.append(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(me))
    if not _one(conn, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"):
        found += [
            sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group))
            for group in GROUPS
            if not _one(conn, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", group)
        ]
    for table, rights in ON_PANEL.items():
        if not _one(conn, "SELECT to_regclass(%s) IS NOT NULL", table):
            continue
        lacking = [
            right for right in rights if not _one(conn, "SELECT has_table_privilege(%s, %s)", table, right)
        ]
        if lacking:
            found.append(
                sql.SQL("GRANT {} ON {} TO {}").format(
                    sql.SQL(", ").join(map(sql.SQL, lacking)), sql.Identifier(*table.split(".")), me
                )
            )
    if _row_security_hides(conn):
        found.append(sql.SQL("ALTER ROLE {} BYPASSRLS").format(me))
    return [f"{statement.as_string(conn)};" for statement in found]


def check_row_security(conn: psycopg.Connection) -> None:
    """Raises RowSecurityError when the owner of our views may not see every organization."""
    owner = _one(
        conn,
        "SELECT v.relowner::regrole::text FROM pg_class v, pg_class t, pg_roles r"
        " WHERE v.oid = to_regclass('skypanel.snapshot_organization') AND t.oid = 'public.organizations'::regclass"
        " AND r.oid = v.relowner AND t.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls"
        " AND (t.relforcerowsecurity OR NOT pg_has_role(v.relowner, t.relowner, 'USAGE'))",
    )
    if owner is not None:
        raise RowSecurityError(
            f"row-level security hides organizations from {owner}, who owns our views: they would look deleted."
            f" Let a superuser run: ALTER ROLE {owner} BYPASSRLS;"
        )


def _row_security_hides(conn: psycopg.Connection) -> bool:
    exists = _one(conn, "SELECT to_regclass('public.organizations') IS NOT NULL")
    return bool(exists and _one(conn, "SELECT row_security_active('public.organizations')"))


def _one(conn: psycopg.Connection, query: LiteralString, *values: str) -> Any:
    row = conn.execute(query, values or None).fetchone()
    return None if row is None else row[0]
