"""A few bytes of a repository that become more than fits, and addresses that two readers read differently."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path

import anyio
import pytest

from controller.sources.command import LARGEST_MEGABYTES, GitFailedError, run
from controller.sources.files import of_commit
from controller.sources.hosts import Hosts
from reconcilers.sources import SourceError
from specs.problems import RefusedError
from specs.sources import check_source_url

MEBIBYTE = 1024 * 1024


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    run("init", "--quiet", "--bare", "--template=", ".", folder=tmp_path, seconds=10)
    return tmp_path


def test_trees_within_each_other_name_more_files_than_are_listed(folder: Path) -> None:
    def written(*words: str, told: bytes) -> bytes:
        return run(*words, folder=folder, seconds=10, stdin=told).strip()

    entry = b"100644 blob %s" % written("hash-object", "-w", "--stdin", told=b"a: 1\n")
    for _ in range(8):
        tree = written("mktree", told=b"".join(b"%s\t%d.yaml\n" % (entry, name) for name in range(10)))
        entry = b"040000 tree %s" % tree
    text = b"tree %s\nauthor a <a> 0 +0000\ncommitter a <a> 0 +0000\n\nbomb\n" % tree
    commit = written("hash-object", "-w", "-t", "commit", "--stdin", told=text).decode()
    with pytest.raises(SourceError, match="more than 100000 files") as error:
        of_commit(folder, commit, ".")
    assert error.value.reason == "FilesRefused"


def test_what_git_prints_is_bounded(folder: Path) -> None:
    with pytest.raises(GitFailedError) as error:
        run("cat-file", "-p", large_blob(folder), folder=folder, seconds=20)
    assert error.value.large


def large_blob(folder: Path) -> str:
    content = bytes((LARGEST_MEGABYTES + 1) * MEBIBYTE)
    return run("hash-object", "-w", "--stdin", folder=folder, seconds=20, stdin=content).decode().strip()


def test_a_pack_of_some_kilobytes_takes_no_gigabytes_of_memory(folder: Path) -> None:
    pack = delta_bomb(2048)
    assert len(pack) < 32 * 1024
    with pytest.raises(GitFailedError, match="memory"):
        run("index-pack", "--stdin", folder=folder, seconds=20, stdin=pack)


def delta_bomb(mebibytes: int) -> bytes:
    """A pack with an object of one MiB, and one that is made of it, so many times in a row."""
    base = bytes(MEBIBYTE)
    name = hashlib.sha1(b"blob %d\0" % len(base) + base).digest()
    copy = b"\xc0\x10"  # from the beginning; the third byte of the size is 16
    delta = _number(MEBIBYTE) + _number(mebibytes * MEBIBYTE) + copy * mebibytes
    blob = _header(3, len(base)) + zlib.compress(base)
    made = _header(7, len(delta)) + name + zlib.compress(delta)
    pack = b"PACK" + struct.pack(">II", 2, 2) + blob + made
    return pack + hashlib.sha1(pack).digest()


def _number(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _header(kind: int, size: int) -> bytes:
    rest = size >> 4
    first = kind << 4 | size & 15
    return bytes([first | 128]) + _number(rest) if rest else bytes([first])


OTHERS = [
    "a%2eexample.com",
    "example.com.",
    "fa\u00df.example.com",
    "a\u3002example.com",
    "ex\\ample.com",
    "[fe80::1%25eth0]",
]


@pytest.mark.parametrize("host", OTHERS)
def test_a_host_that_git_would_read_as_another_name_is_refused(host: str) -> None:
    url = f"https://{host}/specs.git"
    with pytest.raises(RefusedError):
        check_source_url(url)

    async def resolve(_: str) -> list[str]:
        return ["93.184.216.34"]

    with pytest.raises(SourceError) as error:
        anyio.run(Hosts((), resolve).addresses, url)  # a row that no spec was read for
    assert error.value.reason == "SourceRefused"


@pytest.mark.parametrize(
    "host", ["git.example.com", "xn--fa-hia.example.com:8443", "[2606:2800:220:1::1]", "a_b.example"]
)
def test_usual_hosts_are_taken(host: str) -> None:
    assert check_source_url(f"https://{host}/specs.git")
