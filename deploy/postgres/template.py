"""A template database with all migrations, from which tests copy theirs in tens of milliseconds."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from controller.schema import migrate

if TYPE_CHECKING:
    from deploy.postgres.server import Server

PREFIX = "skypanel_template_"


def migrated_template(server: Server, conn: psycopg.Connection) -> str:
    """The template's name; it is made when the migrations have changed. The caller holds the server's lock.

    Args:
        server: where.
        conn: a superuser's autocommit connection to it.
    """
    content = "".join(step.checksum for step in migrate.load()) + migrate.grants()
    name = PREFIX + hashlib.sha256(content.encode()).hexdigest()[:12]
    found = conn.execute("SELECT datname, datistemplate FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
    templates: dict[str, bool] = dict(found.fetchall())
    if templates.get(name):
        return name
    for stale in templates:  # of older migrations, or one that a crash left half made
        conn.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(stale)))
        server.drop_database(stale)
    with psycopg.connect(server.create_empty_database(name), autocommit=True) as owner:
        migrate.apply(owner)
    conn.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE true ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
    return name
