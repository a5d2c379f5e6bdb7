"""Signed commits, with keys that ssh-keygen and gpg have made: what is not plainly good is refused."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.sources import signatures
from controller.sources.command import run
from controller.sources.fetching import Access, Repositories
from controller.sources.signatures import signed_by
from reconcilers.sources import SourceError, Verify
from specs.signers import fingerprints, packets
from tests.git_server import GitServer
from tests.sources.conftest import Fetch, source

NOW = datetime(2026, 11, 28, tzinfo=UTC)
Verified = Callable[[Verify], str]


@pytest.fixture
def verified(server: GitServer, repositories: Repositories, fetch: Fetch, tmp_path: Path) -> Iterator[Verified]:
    """Who has signed what the branch is at; and nothing is there after it that was not before."""

    def look(verify: Verify) -> str:
        wanted = source(server.url, verify=verify)
        return signed_by(wanted, repositories.place(wanted), fetch(), NOW)

    yield look
    assert list(tmp_path.rglob("verify-*")) == []
    assert list(tmp_path.rglob("S.gpg-agent*")) == list((tmp_path / "gnupg").rglob("S.gpg-agent*"))


def ssh_key(folder: Path, name: str, kind: str = "ed25519") -> Path:
    file = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", file], check=True)
    return file


def line(file: Path, name: str = "ada@acme.example", options: str = "") -> str:
    return f"{name} {options}{file.with_suffix('.pub').read_text().strip()}"


def with_ssh(server: GitServer, file: Path) -> None:
    server.signs = {"gpg.format": "ssh", "user.signingkey": str(file)}


class Gpg:
    """A keyring of somebody who signs."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "gnupg"
        self.home.mkdir(mode=0o700)

    def run(self, *words: str) -> str:
        given = [
            "gpg",
            "--homedir",
            str(self.home),
            "--batch",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            "",
            *words,
        ]
        return subprocess.run(given, check=True, capture_output=True, text=True).stdout

    def make(self, name: str, expires: str = "never", faked: str = "") -> str:
        """A key; its fingerprint."""
        fake = [f"--faked-system-time={faked}"] if faked else []
        self.run(*fake, "--quick-generate-key", name, "ed25519", "sign", expires)
        keys = self.run("--with-colons", "--list-keys", name).splitlines()
        return next(each.split(":")[9] for each in keys if each.startswith("fpr"))

    def armor(self, key: str) -> str:
        return self.run("--armor", "--export", key)

    def signs(self, server: GitServer, key: str) -> None:
        server.signs = {"gpg.format": "openpgp", "user.signingkey": f"{key}!"}
        server.variables = {"GNUPGHOME": str(self.home)}


@pytest.fixture
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gpg]:
    gpg = Gpg(tmp_path_factory.mktemp("g"))
    yield gpg
    subprocess.run(["gpgconf", "--homedir", gpg.home, "--kill", "all"], check=False)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_commit_by_a_listed_ssh_key_is_good(server: GitServer, verified: Verified, tmp_path: Path, kind: str) -> None:
    key, other = ssh_key(tmp_path, "ada", kind), ssh_key(tmp_path, "eve")
    with_ssh(server, key)
    server.commit({"a.yaml": "a"})
    found = verified(Verify(ssh=(line(other, "eve"), line(key)), openpgp=()))
    assert found.startswith("ada@acme.example (SHA256:")


def test_a_commit_by_nobody_or_by_another_key_is_refused(
    server: GitServer, verified: Verified, tmp_path: Path, gpg: Gpg
) -> None:
    key, other = ssh_key(tmp_path, "ada"), ssh_key(tmp_path, "eve")
    listed = Verify(ssh=(line(key),), openpgp=())
    server.commit({"a.yaml": "a"})
    with pytest.raises(SourceError, match="has no signature") as error:
        verified(listed)
    assert error.value.reason == "CommitUnsigned"
    with_ssh(server, other)
    server.commit({"a.yaml": "b"})
    with pytest.raises(SourceError, match=r"SHA256:.*, which `verify` does not list") as error:
        verified(listed)
    assert error.value.reason == "SignerUnknown"
    of_ada = gpg.make("ada")
    with pytest.raises(SourceError) as error:
        verified(Verify(ssh=(), openpgp=(gpg.armor(of_ada),)))
    assert error.value.reason == "SignerUnknown"


