"""Every line that a real controller logs within a reconcile says of which one it is."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import psycopg

from tests.e2e.world import eventually
from tests.observe.conftest import Seen

_BLOCKED = """
    SELECT count(pg_terminate_backend(pid)) AS ended FROM pg_stat_activity
    WHERE datname = current_database() AND usename = 'controller' AND wait_event_type = 'Lock'
      AND query NOT LIKE '%change_log%' -- the look at the log, which belongs to no reconcile, waits too
"""


def lines(seen: Seen) -> list[dict[str, Any]]:
    whole = seen.controller.text().rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]


def within(seen: Seen) -> list[dict[str, Any]]:
    return [line for line in lines(seen) if "reconcile_id" in line]


def test_each_reconcile_ends_with_one_line_that_has_its_result_and_its_seconds(seen: Seen) -> None:
    ended = Counter(line["reconcile_id"] for line in within(seen) if line["event"] == "reconcile.done")

    assert len(ended) > 3
    assert set(ended.values()) == {1}
    for line in within(seen):
        if line["event"] == "reconcile.done":
            assert line["level"] == "debug"
            assert line["result"]
            assert 0 < line["seconds"] < 60


def test_every_line_of_a_reconcile_has_its_id_key_generation_and_epoch(seen: Seen) -> None:
    epoch = seen.world.root("SELECT epoch FROM skypanel.lease")[0]["epoch"]
    for line in within(seen):
        assert line["key"].partition("/")[0] in ("organization", "environment")
        assert line["epoch"] == epoch
        assert "generation" in line
    made = [line for line in within(seen) if line["event"] == "object.changed"]
    assert {line["generation"] for line in made} >= {1}
    for line in lines(seen):
        if line["event"].startswith(("reconcile.", "object.")):
            assert line["reconcile_id"], "outside of a reconcile"


def test_a_line_of_the_store_within_a_reconcile_belongs_to_it_too(seen: Seen) -> None:
    key = f"environment/{seen.environment}"

    def lost() -> list[str]:
        return [line["reconcile_id"] for line in within(seen) if (line["event"], line["key"]) == ("database.lost", key)]

    with psycopg.connect(seen.world.server.dsn_for("postgres", seen.world.database)) as blocker:
        blocker.execute("LOCK TABLE paas_environments IN ACCESS EXCLUSIVE MODE")
        seen.world.change_by_hand(seen.service, lambda spec: spec["Labels"].pop("io.skypanel.process"))
        # The organization may wait for the table before the environment does.
        eventually(lambda: seen.world.root(_BLOCKED) and lost(), what="the look at the row waits, and is cut off")

    def failed() -> list[dict[str, Any]]:
        known = [line for line in within(seen) if line["reconcile_id"] == lost()[0]]
        return known if known[-1]["event"] == "reconcile.done" else []

    found = eventually(failed, what="the reconcile that lost the database ends")
    assert {"database.lost", "reconcile.failed", "reconcile.done"} <= {line["event"] for line in found}
    assert {line["key"] for line in found} == {key}
    assert found[-1]["result"] == "transient_error"
    eventually(
        lambda: "io.skypanel.process" in seen.world.services()[seen.service]["Spec"]["Labels"],
        what="it is repaired when the database is back",
    )
