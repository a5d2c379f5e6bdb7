"""What is shipped beside the code: JSON Schemas and examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from specs import schema_export
from specs.kinds import KINDS
from specs.loader import load

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "specs.md"
EXAMPLES = Path(schema_export.__file__).parent / "examples"


def test_the_json_schemas_are_current() -> None:
    assert schema_export.main(["--check"]) == 0


def test_a_stale_schema_is_named_and_then_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema_export, "FOLDER", tmp_path)
    (tmp_path / "gone.json").write_text("{}")
    assert schema_export.main(["--check"]) == 1
    assert "gone.json is not current" in capsys.readouterr().err
    assert schema_export.main([]) == 0
    assert schema_export.main(["--check"]) == 0


def test_every_field_has_a_description_that_an_editor_can_show() -> None:
    for kind in KINDS:
        schema = json.loads((schema_export.FOLDER / f"{kind.lower()}.json").read_text())
        for name, part in schema["$defs"].items():
            for field, rule in part["properties"].items():
                assert rule.get("description"), f"{name}.{field}"


def test_the_reference_describes_every_field() -> None:
    text = REFERENCE.read_text()
    for kind in KINDS:
        schema = json.loads((schema_export.FOLDER / f"{kind.lower()}.json").read_text())
        section = text.partition(f"\n## {kind}\n")[2].partition("\n## ")[0]
        for name in schema["$defs"][f"{kind}Spec"]["properties"]:
            assert f"`{name}`" in section, f"{kind}.{name}"


def test_the_examples_can_be_loaded_and_every_owner_is_among_them() -> None:
    keys = {entry.resource.key.path for entry in load([EXAMPLES])}
    for entry in load([EXAMPLES]):
        owners = tuple(entry.resource.metadata.parents.values())
        assert all(owners[: depth + 1] in keys for depth in range(len(owners)))


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.yaml")), ids=lambda file: str(file.name))
def test_an_example_says_what_it_shows_and_names_its_schema(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert "# yaml-language-server: $schema=../schema/skypanel.json" in lines[:4]
