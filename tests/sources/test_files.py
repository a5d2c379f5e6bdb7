"""Which files of a commit or a folder are read, and what is refused before any of them is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controller.sources import files
from controller.sources.declaring import read
from controller.sources.fetching import Repositories
from controller.sources.files import digest_of, of_commit, of_folder
from reconcilers.sources import SourceError
from specs.loader import FILE_LIMIT_BYTES
from tests.git_server import GitServer
from tests.sources.conftest import Fetch, source

APP = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: shop, organization: acme}\nspec: {}\n"


def refusal(server: GitServer, fetch: Fetch, repositories: Repositories, path: str = ".") -> SourceError:
    with pytest.raises(SourceError) as found:
        of_commit(repositories.place(source(server.url)), fetch(), path)
    assert found.value.reason == "FilesRefused"
    return found.value


def test_a_symbolic_link_is_refused(server: GitServer, fetch: Fetch, repositories: Repositories) -> None:
    (server.work / "out.yaml").symlink_to("/etc/passwd")
    (server.work / "folder").symlink_to("/etc")
    server.commit({"web.yaml": APP})
    error = refusal(server, fetch, repositories)
    assert len(error.problems) == 2
    assert "out.yaml: is a symbolic link" in str(error.problems)
    assert "leads out" in refusal(server, fetch, repositories, "folder").message


def test_a_submodule_is_refused(server: GitServer, fetch: Fetch, repositories: Repositories) -> None:
    server.commit({"web.yaml": APP})
    server.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},inner")
    server.git("commit", "-q", "-m", "a submodule")
    server.push()
    assert "inner: is a submodule" in refusal(server, fetch, repositories).message


def test_an_empty_folder_declares_nothing_and_is_refused(
    server: GitServer, fetch: Fetch, repositories: Repositories
) -> None:
    server.commit({"README.md": "x"})
    assert "has no YAML files" in refusal(server, fetch, repositories).message
    assert "has no YAML files" in refusal(server, fetch, repositories, "absent").message


def test_a_file_that_is_too_large_and_too_many_are_refused(
    server: GitServer, fetch: Fetch, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit({"web.yaml": APP, "large.yaml": "#" * (FILE_LIMIT_BYTES + 1)})
    assert "large.yaml: is larger than 1024 KiB" in refusal(server, fetch, repositories).message
    server.commit({"large.yaml": APP})
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    assert "MiB together" in refusal(server, fetch, repositories).message
    monkeypatch.setattr(files, "MOST_FILES", 1)
    assert "more than 1 YAML files" in refusal(server, fetch, repositories).message


def test_names_of_any_bytes_are_read_and_shown(server: GitServer, fetch: Fetch, repositories: Repositories) -> None:
    name = os.fsdecode(b"a \xff\n b.yaml")
    server.commit({name: APP, "größe.yaml": APP})
    found = of_commit(repositories.place(source(server.url)), fetch(), ".")
    assert sorted(found) == sorted([name, "größe.yaml"])
    assert files.shown(name) == "a \ufffd? b.yaml"


def test_a_folder_is_read_like_a_commit_and_links_lead_nowhere(tmp_path: Path) -> None:
    inside, outside = tmp_path / "acme", tmp_path / "beta"
    for folder in (inside / "specs" / "deep", outside):
        folder.mkdir(parents=True)
    (inside / "specs" / "web.yaml").write_text(APP)
    (inside / "specs" / "deep" / "more.yaml").write_text(APP)
    (outside / "secret.yaml").write_text("no")
    found = of_folder(inside, "specs", ".")
    assert list(found) == ["deep/more.yaml", "web.yaml"]
    before = digest_of(found)
    (inside / "specs" / "web.yaml").write_text(APP + "\n")
    assert digest_of(of_folder(inside, "specs", ".")) != before
    (inside / "other").symlink_to(outside)
    (inside / "specs" / "out.yaml").symlink_to(outside / "secret.yaml")
    for directory, reason in (("other", "SourceRefused"), ("absent", "SourceRefused"), ("specs", "FilesRefused")):
        with pytest.raises(SourceError) as error:
            of_folder(inside, directory, ".")
        assert error.value.reason == reason


def spec(kind: str, metadata: str, rest: str = "{}") -> str:
    return f"apiVersion: skypanel.io/v1\nkind: {kind}\nmetadata: {{{metadata}}}\nspec: {rest}\n"


def bomb() -> str:
    """Nine lines that are a hundred million nodes."""
    lines = ["a: &a [x, x]"]
    lines += [f"{chr(n)}: &{chr(n)} [{', '.join([f'*{chr(n - 1)}'] * 9)}]" for n in range(ord("b"), ord("k"))]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (spec("App", "name: shop, organization: beta"), "web.yaml:3:"),
        (spec("Organization", "name: acme"), "not for an organization"),
        (spec("Plan", "name: x", "{cpu: 1, memory: 64Mi}"), "not for an organization"),
        (spec("App", "name: shop, organization: acme", "{colour: x}"), "spec.colour"),
        (bomb(), "nodes"),
        ("[" * 5000, "web.yaml:1:"),
        ("# nothing\n", "declare nothing"),
    ],
)
def test_what_is_wrong_is_told_with_file_line_and_field(text: str, said: str) -> None:
    with pytest.raises(SourceError) as found:
        read({"web.yaml": text.encode()}, "acme")
    assert found.value.reason == "SpecRefused"
    assert said in found.value.problems[0], found.value.problems
