"""What a role needs before it can apply the migrations, as the statements that would give it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from controller.schema.errors import MissingPrivilegeError
from specs.kinds import KINDS

GROUPS = (
    "skypanel_panel",
    "skypanel_controller",
    "skypanel_reader",
    "skypanel_scanner",
    "skypanel_interface",
    "skypanel_api",
)
_FOREIGN = tuple(f"public.{cls.binding.table}" for cls in KINDS.values() if cls.binding.insert_only)
_REFERRED = {
    f"public.{column.reference.table}"
    for cls in KINDS.values()
    for column in cls.binding.columns.values()
    if column.reference is not None and column.reference.kind is None
}
# Rights that we need on the panel's tables, where they exist: keys, one trigger, and the views' reading.
ON_PANEL: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(sorted(_REFERRED), ("REFERENCES",)),
    **dict.fromkeys(_FOREIGN, ("REFERENCES", "TRIGGER", "SELECT")),
}


def missing(conn: psycopg.Connection) -> list[str]:
    """The statements that a superuser or the tables' owner has to run first; empty when all is there."""
    me = sql.Identifier(_one(conn, "SELECT current_user"))
    found = [*_missing_on_database(conn, me), *_missing_groups(conn), *_missing_on_panel(conn, me)]
    return [f"{statement.as_string(conn)};" for statement in found]


def missing_groups(conn: psycopg.Connection) -> list[str]:
    """The statements that make groups which are not there and which this role may not make."""
    return [f"{statement.as_string(conn)};" for statement in _missing_groups(conn)]


def _missing_on_database(conn: psycopg.Connection, me: sql.Identifier) -> Iterator[sql.Composed]:
    has_schema = _one(conn, "SELECT to_regnamespace('skypanel') IS NOT NULL")
    if not has_schema and not _one(conn, "SELECT has_database_privilege(current_database(), 'CREATE')"):
        database = sql.Identifier(_one(conn, "SELECT current_database()"))
        yield sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(database, me)
    if not _one(conn, "SELECT has_schema_privilege('public', 'CREATE')"):
        yield sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(me)


def _missing_groups(conn: psycopg.Connection) -> Iterator[sql.Composed]:
    if _one(conn, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"):
        return
    for group in GROUPS:
        if not _one(conn, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)", group):
            yield sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(group))


def _missing_on_panel(conn: psycopg.Connection, me: sql.Identifier) -> Iterator[sql.Composed]:
    for table, rights in ON_PANEL.items():
        if not _one(conn, "SELECT to_regclass(%s) IS NOT NULL", table):
            continue
        lacking = [sql.SQL(right) for right in rights if not _has_right(conn, table, right)]
        if lacking:
            name = sql.Identifier(*table.split("."))
            yield sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(", ").join(lacking), name, me)
    if _row_security_hides(conn):
        yield sql.SQL("ALTER ROLE {} BYPASSRLS").format(me)


def check_row_security(conn: psycopg.Connection) -> None:
    """Raises MissingPrivilegeError when the owner of our views may not see every row of the panel's that they show."""
    row = conn.execute(
        "SELECT v.relowner::regrole::text, t.relname FROM pg_class v, pg_class t, pg_roles r"
        " WHERE v.oid = to_regclass('skypanel.names') AND t.oid = ANY (SELECT to_regclass(unnest(%s::text[])))"
        " AND r.oid = v.relowner AND t.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls"
        " AND (t.relforcerowsecurity OR NOT pg_has_role(v.relowner, t.relowner, 'USAGE'))",
        [list(_FOREIGN)],
    ).fetchone()
    if row is not None:
        owner, table = row
        raise MissingPrivilegeError(
            f"row-level security hides {table} from {owner}, who owns our views:"
            f" they would look deleted. Let a superuser run: ALTER ROLE {owner} BYPASSRLS;"
        )


def check_groups(conn: psycopg.Connection) -> None:
    """Raises MissingPrivilegeError when the groups or their rights are not there, as after a restore without roles."""
    there = _one(conn, "SELECT count(*) FROM pg_roles WHERE rolname = ANY (%s)", list(GROUPS)) == len(GROUPS)
    lacking = (
        "SELECT NOT has_schema_privilege(name, 'skypanel', 'USAGE') FROM unnest(%s::text[]) AS name ORDER BY 1 DESC"
    )
    if not there or _one(conn, lacking, list(GROUPS)):
        raise MissingPrivilegeError(
            "the groups of roles, or their rights, are missing (a dump of one database has no roles):"
            " run `skypanel migrate`, which restores them, then GRANT the groups to your login roles"
        )


def _has_right(conn: psycopg.Connection, table: str, right: str) -> bool:
    return bool(_one(conn, "SELECT has_table_privilege(%s, %s)", table, right))


def _row_security_hides(conn: psycopg.Connection) -> bool:
    there = "SELECT to_regclass(%s) IS NOT NULL"
    return any(_one(conn, there, table) and _one(conn, "SELECT row_security_active(%s)", table) for table in _FOREIGN)


def _one(conn: psycopg.Connection, query: LiteralString, *values: object) -> Any:
    row = conn.execute(query, values or None).fetchone()
    return None if row is None else row[0]
