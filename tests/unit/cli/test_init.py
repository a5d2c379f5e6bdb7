"""``init``, and schemas for editors: what they write, and that nothing is written over."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from controller.cli import main
from specs.schema_export import schemas


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "Procfile").write_text("web: serve\nclock-1: x\n")
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_repository_gets_its_first_spec_and_keeps_the_one_it_has(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    typed = ["init", str(shop), "-n", "acme", "--image", "registry.example.com/acme/shop:1"]
    assert main(typed) == 0
    shown = capsys.readouterr()
    assert "app acme/shop from Procfile" in shown.out
    assert "Procfile:2: clock-1" in shown.err
    file = shop / "skypanel.yaml"
    assert main(["validate", "-f", str(file)]) == 0
    file.write_text("mine")
    assert main(typed) == 1
    assert "is there already" in capsys.readouterr().err
    assert file.read_text() == "mine"
    assert main([*typed, "-o", "-"]) == 0
    assert "kind: Process" in capsys.readouterr().out


def test_without_an_image_it_says_what_to_do(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(shop), "-n", "acme"]) == 1
    assert "which image does it run? (build it, push it to a registry" in capsys.readouterr().err
    assert not (shop / "skypanel.yaml").exists()


def test_the_schemas_are_written_beside_each_other(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    into = shop / "deep" / "schema"
    assert main(["schema", "all", "--into", str(into)]) == 0
    assert {file.name: json.loads(file.read_text()) for file in into.iterdir()} == schemas()
    assert main(["schema", "env", "--into", str(into)]) == 0
    capsys.readouterr()
    assert main(["schema", "env", "--into", str(shop / "Procfile")]) == 1
    assert "cannot be written" in capsys.readouterr().err
