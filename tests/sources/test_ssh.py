"""Repositories over a real sshd: by a deploy key and the host's pinned key alone, of which nothing stays behind."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.sources.fetching import Access, Repositories
from reconcilers.sources import SourceError
from specs.problems import RefusedError
from specs.sources import Place, check_source_url, place_of
from specs.ssh import host_keys, opened, private_key, sealed
from tests.git_server import GitServer
from tests.sources.conftest import source
from tests.sources.ssh_server import SshServer, keypair


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    ssh = SshServer(tmp_path_factory.mktemp("ssh") / "d")
    yield ssh
    ssh.close()


def secret(ssh: SshServer, key: Path | None = None, known: bytes | None = None) -> str:
    url = ssh.url(Path("/x.git"))
    return sealed(private_key((key or ssh.key).read_bytes()), host_keys(known or ssh.known, place_of(url)))


def test_a_commit_is_fetched_by_a_deploy_key_and_no_key_stays(
    ssh: SshServer, server: GitServer, repositories: Repositories, tmp_path: Path
) -> None:
    commit = server.commit({"web.yaml": "a"})
    wanted = source(ssh.url(server.bare))
    access = Access(("127.0.0.1",), secret(ssh))
    assert repositories.fetch(wanted, access) == commit
    second = server.commit({"web.yaml": "b"})
    assert repositories.fetch(wanted, access) == second
    kept = [Path(folder, name) for folder, _, names in os.walk(tmp_path / "cache") for name in names]
    assert kept
    assert not [each for each in kept if b"PRIVATE KEY" in each.read_bytes()]
    assert not list((tmp_path / "cache").glob("ssh-*"))


def test_another_host_key_another_key_and_none_are_told_apart(
    ssh: SshServer, server: GitServer, repositories: Repositories, tmp_path: Path
) -> None:
    server.commit({"web.yaml": "a"})
    wanted = source(ssh.url(server.bare))
    other = keypair(tmp_path / "other")
    kind, key, *_ = Path(f"{other}.pub").read_text().split()
    foreign = secret(ssh, known=f"[127.0.0.1]:{ssh.port} {kind} {key}".encode())
    before = ssh.log.count("Accepted")
    for given, reason in (
        (foreign, "HostKeyUnknown"),
        (secret(ssh, other), "CredentialsRefused"),
        (None, "CredentialsRefused"),
        ("a password of before", "CredentialsRefused"),
    ):
        with pytest.raises(SourceError) as error:
            repositories.fetch(wanted, Access(("127.0.0.1",), given))
        assert error.value.reason == reason, error.value.message
        assert "skypanel source ssh acme/main" in error.value.message
        assert "PRIVATE" not in error.value.message
    assert ssh.log.count("Accepted") == before
    with pytest.raises(SourceError) as error:
        repositories.fetch(source(ssh.url(Path("/nowhere.git"))), Access(("127.0.0.1",), secret(ssh)))
    assert error.value.reason == "SourceRefused"


def test_the_address_that_was_looked_at_is_the_one_that_is_asked(
    ssh: SshServer, server: GitServer, repositories: Repositories
) -> None:
    commit = server.commit({"web.yaml": "a"})
    url = ssh.url(server.bare).replace("127.0.0.1", "git.invalid")
    known = ssh.known.replace(b"127.0.0.1", b"git.invalid")
    given = sealed(private_key(ssh.key.read_bytes()), host_keys(known, place_of(url)))
    begun = time.monotonic()
    assert repositories.fetch(source(url), Access(("127.0.0.9", "127.0.0.1"), given)) == commit, "the next address"
    assert time.monotonic() - begun < 8
    with pytest.raises(SourceError) as error:
        repositories.fetch(source(url), Access(("127.0.0.9",), given))
    assert (error.value.reason, error.value.passes) == ("FetchFailed", True)


def test_nothing_of_the_machine_opens_a_repository(
    ssh: SshServer, server: GitServer, repositories: Repositories, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.commit({"web.yaml": "a"})
    for name in ("GIT_SSH", "GIT_SSH_COMMAND", "SSH_AUTH_SOCK", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(tmp_path / "no"))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_bytes(ssh.key.read_bytes())
    (tmp_path / ".ssh" / "config").write_text("Host *\n ProxyCommand /bin/false\n")
    assert repositories.fetch(source(ssh.url(server.bare)), Access(("127.0.0.1",), secret(ssh)))
    with pytest.raises(SourceError):
        repositories.fetch(
            source(ssh.url(server.bare)), Access(("127.0.0.1",), secret(ssh, keypair(tmp_path / "unknown")))
        )


def test_keys_are_read_whole_and_written_anew(ssh: SshServer, tmp_path: Path) -> None:
    text = ssh.key.read_bytes()
    assert private_key(text).encode() == text
    assert opened(secret(ssh)) == (text.decode(), [" ".join(Path(f"{ssh.host}.pub").read_text().split()[:2])])
    locked = keypair(tmp_path / "locked", "secret")
    public = Path(f"{ssh.key}.pub").read_bytes()
    for wrong in (
        b"",
        public,
        text[:-40],
        text + b"x",
        locked.read_bytes(),
        text.replace(b"OPENSSH", b"RSA"),
        b"x" * 20_000,
    ):
        with pytest.raises(RefusedError) as error:
            private_key(wrong)
        assert "x" * 100 not in f"{error.value.message} {error.value.hint}"
    place = place_of(ssh.url(Path("/x")))
    for wrong in (
        b"", ssh.known.replace(b"]:", b"]:9"),
        b"@cert-authority " + ssh.known.splitlines()[1], b"|1|a|b ssh-ed25519 AAAA",
        ssh.known.replace(b"ssh-ed25519", b"ssh-dss"), b"* " + ssh.known.splitlines()[1].partition(b" ")[2],
    ):  # fmt: skip
        with pytest.raises(RefusedError):
            host_keys(wrong, place)


def test_addresses_of_ssh_are_read_in_both_forms() -> None:
    assert place_of("git@git.example.com:acme/specs.git") == Place(
        "ssh", "git", "git.example.com", 22, "acme/specs.git"
    )
    assert place_of("ssh://git@Git.example.com:2222/a/b") == Place("ssh", "git", "git.example.com", 2222, "a/b")
    for odd in ("", "x", "ext::sh -c x", "https://h:99999/x", "https://[/x", "file:///x", "::", "@:"):
        assert place_of(odd).scheme in ("", "ssh", "https", "file")
    for good in (
        "git@git.example.com:acme/specs.git",
        "ssh://git@git.example.com/a/b.git",
        "ssh://git@[2001:db8::1]:22/x",
    ):
        assert check_source_url(good) == good
    for bad in (
        "ssh://git.example.com/a", "ssh://git:pw@git.example.com/a", "ssh://-oProxyCommand=x@h/a", "git@-oProxy:a/b",
        "git@host:-a", "git@host:", "ext::sh -c x", "ssh://git@host/", "ssh://git@ho%73t/a", "git@host:a b",
        "git@h\tx:a",
        "ssh://git@host:0/a", "ssh://git@host/a?b", "file:///x", "git://host/x", "git@hóst:a",
    ):  # fmt: skip
        with pytest.raises(RefusedError):
            check_source_url(bad)
