"""What is exported declares the same again, whatever it is."""

from __future__ import annotations

from random import Random

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.actions.export import Exported, export
from controller.actions.objects import question, reads
from controller.declared import writer
from specs.dump import dump_yaml
from specs.loader import Located, read_resources
from specs.resource import Resource
from tests.store.conftest import Database
from tests.unit.specs.strategies import platforms

each = settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def all_of(conn: psycopg.Connection) -> Exported:
    found = question("all", None, (), everything=False)(reads(conn))
    return export(entry for entries in found.values() for entry in entries)


def files(text: str) -> list[Located]:
    found = list(read_resources(text, "export.yaml"))
    assert all(isinstance(entry, Located) for entry in found), found
    return [entry for entry in found if isinstance(entry, Located)]


@pytest.mark.long
@each
@given(declared=platforms(), order=st.randoms(use_true_random=False))
def test_an_export_changes_nothing_where_it_is_from_and_makes_the_same_elsewhere(
    declared: list[Resource], order: Random, database: Database
) -> None:
    email = "INSERT INTO users (email, password_hash, name) VALUES ('ops@acme.example', 'x', '') ON CONFLICT DO NOTHING"
    order.shuffle(declared)
    with database.connect("panel") as conn:
        conn.execute(email)
        with conn.transaction(force_rollback=True):
            writer.apply(conn, files(dump_yaml(declared)))
            exported = all_of(conn)
            text = dump_yaml(exported.resources)
            assert not exported.left_out
            assert len(exported.resources) == len(declared)
            assert {written.action for written in writer.apply(conn, files(text))} == {"unchanged"}
        assert not all_of(conn).resources, "nothing is declared any more"
        with conn.transaction(force_rollback=True):
            assert {written.action for written in writer.apply(conn, files(text))} == {"created"}
            assert dump_yaml(all_of(conn).resources) == text