def test_an_ssh_key_counts_in_its_time_and_not_in_that_which_the_commit_claims(
    server: GitServer, verified: Verified, tmp_path: Path
) -> None:
    key = ssh_key(tmp_path, "ada")
    with_ssh(server, key)
    server.variables = {"GIT_COMMITTER_DATE": "2020-06-01T00:00:00Z", "GIT_AUTHOR_DATE": "2020-06-01T00:00:00Z"}
    server.commit({"a.yaml": "a"})
    for options in ('valid-after="20190101",valid-before="20210101" ', 'valid-after="20270101Z" '):
        with pytest.raises(SourceError) as error:
            verified(Verify(ssh=(line(key, options=options),), openpgp=()))
        assert error.value.reason == "SignerExpired"
    assert verified(Verify(ssh=(line(key, options='namespaces="git",valid-before="20270101" '),), openpgp=()))


def test_a_commit_by_a_listed_openpgp_key_is_good(server: GitServer, verified: Verified, gpg: Gpg) -> None:
    key, other = gpg.make("Ada <ada@acme.example>"), gpg.make("eve")
    gpg.signs(server, key)
    server.commit({"a.yaml": "a"})
    assert verified(Verify(ssh=(), openpgp=(gpg.armor(other), gpg.armor(key)))) == f"the key {key}"
    with pytest.raises(SourceError) as error:
        verified(Verify(ssh=(), openpgp=(gpg.armor(other),)))
    assert error.value.reason == "SignerUnknown"


