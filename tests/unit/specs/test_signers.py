"""Lines of allowed signers and armored keys: what stands in them counts as it reads, or not at all."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from specs.problems import InvalidSpec, RefusedError
from specs.signers import ARMOR_LIMIT, MOST_SIGNERS, check_armors, check_signers, signer


def key(kind: str, *parts: bytes) -> str:
    """A public key as a ``.pub`` file has it."""
    blob = b"".join(len(part).to_bytes(4) + part for part in (kind.encode(), *parts))
    return f"{kind} {base64.b64encode(blob).decode()}"


ED25519 = key("ssh-ed25519", b"k" * 32)
OTHER = key("ssh-ed25519", b"o" * 32)
RSA = key("ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * 256)
ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----\nVersion: x\n\nmDME\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n"


@pytest.mark.parametrize("written", [ED25519, RSA, key("ecdsa-sha2-nistp256", b"nistp256", b"\4" + b"p" * 64)])
def test_a_line_is_a_name_and_a_key(written: str) -> None:
    found = signer(f"ada@acme.example {written} a comment")
    assert (found.name, f"{found.kind} {found.key}") == ("ada@acme.example", written)
    assert found.fingerprint.startswith("SHA256:")


def test_times_may_stand_before_the_key() -> None:
    found = signer(f'ada valid-after="20260101",valid-before="202612312359Z",namespaces="git" {ED25519}')
    assert found.after == datetime(2026, 1, 1, tzinfo=UTC)
    assert found.before == datetime(2026, 12, 31, 23, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "",
        ED25519,
        f"* {ED25519}",
        f"!eve,* {ED25519}",
        f"-Overify-time=0 {ED25519}"[1:].replace("O", "=O", 1),
        f"ada cert-authority {ED25519}",
        f'ada namespaces="file" {ED25519}',
        f'ada namespaces="git",cert-authority {ED25519}',
        f'ada valid-before="yesterday" {ED25519}',
        f'ada valid-before="20261332" {ED25519}',
        f'ada valid-before="20260101",valid-before="20990101" {ED25519}',
        f"ada {ED25519}\neve {OTHER}",
        f"ada {ED25519.replace('ssh-ed25519', 'ssh-dss')}",
        f"ada {ED25519.replace('ssh-ed25519 ', 'ssh-rsa ')}",
        f"ada {ED25519[:-8]}",
        f"ada {key('ssh-rsa', bytes([1, 0, 1]), bytes([255]) * 128)}",
        f"ada {key('ssh-ed25519-cert-v01@openssh.com', b'x')}",
        "ada ssh-ed25519 not-base64",
        f"\u0430da {ED25519}",
        f"ada {ED25519} {'c' * 5000}",
    ],
)  # fmt: skip
def test_whatever_else_a_line_could_say_is_refused(line: str) -> None:
    with pytest.raises(RefusedError):
        signer(line)


def test_a_key_stands_once_however_it_is_written() -> None:
    assert check_signers((f"ada {ED25519}", f"eve {OTHER}"))
    with pytest.raises(InvalidSpec, match="has the key of an earlier one"):
        check_signers((f"ada {ED25519}", f'bob valid-before="20200101" {ED25519}'))


def test_there_are_not_too_many_and_none_is_too_large() -> None:
    with pytest.raises(RefusedError):
        check_signers(tuple(f"ada {key('ssh-ed25519', bytes([n]) * 32)}" for n in range(MOST_SIGNERS + 1)))
    with pytest.raises(RefusedError):
        check_armors((ARMOR,) * (MOST_SIGNERS + 1))
    with pytest.raises(InvalidSpec):
        check_armors((ARMOR.replace("mDME", "m" * ARMOR_LIMIT),))
    with pytest.raises(RefusedError, match="together"):
        check_armors((ARMOR.replace("mDME", "m" * (ARMOR_LIMIT - 200)),) * 3)


@pytest.mark.parametrize(
    "block",
    [
        "",
        "--import",
        ARMOR.replace("PUBLIC", "PRIVATE"),
        ARMOR + ARMOR,
        ARMOR.replace("mDME", "lDME"),
        ARMOR.replace("mDME", "mD*E"),
        ARMOR.replace("mDME", ""),
        "before\n" + ARMOR,
        ARMOR.replace("=abcd", "\0"),
        ARMOR.replace("mDME", "-----BEGIN PGP PRIVATE KEY BLOCK-----"),
    ],
)
def test_an_armor_is_one_block_of_public_keys(block: str) -> None:
    assert check_armors((ARMOR,)) == (ARMOR,)
    with pytest.raises(InvalidSpec):
        check_armors((block,))
