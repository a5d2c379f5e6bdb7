"""``import compose``: what is written where, what is said, and what is not."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from controller.cli import main
from tests.docs.blocks import blocks
from tests.docs.session import follow

COMPOSE = "services:\n  web:\n    image: web:${TAG-1}\n    privileged: true\n"


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TAG", raising=False)
    Path("compose.yaml").write_text(COMPOSE)


def run(*arguments: str, code: int = 0) -> None:
    assert main(["import", "compose", *arguments]) == code


def test_the_page_shows_what_is_typed_and_answered(tmp_path: Path) -> None:
    page = blocks("docs/compose.md", "Example")
    (tmp_path / "compose.yaml").write_text(next(block.text for block in page if block.language == "text"))
    follow(page, tmp_path)


def test_the_spec_file_is_on_standard_output_and_the_list_on_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    run("compose.yaml", "-n", "acme")
    said = capsys.readouterr()
    assert said.out.startswith("# Made of Compose files.")
    assert "kind: Environment" in said.out
    assert "note: compose.yaml:4:5: web: privileged: no container gets more rights" in said.err
    assert said.err.endswith("written: 1 service; 1 thing to look at\n")


def test_what_is_written_to_a_file_is_valid(capsys: pytest.CaptureFixture[str]) -> None:
    run("compose.yaml", "-n", "acme", "-o", "out.yaml")
    assert capsys.readouterr().out == ""
    assert main(["validate", "out.yaml"]) == 0


@pytest.mark.parametrize("where", ["environment", "file", "dotenv"])
def test_variables_come_from_the_environment_then_from_files(
    where: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(".env").write_text("TAG=dotenv\n")
    Path("other.env").write_text("TAG=file\n")
    if where == "environment":
        monkeypatch.setenv("TAG", "environment")
    run("compose.yaml", "-n", "acme", *(["--env-file", "other.env"] if where == "file" else []))
    assert f"image: web:{where}\n" in capsys.readouterr().out


def test_files_that_are_named_in_files_are_found_beside_them(capsys: pytest.CaptureFixture[str]) -> None:
    Path("below").mkdir()
    Path("below/base.yaml").write_text("services: {base: {image: x, command: [a]}}")
    Path("below/compose.yaml").write_text("services: {web: {extends: {service: base, file: base.yaml}}}")
    run("below/compose.yaml", "-n", "acme")
    assert "image: x\n" in capsys.readouterr().out


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"services: {web: {image: x}}")))
    run("-", "-n", "acme")
    assert capsys.readouterr().err == "written: 1 service\n"


WRONG = {
    ("compose.yaml", "-n", "Acme"): '--organization: "Acme" is not a name',
    ("compose.yaml", "-n", "acme", "--app", "a_b"): '--app: "a_b" is not a name',
    ("compose.yaml", "-n", "acme", "--image", "web"): "--image: web is not SERVICE=IMAGE",
    ("compose.yaml", "-n", "acme", "--image", "we=x"): "--image: there is no service we",
    ("compose.yaml", "-n", "acme", "-o", "./compose.yaml"): "is one of the files that are read",
    ("compose.yaml", "-n", "acme", "-o", "no/folder"): "cannot be written",
    ("compose.yaml", "-n", "acme", "--env-file", "none"): "--env-file: none is not a readable file",
    ("none.yaml", "-n", "acme"): "none.yaml: cannot be read",
    (".", "-n", "acme"): ". is a folder",
    ("wrong.yaml", "-n", "acme", "-o", "out.yaml"): "wrong.yaml:1:12: services.web: is no mapping",
    ("loop.yaml", "-n", "acme"): "extends: cannot be followed: gone.yaml: cannot be read",
}


@pytest.mark.parametrize("arguments", WRONG, ids=" ".join)
def test_what_is_wrong_is_said_and_nothing_is_written(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("wrong.yaml").write_text("services: {web: 5}")
    Path("loop.yaml").write_text("services: {web: {extends: {service: a, file: gone.yaml}}}")
    run(*arguments, code=1)
    said = capsys.readouterr()
    assert said.out == ""
    assert WRONG[arguments] in said.err
    assert not Path("out.yaml").exists()
    assert Path("compose.yaml").read_text() == COMPOSE


def test_a_compose_file_among_spec_files_is_told_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "compose.yaml"]) == 1
    assert "is a Compose file (`skypanel import compose FILE` makes a spec file of it)" in capsys.readouterr().err