def test_a_key_that_gpg_finds_elsewhere_than_in_the_list_does_not_count(
    server: GitServer, verified: Verified, gpg: Gpg, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = gpg.make("ada"), gpg.make("eve")
    gpg.signs(server, other)
    server.commit({"a.yaml": "a"})
    ring = gpg.home / "of-the-machine.gpg"
    ring.write_bytes(packets(gpg.armor(other)))
    # as a line of /etc/gnupg/gpg.conf does it
    monkeypatch.setattr(signatures, "_GPG", f"{signatures._GPG}keyring {ring}\n")
    with pytest.raises(SourceError, match=f"{other}, which `verify` does not list") as error:
        verified(Verify(ssh=(), openpgp=(gpg.armor(key),)))
    assert error.value.reason == "SignerUnknown"


def test_a_subkey_signs_for_its_key_until_that_is_revoked(server: GitServer, verified: Verified, gpg: Gpg) -> None:
    key = gpg.make("ada")
    gpg.run("--quick-add-key", key, "ed25519", "sign", "never")
    listed = gpg.run("--with-colons", "--list-keys").splitlines()
    gpg.signs(server, [each.split(":")[9] for each in listed if each.startswith("fpr")][-1])
    server.commit({"a.yaml": "a"})
    assert verified(Verify(ssh=(), openpgp=(gpg.armor(key),))) == f"the key {key}"
    revocation = (gpg.home / "openpgp-revocs.d" / f"{key}.rev").read_text().replace(":-----BEGIN", "-----BEGIN")
    (gpg.home / "revocation").write_text(revocation)
    gpg.run("--import", str(gpg.home / "revocation"))
    with pytest.raises(SourceError, match="is revoked or has expired") as error:
        verified(Verify(ssh=(), openpgp=(gpg.armor(key),)))
    assert error.value.reason == "SignerExpired"


def test_a_key_that_was_put_under_a_listed_one_without_its_signature_does_not_count(
    server: GitServer, verified: Verified, gpg: Gpg
) -> None:
    key, other = (packets(gpg.armor(gpg.make(name))) for name in ("ada", "eve"))
    gpg.signs(server, min(fingerprints(armored(other))))
    server.commit({"a.yaml": "a"})
    as_subkey = bytes([0xB8]) + other[1:]  # its own signature behind it
    with pytest.raises(SourceError) as error:
        verified(Verify(ssh=(), openpgp=(armored(key + as_subkey),)))
    assert error.value.reason == "SignerUnknown"


def armored(data: bytes) -> str:
    lines = base64.encodebytes(data).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{lines}-----END PGP PUBLIC KEY BLOCK-----"


def test_an_openpgp_key_that_has_expired_does_not_count(server: GitServer, verified: Verified, gpg: Gpg) -> None:
    key = gpg.make("old", expires="seconds=86400", faked="20200101T000000")
    program = server.root.parent / "then"
    program.write_text(f'#!/bin/sh\nexec gpg --homedir {gpg.home} --faked-system-time=20200101T010000 "$@"\n')
    program.chmod(0o755)
    gpg.signs(server, key)
    server.signs["gpg.program"] = str(program)
    server.commit({"a.yaml": "a"})
    with pytest.raises(SourceError, match=f"{key}, which has expired") as error:
        verified(Verify(ssh=(), openpgp=(gpg.armor(key),)))
    assert error.value.reason == "SignerExpired"


def rewritten(server: GitServer, change: Callable[[str], str]) -> None:
    """Have the branch be at a commit whose text is changed, signature and all."""
    text = subprocess.run(
        ["git", "cat-file", "commit", "HEAD"], cwd=server.work, check=True, capture_output=True
    ).stdout
    changed = change(text.decode()).encode()
    commit = server.git("hash-object", "-w", "-t", "commit", "--stdin", "--literally", stdin=changed)
    server.git("reset", "-q", "--soft", commit)
    server.push()


@pytest.mark.parametrize("of", ["ssh", "openpgp"])
def test_a_signature_of_something_else_is_bad(
    server: GitServer, verified: Verified, tmp_path: Path, gpg: Gpg, of: str
) -> None:
    key = ssh_key(tmp_path, "ada")
    openpgp = gpg.make("ada")
    with_ssh(server, key) if of == "ssh" else gpg.signs(server, openpgp)
    server.commit({"a.yaml": "a"})
    listed = Verify(ssh=(line(key),), openpgp=(gpg.armor(openpgp),))
    verified(listed)
    rewritten(server, lambda text: text.replace("a change", "another change"))
    with pytest.raises(SourceError, match="not of what it says") as error:
        verified(listed)
    assert error.value.reason == "SignatureBad"
    rewritten(server, lambda text: text.replace("-----BEGIN", "-----BEGIN SIGNED MESSAGE-----\n -----BEGIN", 1))
    with pytest.raises(SourceError):
        verified(listed)


def test_neither_another_name_nor_a_key_within_what_is_signed_makes_a_signature_good(
    server: GitServer, verified: Verified, tmp_path: Path
) -> None:
    key, eve = ssh_key(tmp_path, "ada"), ssh_key(tmp_path, "eve")
    with_ssh(server, eve)
    server.variables = {"GIT_COMMITTER_NAME": "k0", "GIT_COMMITTER_EMAIL": "ada@acme.example"}
    server.commit({"a.yaml": "a", "allowed_signers": line(eve), ".gitattributes": "* filter=x", ".mailmap": "k0 <k0>"})
    server.git("config", "gpg.ssh.allowedSignersFile", "allowed_signers", at=server.bare)
    with pytest.raises(SourceError) as error:
        verified(Verify(ssh=(line(key),), openpgp=()))
    assert error.value.reason == "SignerUnknown"


def test_a_signature_by_a_listed_key_of_something_that_is_no_commit_of_git_does_not_count(
    server: GitServer, verified: Verified, tmp_path: Path
) -> None:
    key = ssh_key(tmp_path, "ada")
    server.commit({"a.yaml": "a"})

    def signed_for(namespace: str) -> Callable[[str], str]:
        def put(text: str) -> str:
            bare = re.sub(r"gpgsig .*\n(?: .*\n)+", "", text)
            words = ["ssh-keygen", "-Y", "sign", "-n", namespace, "-f", str(key)]
            said = subprocess.run(words, input=bare, check=True, capture_output=True, text=True).stdout
            return bare.replace("\n\n", "\ngpgsig " + said.strip().replace("\n", "\n ") + "\n\n", 1)

        return put

    rewritten(server, signed_for("git"))
    assert verified(Verify(ssh=(line(key),), openpgp=())).startswith("ada@acme.example")
    rewritten(server, signed_for("file"))
    with pytest.raises(SourceError) as error:
        verified(Verify(ssh=(line(key),), openpgp=()))
    assert error.value.reason == "SignatureBad"


def test_a_commit_of_many_megabytes_is_not_verified(server: GitServer, verified: Verified, tmp_path: Path) -> None:
    key = ssh_key(tmp_path, "ada")
    with_ssh(server, key)
    server.commit({"a.yaml": "a"})
    rewritten(server, lambda text: text + "x" * (5 * 1024 * 1024))
    with pytest.raises(SourceError) as error:
        verified(Verify(ssh=(line(key),), openpgp=()))
    assert error.value.reason == "SignatureBad"


def test_what_is_no_key_within_its_armor_is_told_and_nothing_hangs(
    server: GitServer, verified: Verified, gpg: Gpg
) -> None:
    key = gpg.make("ada")
    gpg.signs(server, key)
    server.commit({"a.yaml": "a"})
    secret = gpg.run("--armor", "--export-secret-keys", key).replace("PRIVATE", "PUBLIC")
    for armor in (
        gpg.armor(key).replace("m", "n"),
        secret,
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n-----END PGP PUBLIC KEY BLOCK-----",
    ):
        with pytest.raises(SourceError) as error:
            verified(Verify(ssh=(), openpgp=(armor,)))
        assert error.value.reason == "SignerUnknown"


def test_a_folder_with_a_name_that_is_too_long_for_a_socket_will_do(
    server: GitServer, tmp_path: Path, gpg: Gpg
) -> None:
    repositories = Repositories(tmp_path / ("cache" * 40))
    key = gpg.make("ada")
    gpg.signs(server, key)
    server.commit({"a.yaml": "a"})
    wanted = source(server.url, verify=Verify(ssh=(), openpgp=(gpg.armor(key),)))
    commit = repositories.fetch(wanted, Access(("127.0.0.1",), None))
    assert signed_by(wanted, repositories.place(wanted), commit, NOW) == f"the key {key}"


def test_a_machine_without_the_program_verifies_nothing(
    server: GitServer, verified: Verified, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = ssh_key(tmp_path, "ada")
    with_ssh(server, key)
    server.commit({"a.yaml": "a"})
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SourceError, match="no ssh-keygen") as error:
        verified(Verify(ssh=(line(key),), openpgp=()))
    assert error.value.reason == "VerifierMissing"


def test_no_agent_is_started(server: GitServer, verified: Verified, gpg: Gpg, monkeypatch: pytest.MonkeyPatch) -> None:
    key = gpg.make("ada")
    gpg.signs(server, key)
    server.commit({"a.yaml": "a"})
    kept: list[Path] = []
    monkeypatch.setattr(shutil, "rmtree", lambda folder, **_: kept.append(folder))
    verified(Verify(ssh=(), openpgp=(gpg.armor(key),)))
    monkeypatch.undo()
    (home,) = (folder / "home" for folder in kept if folder.name.startswith("verify-"))
    assert (home / "pubring.gpg").exists()
    assert not [each for each in home.iterdir() if each.is_socket()]
    running = [each.read_bytes() for each in Path("/proc").glob("[0-9]*/cmdline") if each.exists()]
    assert not [each for each in running if str(home).encode() in each]
    shutil.rmtree(home.parent)


def test_git_is_asked_of_a_repository_that_it_does_not_trust(tmp_path: Path) -> None:
    run("init", "--quiet", "--bare", "--template=", ".", folder=tmp_path, seconds=10)
    (tmp_path / "config").write_text("[log]\n\tshowSignature = true\n[gpg]\n\tprogram = /bin/true\n")
    assert (
        run("config", "log.showSignature", folder=tmp_path, seconds=10, config={"log.showSignature": "false"})
        == b"false\n"
    )
