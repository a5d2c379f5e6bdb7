"""The git command line, as it is run on repositories that somebody else names: nothing of it can be believed.

No configuration but ours, no hooks, no other protocol than HTTP, no redirect, no question, no helper, no submodule. The
host is resolved and looked at by the caller, and git is told the addresses. A password is in the environment of the
process alone. A process has a group of its own, which is killed when its time is over. What it writes, what it
prints among that, and its memory are bounded: an object of a few bytes can become gigabytes.
"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

LARGEST_MEGABYTES = 64
"""Of one file that git writes: a pack, so a repository at one commit."""
_MEMORY_KIBIBYTES = 1024 * 1024
_BLOCK = 512
_ERROR_BYTES = 4096
_END_SECONDS = 5.0
_CONFIG = {
    "protocol.allow": "never",
    "core.hooksPath": "/dev/null",
    "core.symlinks": "false",
    "core.fsmonitor": "false",
    "core.askPass": "",
    "credential.helper": "",
    "fetch.fsckObjects": "true",
    "fetch.recurseSubmodules": "false",
    "submodule.recurse": "false",
    "transfer.bundleURI": "false",
    "core.bigFileThreshold": "16m",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "15",
    "http.emptyAuth": "false",
    "http.proxy": "",
}


class GitMissingError(Exception):
    """There is no git on this machine that can be used."""


class GitFailedError(Exception):
    """A command ended badly; ``said`` is what it wrote, without anything secret."""

    def __init__(self, said: str, *, late: bool = False, large: bool = False) -> None:
        super().__init__(said)
        self.said = said
        self.late = late
        self.large = large


@dataclass(frozen=True, slots=True)
class Remote:
    """Where git may go.

    Args:
        url: of the repository.
        addresses: of its host, all that may be spoken to.
        host: and
        port: of the url.
        username: who asks; None: nobody.
        password: in the environment alone.
        over_ssh: it is reached as the variables of the command say.
    """

    url: str
    host: str
    port: int
    addresses: tuple[str, ...]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    over_ssh: bool = False

    @property
    def config(self) -> Mapping[str, str]:
        """Settings of git for it."""
        if self.over_ssh:
            return {"protocol.ssh.allow": "always"}
        scheme = self.url.partition(":")[0]
        shown = ",".join(f"[{a}]" if ":" in a else a for a in self.addresses)
        found = {"http.curloptResolve": f"{self.host}:{self.port}:{shown}"}
        if scheme in ("https", "http"):
            found[f"protocol.{scheme}.allow"] = "always"
        if self.password is not None:
            pair = base64.b64encode(f"{self.username or 'git'}:{self.password}".encode()).decode()
            found["http.extraHeader"] = f"Authorization: Basic {pair}"
        return found


def run(
    *words: str,
    folder: Path,
    seconds: float,
    remote: Remote | None = None,
    stdin: bytes = b"",
    largest: int = LARGEST_MEGABYTES * 1024 * 1024,
    config: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
) -> bytes:
    """What ``git words`` prints, with ``folder`` as its repository.

    Args:
        words: what somebody else has said stands behind ``--`` or is checked not to begin with a dash.
        folder: a bare repository.
        seconds: it is killed then, with all that it has started.
        remote: where it may go; None: nowhere.
        stdin: what it reads.
        largest: bytes of a file that it writes, and of what it prints.
        config: settings of git beside ours.
        variables: of its environment beside ours.

    Raises:
        GitMissingError: there is no git.
        GitFailedError: it ended badly, or was killed.
    """
    settings = {**(remote.config if remote else {}), **(config or {})}
    environment = {**_environment(folder, settings), **(variables or {})}
    # A limit that the process itself sets: nothing runs between fork and exec of a program with threads.
    limits = f"ulimit -f {largest // _BLOCK} && ulimit -v {_MEMORY_KIBIBYTES}"
    limited = ["/bin/sh", "-c", f'{limits} && exec "$@"', "sh", "git", *words]
    # Files, not pipes: what it prints, on behalf of a server or of a tree within a tree, has the limit of a file.
    with tempfile.TemporaryFile(dir=folder) as out, tempfile.TemporaryFile(dir=folder) as err:
        _wait(limited, folder, seconds, environment, remote=remote, stdin=stdin, out=out, err=err)
        out.seek(0)
        return out.read()


def _wait(
    words: Sequence[str],
    folder: Path,
    seconds: float,
    environment: Mapping[str, str],
    *,
    remote: Remote | None,
    stdin: bytes,
    out: IO[bytes],
    err: IO[bytes],
) -> None:
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    except FileNotFoundError:
        raise GitMissingError from None
    try:
        process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise GitFailedError(f"did not end within {seconds:g} s", late=True) from None
    finally:
        _end(process)
    if process.returncode == 127:
        raise GitMissingError
    if process.returncode:
        err.seek(max(0, err.seek(0, os.SEEK_END) - _ERROR_BYTES))
        said = _said(err.read(), remote)
        large = "File too large" in said or process.returncode in (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)
        raise GitFailedError(said, large=large or "signal 25" in said)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of its group, and wait for it."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired, ValueError):
        process.communicate(timeout=_END_SECONDS)


def _environment(folder: Path, config: Mapping[str, str]) -> dict[str, str]:
    settings = {**_CONFIG, **config}
    found = {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(folder),
        "GIT_DIR": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "LC_ALL": "C",
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        found[f"GIT_CONFIG_KEY_{number}"] = name
        found[f"GIT_CONFIG_VALUE_{number}"] = value
    return found


def _said(err: bytes, remote: Remote | None) -> str:
    """What it wrote last, in one line; a server may have said what it was told."""
    text = " ".join(err[-_ERROR_BYTES:].decode("utf-8", "replace").split())
    if remote is not None and remote.password:
        for secret in (
            remote.password,
            remote.config.get("http.extraHeader", "").rpartition(" ")[2] or remote.password,
        ):
            text = text.replace(secret, "***")
    return "".join(c if c.isprintable() else "?" for c in text)[:1000]


def version(folder: Path) -> tuple[int, ...]:
    """Of git; raises as ``run``."""
    words = run("--version", folder=folder, seconds=10).decode().split()
    return tuple(int(part) for part in words[2].split(".")[:2] if part.isdigit()) if len(words) > 2 else ()


def is_same(one: Sequence[int], least: Sequence[int]) -> bool:
    """Whether ``one`` is ``least`` or newer."""
    return tuple(one) >= tuple(least)
