"""Whatever a resource says survives the way into rows and back, and into YAML and back."""

from __future__ import annotations

from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from specs.binding import from_rows, to_rows
from specs.dump import dump_yaml
from specs.kinds import KINDS
from specs.loader import load
from specs.problems import InvalidSpec
from specs.resource import Resource
from tests.unit.specs.strategies import resources, specs


def as_stored(value: Any) -> Any:
    """A value as the database gives it back: numbers to their column's scale."""
    return value.quantize(Decimal("0.000001")) if isinstance(value, Decimal) else value


def test_every_spec_field_has_a_column_and_a_strategy() -> None:
    for kind, cls in KINDS.items():
        spec: Any = cls.model_fields["spec"].annotation
        bound = set(cls.binding.columns)
        for attached in cls.binding.attached:
            bound |= set(attached.columns)
        assert bound == set(spec.model_fields) == set(specs[kind])


@given(resources())
def test_a_resource_comes_back_from_its_rows_as_it_was(resource: Resource) -> None:
    rows = {table: {name: as_stored(value) for name, value in row.items()} for table, row in to_rows(resource).items()}
    again = from_rows(type(resource), resource.metadata.parents, rows)
    assert to_rows(again) == to_rows(resource)
    if getattr(resource.spec, "display_name", "") is not None:
        assert again == resource


filed = resources().filter(lambda resource: not resource.facts.once)


@given(st.lists(filed, min_size=1, max_size=3, unique_by=lambda resource: resource.key))
def test_resources_come_back_from_yaml_as_they_were(written: list[Resource]) -> None:
    text = dump_yaml(written)
    assert [entry.resource for entry in load(["-"], stdin=BytesIO(text.encode()))] == written


def test_a_name_for_people_that_is_left_out_is_stored_as_the_name() -> None:
    app = KINDS["App"].from_fields({"metadata": {"name": "shop", "organization": "acme"}, "spec": {}})
    assert to_rows(app)["paas_apps"]["name"] == "shop"


def test_an_organization_is_written_to_the_panels_tables_only_when_it_is_inserted() -> None:
    binding = KINDS["Organization"].binding
    assert binding.insert_only
    assert {table.table: table.insert_only for table in binding.attached} == {
        "organization_members": True,
        "paas_organizations": False,
    }
    assert binding.deleted_in == "paas_organizations"


def test_a_health_check_is_stored_as_seconds() -> None:
    fields = {
        "metadata": {"name": "web", "environment": "production", "app": "shop", "organization": "acme"},
        "spec": {"healthcheck": {"command": ["true"], "interval": "1m30s", "timeout": "500ms"}},
    }
    assert to_rows(KINDS["Process"].from_fields(fields))["paas_processes"]["healthcheck"] == {
        "command": ["true"],
        "interval_seconds": 90,
        "timeout_seconds": 0.5,
        "retries": 3,
        "start_period_seconds": 0,
    }


@pytest.mark.parametrize("text", ["no", "on", "null", "~", "012", "1:30", "2024-01-01", "- a", "a: b", "#x", "<<", "="])
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    app = KINDS["App"].from_fields(
        {"metadata": {"name": "shop", "organization": "acme"}, "spec": {"display_name": text}}
    )
    (entry,) = load(["-"], stdin=BytesIO(dump_yaml([app]).encode()))
    assert entry.resource == app


def test_a_health_check_that_is_turned_off_has_a_form_of_its_own_in_files_and_rows() -> None:
    fields = {"metadata": {"name": "production", "app": "shop", "organization": "acme"}}
    spec = {"image": "web:1", "healthcheck": "none", "init": False}
    environment = KINDS["Environment"].from_fields({**fields, "spec": spec})
    assert to_rows(environment)["paas_environments"]["healthcheck"] == {"disabled": True}
    assert environment.document()["spec"]["healthcheck"] == "none"
    assert (
        to_rows(KINDS["Environment"].from_fields({**fields, "spec": {"image": "web:1"}}))["paas_environments"][
            "healthcheck"
        ]
        is None
    )


@pytest.mark.parametrize(
    "document", [[], "x", 5, {"interval_seconds": 1e300}, {"timeout_seconds": -1}, {"disabled": 1}]
)
def test_a_health_check_that_is_none_in_a_row_is_a_problem_of_its_field(document: Any) -> None:
    """And no error that hides every other row."""
    names = {"organization": "acme", "app": "shop", "environment": "production"}
    rows = to_rows(KINDS["Process"].from_fields({"metadata": {**names, "name": "web"}, "spec": {}}))
    rows["paas_processes"]["healthcheck"] = document
    with pytest.raises(ValidationError) as raised:
        from_rows(KINDS["Process"], names, rows)
    assert "healthcheck" in str(InvalidSpec.of(raised.value))
