"""Fixtures of the suites that run the same steps on a simulated part and on the real one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from psycopg import sql

from deploy.postgres import Server
from tests.conformance.store_postgresql import postgresql
from tests.conformance.store_simulated import simulated
from tests.conformance.store_world import StoreWorld
from tests.store.conftest import PREFIX, Database

_WRITTEN = (
    *(("public", name) for name in ("users", "organizations")),
    *(("public", name) for name in ("caas_image_reports", "caas_image_verdicts", "paas_image_facts")),
    *(
        ("public", f"paas_{name}")
        for name in ("organizations", "apps", "environments", "processes", "domains", "releases")
    ),
    *(
        ("skypanel", name)
        for name in (
            "change_log",
            "config_vars",
            "config_history",
            "data_keys",
            "lease",
            "inventory",
            "object_status",
            "events",
            "subnets",
            "fuse",
            "fuse_losses",
            "identity",
            "tombstones",
            "reconcile_controls",
        )
    ),
)
ONE_DATABASE = f"{PREFIX}{os.getpid()}_conformance"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def conformance_database(postgres: Server) -> Iterator[Database]:
    """One database for all tests of the store."""
    postgres.create_database(ONE_DATABASE)
    database = Database(postgres, ONE_DATABASE)
    yield database
    database.close()
    postgres.drop_database(ONE_DATABASE)


@pytest.fixture
def real_store_world(conformance_database: Database) -> Iterator[StoreWorld]:
    """An empty database on PostgreSQL."""
    yield postgresql(conformance_database)
    connection = conformance_database.session("postgres")
    with connection.transaction():  # a table at a time, without triggers: TRUNCATE takes 20 times as long
        connection.execute("SET LOCAL session_replication_role = replica")
        for table in _WRITTEN:
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)))


@pytest.fixture(params=["simulated", "postgresql"])
def store_world(request: pytest.FixtureRequest) -> StoreWorld:
    """An empty database, of each sort."""
    if request.param == "simulated":
        return simulated()
    world: StoreWorld = request.getfixturevalue("real_store_world")
    return world
