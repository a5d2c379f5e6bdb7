"""Placeholders are filled in values alone, after a document is parsed; what stands for nothing is refused."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest

from specs.kinds.source import SourceSpec
from specs.loader import SpecFilesError, load_all, load_contents
from specs.placeholders import Value, filled
from specs.yaml_text import YamlDocument, read_documents

VALUES: dict[str, Value] = {"TAG": "1.4", "N": 3, "ON": True, "SHARE": 0.5, "EVIL": "x\n---\nkind: App\n${TAG}: {a: b}"}


def data(text: str, values: Any = None) -> Any:
    (document,) = read_documents(text)
    assert isinstance(document, YamlDocument)
    return filled(document, VALUES if values is None else values).data


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("a: ${TAG}", {"a": "1.4"}),
        ("a: ${N}", {"a": 3}),
        ("a: ${ON}", {"a": True}),
        ("a: ${SHARE}", {"a": 0.5}),
        ("a: web:${TAG}-${N}-${ON}", {"a": "web:1.4-3-true"}),
        ("a: [x, ['${N}']]", {"a": ["x", [3]]}),
        ("a: $${TAG} ${TAG}", {"a": "${TAG} 1.4"}),
        ("a: $TAG $ {TAG} ${}x".replace("${}", ""), {"a": "$TAG $ {TAG} x"}),
        ("${TAG}: b", {"${TAG}": "b"}),
        ("a: ${EVIL}", {"a": VALUES["EVIL"]}),
    ],
)
def test_a_placeholder_is_its_value_and_nothing_more(text: str, made: Any) -> None:
    assert data(text) == made


def test_what_stands_for_nothing_is_refused_with_file_line_and_field() -> None:
    head = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: a, organization: acme}\n"
    text = f"{head}spec:\n  displayName: x ${{WHO}} ${{}}\n"
    with pytest.raises(SpecFilesError) as refused:
        load_contents({"a.yaml": text.encode()}, values=VALUES)
    first, second = str(refused.value).splitlines()
    assert first.startswith(
        "a.yaml:5:3: App/a: spec.displayName: ${} stands for nothing (known: EVIL, N, ON, SHARE, TAG; "
    )
    assert "${WHO} stands for nothing" in second
    assert load_contents({"a.yaml": text.encode()}).resources, "without values they are text as any other"
    with pytest.raises(SpecFilesError, match="known: none"):
        load_contents({"a.yaml": text.encode()}, values={})


def test_what_was_filled_in_is_checked_as_what_is_written() -> None:
    text = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: '${NAME}', organization: acme}\n"
    found = load_all(["-"], stdin=BytesIO(text.encode()), values={"NAME": "shop"})
    assert found.resources[0].resource.metadata.name == "shop"
    with pytest.raises(SpecFilesError, match=r"3:12: App/A b: metadata\.name: "):
        load_all(["-"], stdin=BytesIO(text.encode()), values={"NAME": "A b"})


@pytest.mark.parametrize(
    "values", [{"a b": "x"}, {"1": "x"}, {"A": "x" * 1025}, {"A": ["x"]}, {"A": None}, {f"A{n}": 1 for n in range(101)}]
)
def test_what_no_source_may_say_is_refused(values: Any) -> None:
    with pytest.raises(ValueError, match=r"value|valid|at most|too long"):
        SourceSpec.model_validate({"repository": "https://a.b/c", "values": values})


def test_a_value_keeps_its_type() -> None:
    spec = SourceSpec.model_validate({"repository": "https://a.b/c", "values": {"A": 1, "B": True, "C": "1", "D": 0.5}})
    assert spec.model_dump(mode="json")["values"] == {"A": 1, "B": True, "C": "1", "D": 0.5}
    assert [type(value) for value in (spec.values or {}).values()] == [int, bool, str, float]
