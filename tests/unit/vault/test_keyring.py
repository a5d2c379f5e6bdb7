"""Keys in a file and in the environment: in their order, read again, and refused where others can read them."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from controller.vault.keyring import Key, KeyFileError, Keyring, generate, parse


def ids(*lines: str) -> list[str]:
    return [Key.of(base64.b64decode(line)).id for line in lines]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    path.touch(mode=0o640)
    return path


def test_the_first_key_is_current_and_those_of_the_file_come_first(file: Path) -> None:
    one, two, three = generate(), generate(), generate()
    file.write_text(f"# of 2026\n{one}  # the present one\n\n{two}\n")
    ring = Keyring(file, f"{three}, {one}")
    assert [key.id for key in ring] == ids(one, two, three)
    current = ring.current()
    assert current is not None
    assert [current.id] == ids(one)


def test_a_key_that_was_added_is_found_without_a_restart(file: Path) -> None:
    old, new = generate(), generate()
    file.write_text(f"{old}\n")
    ring = Keyring(file)
    assert ring.find(ids(new)[0]) is None
    file.write_text(f"{new}\n{old}\n")
    found = ring.find(ids(new)[0])
    assert found is not None
    assert ring.current() == found


def test_nothing_is_given_and_nothing_is_there() -> None:
    ring = Keyring()
    assert (ring.given, ring.current(), ring.find("0" * 8)) == (False, None, None)
    assert not Keyring(text=" \n").given


@pytest.mark.parametrize("line", ["x", "c2VjcmV0", "=", "QQ" * 22, "é" * 44])
def test_a_wrong_line_is_named_and_not_shown(line: str) -> None:
    with pytest.raises(KeyFileError) as refused:
        parse(f"# keys\n{generate()}\n{line}\n", "/etc/keys")
    assert str(refused.value).startswith("/etc/keys:3: this is no key")
    assert line == "=" or line == "x" or line not in str(refused.value)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o642])
def test_a_file_that_others_can_read_or_write_is_refused(file: Path, mode: int) -> None:
    file.write_text(generate())
    file.chmod(mode)
    with pytest.raises(KeyFileError, match=r"chmod u=rw,g=r,o="):
        Keyring(file).current()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_its_owner_and_its_group_may_read_it(file: Path, mode: int) -> None:
    file.write_text(generate())
    file.chmod(mode)
    assert Keyring(file).current() is not None


def test_a_file_that_is_missing_or_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="SKYPANEL_KEY_FILE names a file that is not there"):
        Keyring(tmp_path / "keys").current()
    with pytest.raises(KeyFileError, match="is not a file of keys"):
        Keyring(tmp_path).current()
    (tmp_path / "keys").write_bytes(b"\xff" * 40)
    (tmp_path / "keys").chmod(0o600)
    with pytest.raises(KeyFileError, match="no text"):
        Keyring(tmp_path / "keys").current()
