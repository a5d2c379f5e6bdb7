"""A first spec from what a repository has."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.actions.beginning import begin, write
from controller.actions.errors import ActionError
from specs.beginning import app_json, dockerfile, procfile
from specs.beginning.found import Found
from specs.beginning.spec import Wanted, documents, slug
from specs.dump import dump_documents
from specs.loader import FileProblem, read_resources

IMAGE = "registry.example.com/acme/shop:1"
WANTED = Wanted("acme", "shop", "production", IMAGE)


def test_each_line_of_a_procfile_is_a_process() -> None:
    found = procfile.read("web: serve --workers 4\n# no\n\nworker : run 'a b'\nrelease: migrate && seed\n", "Procfile")
    made = {each["metadata"]["name"]: each.get("spec", {}) for each in documents(found, WANTED)[2:]}
    assert made == {
        "web": {"command": ["serve", "--workers", "4"], "port": 8080},
        "worker": {"command": ["run", "a b"]},
        "release": {"command": ["sh", "-c", "migrate && seed"]},
    }


def test_what_is_no_line_of_a_procfile_is_told_with_its_line() -> None:
    found = procfile.read("web: x\nno line\nclock-1: x\nweb2 x\n", "Procfile")
    assert [str(note).partition(": ")[0] for note in found.notes] == ["Procfile:2", "Procfile:3", "Procfile:4"]
    assert found.processes == {"web": "x"}


def test_the_last_stage_of_a_dockerfile_says_the_port() -> None:
    text = "FROM a\nEXPOSE 1\nENTRYPOINT x\nFROM b\nRUN a \\\n  # why\n  EXPOSE 7\nEXPOSE 8000/tcp 9000\nVOLUME /data\n"
    found = dockerfile.read(text, "Dockerfile")
    assert (found.port, found.entry_point) == (8000, False)
    assert [str(note).partition(": ")[0] for note in found.notes] == ["Dockerfile:9", "Dockerfile"]
    assert dockerfile.read("FROM a\nEXPOSE $PORT\nENTRYPOINT x", "Dockerfile").port is None


def test_an_app_json_says_numbers_and_checks_and_its_values_are_never_written() -> None:
    text = """{"name": "My Shop", "env": {"KEY": {"value": "hunter2"}}, "addons": ["x"], "cron": [{"command": "x"}],
      "formation": {"web": {"quantity": 3, "size": "basic"}, "bad": {"quantity": "many"}},
      "healthchecks": {"web": [{"type": "startup", "path": "/up"}]}, "scripts": {"dokku": {"predeploy": "x"}}}"""
    found = app_json.read(text, "app.json", "acme/my-shop/production")
    assert (found.name, found.replicas, found.checks) == ("My Shop", {"web": 3}, {"web": "/up"})
    told = "\n".join(map(str, found.notes))
    assert "hunter2" not in told
    assert "config import acme/my-shop/production" in told
    for part in ("env:", "addons", "cron", "formation.bad", "formation.web.size", "scripts.predeploy"):
        assert part in told
    for wrong in ("[]", "{", "7"):
        with pytest.raises(ValueError):  # noqa: PT011 - JSON's own
            app_json.read(wrong, "app.json", "x")


def test_a_repository_becomes_a_file_that_validates(tmp_path: Path) -> None:
    folder = tmp_path / "My_Shop"
    folder.mkdir()
    (folder / "Procfile").write_text("web: serve --port $PORT\n")
    (folder / "Dockerfile").write_text("FROM a\nEXPOSE 3000\nENTRYPOINT x\n")
    (folder / "compose.yaml").write_text("services: {}\n")
    wanted = Wanted("acme", "", "production", IMAGE, "small", "Shop.example.com.")
    made = begin(folder, wanted, (), schemas="https://api.example.com/schemas/skypanel.json")
    assert (made.app, made.read) == ("my-shop", ["Procfile", "Dockerfile"])
    assert "# yaml-language-server: $schema=https://api.example.com/schemas/skypanel.json\n" in made.text
    assert "name: shop.example.com" in made.text
    told = "\n".join(map(str, made.notes))
    assert "ENTRYPOINT is not run" in told
    assert "skypanel import compose" in told
    write(folder / "skypanel.yaml", made.text)
    with pytest.raises(ActionError, match="is there already"):
        write(folder / "skypanel.yaml", "x")
    assert (folder / "skypanel.yaml").read_text() == made.text


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    largest = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, largest[1]))
    try:
        with pytest.raises(ActionError, match="cannot be written: File too large"):
            write(tmp_path / "skypanel.yaml", "x" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, largest)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnicodeEncodeError):
        write(tmp_path / "skypanel.yaml", "half of it \udc80")
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "skypanel.yaml", "whole")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("skypanel.yaml", "whole")]
    with pytest.raises(ActionError, match="cannot be written"):
        write(tmp_path / "none" / "skypanel.yaml", "x")


def test_an_image_alone_is_a_spec(tmp_path: Path) -> None:
    made = begin(tmp_path, WANTED, ())
    assert "image: " + IMAGE in made.text
    assert "kind: Process" not in made.text


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("Acme", "shop", "production", IMAGE), "--organization"),
        (Wanted("acme", "Shop!", "production", IMAGE), "--app"),
        (Wanted("acme", "shop", "production", IMAGE, "", "localhost"), "--domain"),
        (Wanted("acme", "shop", "production", "not an image"), "spec.image"),
        (Wanted("acme", "shop", "production", IMAGE, "No Plan"), "spec.plan"),
    ],
)
def test_a_name_that_is_none_is_refused(tmp_path: Path, wanted: Wanted, said: str) -> None:
    with pytest.raises(ActionError, match=said):
        begin(tmp_path, wanted, ())


def test_a_folder_or_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="is no folder"):
        begin(tmp_path / "none", WANTED, ())
    for content in (b"{", b"[" * 100_000, b"7"):
        (tmp_path / "app.json").write_bytes(content)
        with pytest.raises(ActionError, match=r"app\.json is no JSON"):
            begin(tmp_path, WANTED, ())
    for content in (b"\xff", b"x" * ((1 << 20) + 1)):
        (tmp_path / "app.json").write_bytes(content)
        with pytest.raises(ActionError, match=r"cannot be read as text|is larger than"):
            begin(tmp_path, WANTED, ())


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_the_files_are_what_is_written_is_taken(lines: str, steps: str) -> None:
    for text in (lines, f"web: {lines}"):
        found = procfile.read(text, "Procfile").beside(dockerfile.read(f"EXPOSE {steps}", "Dockerfile"))
        read = list(read_resources(dump_documents(documents(found, WANTED)), "x"))
        assert [each for each in read if isinstance(each, FileProblem)] == []


@given(st.text(max_size=100))
def test_a_name_is_made_of_any_text_or_none(text: str) -> None:
    assert all(letter.isascii() and (letter.isalnum() or letter == "-") for letter in slug(text))
    assert not slug(text).startswith("-")
    assert len(slug(text)) <= 63


def test_what_one_file_says_another_does_not_take_back() -> None:
    both = Found("a", {"web": "x"}, {"web": 2}, None).beside(Found("b", {"web": "y", "w": "z"}, {"web": 3}, 80))
    assert both == Found("a", {"web": "x", "w": "z"}, {"web": 2}, 80)


def test_a_note_is_one_line_whatever_a_file_has() -> None:
    found = app_json.read(
        '{"formation": {"web\\nnext: rm": {"quantity": -1}}, "env": {"A\\r\\nB": "x"}}', "app.json", "x"
    )
    assert len(found.notes) == 2
    assert not any("\n" in str(note) or "\r" in str(note) for note in found.notes)
