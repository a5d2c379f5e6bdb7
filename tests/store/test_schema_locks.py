"""Two writers at once: what each locks first."""

from __future__ import annotations

import threading
from typing import LiteralString

import psycopg
import pytest

from tests.store.conftest import Database, Tenant


def waits(database: Database, pid: int) -> bool:
    return bool(database.one("SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)", pid))


@pytest.mark.parametrize(
    "first",
    [
        "UPDATE paas_domains SET updated_at = now()",
        "UPDATE paas_domains SET hostname = hostname",
        "UPDATE paas_domains SET process_type = 'api'",
    ],
    ids=["nothing of the spec", "nothing at all", "the spec"],
)
def test_a_changed_domain_and_the_deletion_of_its_environment_do_not_deadlock(
    database: Database, tenant: Tenant, first: LiteralString
) -> None:
    database.execute(
        "INSERT INTO paas_domains (environment_id, hostname) VALUES (%s, 'a.example')", tenant.environment, role="panel"
    )
    failed: list[psycopg.Error] = []
    with database.connect("panel") as one, database.connect("panel") as other:

        def delete() -> None:
            try:
                other.execute("UPDATE paas_environments SET deleted_at = now()")
            except psycopg.Error as error:
                failed.append(error)

        deleting = threading.Thread(target=delete)
        with one.transaction():
            one.execute(first)
            deleting.start()
            while not waits(database, other.info.backend_pid):
                assert deleting.is_alive()
            one.execute("UPDATE paas_domains SET process_type = 'worker'")
        deleting.join()
    assert failed == []
    assert database.execute("SELECT process_type, deleted_at IS NOT NULL FROM paas_domains") == [("worker", True)]


def test_a_process_is_not_changed_between_the_reading_and_the_writing_of_its_environment(
    database: Database, tenant: Tenant
) -> None:
    """Whoever changes a child has its environment, whatever he changes."""
    database.execute(
        "INSERT INTO paas_processes (environment_id, type) VALUES (%s, 'web')", tenant.environment, role="panel"
    )
    with database.connect("panel") as one, one.transaction():
        one.execute("UPDATE paas_processes SET updated_at = now()")
        with database.connect("panel") as other, pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("SELECT FROM paas_environments FOR NO KEY UPDATE NOWAIT")
