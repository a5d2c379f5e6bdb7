"""The report of one object among many reads by index: its plan is made once, before its parameters are known."""

from __future__ import annotations

import pytest

from controller.postgres.statements import fenced
from controller.store.loading import consume_statement
from reconcilers.registry import programs
from tests.store.conftest import Database

TYPES = {
    "lease": "text",
    "holder": "text",
    "epoch": "bigint",
    "statuses": "jsonb",
    "rest": "jsonb",
    "ended": "uuid[]",
    "events": "jsonb",
    "inventory": "jsonb",
}


def test_a_report_looks_its_statuses_and_parts_up(database: Database) -> None:
    database.execute(
        "INSERT INTO skypanel.object_status"
        " (kind, id, observed_generation, ready, reason, message, epoch, parent_kind, parent_id)"
        " SELECT 'process', gen_random_uuid(), 1, true, 'x', 'y', 1, 'environment', gen_random_uuid()"
        " FROM generate_series(1, 20000)"
    )
    database.execute("ANALYZE skypanel.object_status")
    query = fenced("store/loop/report")
    for number, name in enumerate(TYPES, 1):
        query = query.replace(f"%({name})s", f"${number}")
    owner = database.session("skypanel_owner")
    owner.execute("SET plan_cache_mode = force_generic_plan")
    owner.execute(f"PREPARE said({', '.join(TYPES.values())}) AS {query}".encode())
    values = "'x', 'x', 1, '[]', '[]', '{00000000-0000-0000-0000-000000000000}', '[]', '[]'"
    rows = owner.execute(f"EXPLAIN EXECUTE said({values})".encode()).fetchall()
    plan = "\n".join(line for (line,) in rows)
    assert "object_status_parent_id" in plan
    assert "Seq Scan on object_status" not in plan, plan


@pytest.mark.parametrize("name", ["report", "intend", "consume"])
def test_what_each_reconcile_says_is_short_enough_for_the_driver_to_remember_its_parameters(name: str) -> None:
    text = consume_statement(programs()) if name == "consume" else fenced(f"store/loop/{name}")
    assert len(text) <= 4096
