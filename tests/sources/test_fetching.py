"""What is brought from a real git server, and what is refused: the server and the repository are somebody else's."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from controller.sources import command, fetching
from controller.sources.fetching import Access, Repositories
from controller.sources.files import of_commit
from reconcilers.sources import SourceError
from tests.git_server import GitServer
from tests.sources.conftest import Fetch, source

APP = "apiVersion: skypanel.io/v1\nkind: App\nmetadata: {name: shop, organization: acme}\nspec: {}\n"


def refused(fetch: Fetch, **how: object) -> SourceError:
    with pytest.raises(SourceError) as found:
        fetch(**how)
    return found.value


def read(repositories: Repositories, server: GitServer, commit: str, path: str = ".") -> dict[str, bytes]:
    return dict(of_commit(repositories.place(source(server.url)), commit, path))


def test_a_branch_is_fetched_and_its_files_read(server: GitServer, fetch: Fetch, repositories: Repositories) -> None:
    commit = server.commit({"web.yaml": APP, "deep/er/more.yml": APP, ".hidden/x.yaml": "no", "README.md": "no"})
    assert fetch() == commit
    assert read(repositories, server, commit) == {"deep/er/more.yml": APP.encode(), "web.yaml": APP.encode()}
    assert list(read(repositories, server, commit, "deep")) == ["deep/er/more.yml"]


def test_a_tag_and_a_commit_are_fetched(server: GitServer, fetch: Fetch) -> None:
    first = server.commit({"web.yaml": APP})
    server.git("tag", "-a", "-m", "one", "v1")
    server.git("push", "-q", "origin", "v1")
    second = server.commit({"web.yaml": APP + "\n"})
    assert [fetch(), fetch(tag="v1"), fetch(commit=first), fetch()] == [second, first, first, second]


def test_rewritten_history_is_read_as_it_is_now(server: GitServer, fetch: Fetch, repositories: Repositories) -> None:
    server.commit({"web.yaml": APP})
    server.commit({"more.yaml": APP})
    fetch()
    server.git("reset", "-q", "--hard", "HEAD~1")
    server.git("commit", "-q", "--amend", "-m", "as if nothing had been")
    commit = server.push()
    assert fetch() == commit
    assert list(read(repositories, server, commit)) == ["web.yaml"]


def test_a_deleted_branch_is_told(server: GitServer, fetch: Fetch) -> None:
    server.commit({"web.yaml": APP}, push="side")
    server.commit({"web.yaml": APP})
    fetch(branch="side")
    server.git("push", "-q", "origin", ":side")
    error = refused(fetch, branch="side")
    assert (error.reason, error.passes) == ("RevisionNotFound", False)
    assert "branch side" in error.message
    assert refused(fetch, tag="v9").reason == "RevisionNotFound"
    assert refused(fetch, commit="1" * 40).reason == "RevisionNotFound"


def test_a_repository_that_is_not_there_is_told(server: GitServer, repositories: Repositories) -> None:
    with pytest.raises(SourceError) as found:
        repositories.fetch(source(server.url.replace("specs", "other")), Access(("127.0.0.1",), None))
    assert found.value.reason == "SourceRefused"


def test_a_password_is_asked_for_and_in_no_argument_message_or_file(
    server: GitServer, fetch: Fetch, repositories: Repositories, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit({"web.yaml": APP})
    server.password = ("ada", "s3cret-not-to-be-seen")
    ran: list[list[str]] = []
    popen: Any = subprocess.Popen

    def listed(words: list[str], **how: Any) -> Any:
        ran.append(words)
        return popen(words, **how)

    monkeypatch.setattr(subprocess, "Popen", listed)
    for how in ({}, {"username": "ada", "password": "another"}):
        error = refused(fetch, **how)
        assert error.reason == "CredentialsRefused"
        assert "skypanel source password acme/main" in error.message
        assert "another" not in error.message
    assert fetch(username="ada", password="s3cret-not-to-be-seen")
    assert "s3cret" not in repr(ran)
    for folder, _, names in os.walk(repositories.place(source(server.url))):
        assert all(b"s3cret" not in Path(folder, name).read_bytes() for name in names)


def test_a_redirect_is_not_followed(server: GitServer, fetch: Fetch, tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    inner = GitServer(tmp_path / "inner")
    server.commit({"web.yaml": APP})
    inner.commit({"web.yaml": APP})
    server.fault, server.moves_to = "move", inner.url
    assert refused(fetch, username="ada", password="s3cret").reason == "FetchFailed"
    assert inner.asked == []
    inner.close()


def test_git_asks_the_addresses_that_were_looked_at_and_no_resolver(
    server: GitServer, repositories: Repositories
) -> None:
    server.commit({"web.yaml": APP})
    port = server.authority.partition(":")[2]
    wanted = source(f"http://git.skypanel.test:{port}/specs.git")
    assert repositories.fetch(wanted, Access(("127.0.0.1",), None)) == server.git("rev-parse", "HEAD")


def test_a_server_that_dies_in_the_middle_changes_nothing(server: GitServer, fetch: Fetch) -> None:
    commit = server.commit({"web.yaml": APP})
    fetch()
    later = server.commit({"web.yaml": APP + "\n", "large.txt": os.urandom(300_000).hex()})
    server.fault = "cut"
    error = refused(fetch)
    assert (error.reason, error.passes) == ("FetchFailed", True)
    server.fault = ""
    assert fetch() == later != commit


def test_a_server_that_does_not_answer_is_left_and_nothing_of_git_stays(
    server: GitServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit({"web.yaml": APP})
    server.fault = "hang"
    monkeypatch.setattr(fetching, "SECONDS", 1.0)
    begun = time.monotonic()
    error = refused(fetch)
    assert (error.reason, error.passes) == ("FetchFailed", True)
    assert time.monotonic() - begun < 10
    here = str(os.getpid())
    children = [p for p in Path("/proc").glob("[0-9]*/stat") if _parent(p) == here]
    assert not [p for p in children if "git" in (p.parent / "comm").read_text()]


def _parent(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def test_a_repository_that_is_too_large_is_refused(
    server: GitServer, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit({"web.yaml": APP, "large.bin": os.urandom(2_000_000).hex()})
    run = command.run
    monkeypatch.setattr(fetching, "run", lambda *words, **how: run(*words, **{**how, "largest": 512 * 1024}))
    assert refused(fetch).reason == "SourceTooLarge"


def test_hooks_and_settings_of_this_machine_do_nothing(
    server: GitServer, fetch: Fetch, repositories: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit({"web.yaml": APP})
    fetch()
    marker = tmp_path / "ran"
    hook = repositories.place(source(server.url)) / "hooks" / "reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {marker}\n")
    hook.chmod(0o755)
    monkeypatch.setenv("GIT_SSH_COMMAND", f"touch {marker}")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    commit = server.commit({"web.yaml": APP + "\n"})
    assert fetch() == commit
    assert not marker.exists()


@pytest.mark.parametrize("url", ["file:///etc", "ext::sh -c id", "ssh://127.0.0.1/x", "git://127.0.0.1/x"])
def test_no_other_protocol_is_spoken(repositories: Repositories, url: str) -> None:
    with pytest.raises((SourceError, AssertionError)) as found:
        repositories.fetch(source(url), Access(("127.0.0.1",), None))
    assert "not allowed" in str(found.value) or "refused" in str(found.value).lower()


def test_no_git_is_told(fetch: Fetch, server: GitServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    server.commit({"web.yaml": APP})
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused(fetch).reason == "GitMissing"


def test_nothing_is_kept_of_an_address_that_a_source_had_before(server: GitServer, repositories: Repositories) -> None:
    server.commit({"web.yaml": "a: 1\n"})
    access = Access(("127.0.0.1",), None)
    before, now = source(server.url), source(f"{server.url}/")
    repositories.fetch(before, access)
    repositories.fetch(now, access)
    assert not repositories.place(before).exists()
    assert repositories.place(now).exists()
