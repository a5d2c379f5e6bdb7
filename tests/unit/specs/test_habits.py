"""Fields of other tools are answered by what to write here."""

from __future__ import annotations

import pytest

from specs.habits import known, of_field
from specs.kinds import KINDS
from specs.problems import InvalidSpec
from tests.unit.specs.test_resources import build

FIELDS = {
    field.alias or name
    for cls in KINDS.values()
    for part in ("spec", "metadata")
    for name, field in cls.model_fields[part].annotation.model_fields.items()  # type: ignore[union-attr]
}


@pytest.mark.parametrize(
    ("field", "said"),
    [
        (
            "env",
            "is not a field here (variables and secrets are set with `skypanel config set PATH NAME`, never in a file)",
        ),
        ("volumes", "volumes are not supported yet"),
        ("ports", "write `port: 8080`"),
        ("instances", "did you mean replicas?"),
        ("mem_limit", "did you mean memory?"),
        ("depends_on", "apps start in any order"),
    ],
)
def test_a_field_of_another_tool_is_answered_by_what_to_write_here(field: str, said: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        build("Environment", spec={"image": "a", field: 1})
    assert said in str(refused.value)


def test_a_namespace_is_no_name() -> None:
    with pytest.raises(InvalidSpec, match=r"metadata.namespace: is not a field here \(an object is named by"):
        build("App", namespace="x")


def test_a_field_is_proposed_only_where_there_is_one() -> None:
    assert of_field("instances", ["replicas"]) == "did you mean replicas?"
    assert of_field("instances", ["image"]) is None


def test_every_proposed_field_exists() -> None:
    check = {"command", "startPeriod"}  # of a health check
    assert {name for names in known()["same"].values() for name in names} <= FIELDS | check
