"""Rules of what a task is run with beside its program: kernel settings, host names, files, writable paths.

Each returns its argument, or the form in which it is kept, or raises ``RefusedError``. What a file holds is never in a
message. The database's rules are the same: the migration ``settings``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from typing import Any

from specs import rules, units
from specs.problems import Problem, RefusedError, quote

NOFILE = (1024, 1_048_576)
SYSCTLS: Mapping[str, tuple[int, int]] = {
    "net.core.somaxconn": (1, 65_535),
    "net.ipv4.ip_unprivileged_port_start": (0, 65_535),
    "net.ipv4.tcp_fin_timeout": (1, 3600),
    "net.ipv4.tcp_keepalive_intvl": (1, 32_767),
    "net.ipv4.tcp_keepalive_probes": (1, 127),
    "net.ipv4.tcp_keepalive_time": (1, 32_767),
    "net.ipv4.tcp_max_syn_backlog": (1, 65_535),
    "net.ipv4.tcp_syncookies": (0, 2),
}
"""Of the task's own network namespace, so nobody else notices; with their lowest and highest value."""
PORT_RANGE = "net.ipv4.ip_local_port_range"
"""Two ports, as text."""
HOSTS = 64
FILES = 32
FILE_BYTES = 100_000
"""Of all files of an environment, paths and texts together."""
SIZE = ":size="
"""What stands between a writable path and its size, as in ``docker run --tmpfs``."""

_RANGE = re.compile(r"([1-9][0-9]{0,4}) ([1-9][0-9]{0,4})", re.ASCII)
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*", re.ASCII)
_OURS = re.compile(r"(.*\.)?(internal|localhost)", re.ASCII)
_SIZE = re.compile(r"([1-9][0-9]{0,6})Mi", re.ASCII)
_METADATA = frozenset(map(ip_address, ("100.100.100.200", "168.63.129.16", "192.0.0.192", "fd00:ec2::254")))
"""Where clouds tell a machine its secrets; the others are link-local."""
_HELPERS = "/.skypanel"


def check_sysctls(settings: Mapping[str, Any]) -> dict[str, int | str] | None:
    """Settings of the kernel that are the task's own; None when there are none."""
    for name, value in settings.items():
        if name == PORT_RANGE:
            ports = _RANGE.fullmatch(value) if isinstance(value, str) else None
            if ports is None or not 1024 <= int(ports[1]) < int(ports[2]) <= 65_535:
                raise RefusedError(f"{name} is not a range of ports", 'two of 1024 to 65535, such as "15000 64000"')
        elif name not in SYSCTLS:
            raise RefusedError(f"{quote(name)} cannot be set", f"one of: {', '.join(sorted([*SYSCTLS, PORT_RANGE]))}")
        else:
            low, high = SYSCTLS[name]
            if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
                raise RefusedError(f"{name} is not a whole number from {low} to {high}")
    return dict(sorted(settings.items())) or None


def check_extra_hosts(hosts: Mapping[str, str]) -> dict[str, str] | None:
    """Host names that tasks know by an address; None when there are none."""
    for name, address in hosts.items():
        if not _HOST.fullmatch(name) or name.rpartition(".")[2].isdecimal():
            raise RefusedError(f"{quote(name)} is not a host name", "lower case letters, digits, hyphens and dots")
        if _OURS.fullmatch(name):
            raise RefusedError(f"{quote(name)} is not yours to give", "not localhost, and nothing below internal")
        _check_address(address)
    if len(hosts) > HOSTS:
        raise RefusedError(f"has {len(hosts)} host names", f"at most {HOSTS}")
    return dict(sorted(hosts.items())) or None


def _check_address(text: str) -> None:
    try:
        address = ip_address(text)
    except ValueError:
        raise RefusedError(f"{quote(text)} is not an address", "such as 203.0.113.7 or 2001:db8::7") from None
    if str(address) != text:
        raise RefusedError(f"{quote(text)} is not written as addresses are", f"write {address}")
    special = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
        or address in _METADATA
    )
    if special:
        raise RefusedError(
            f"{text} is not the address of another machine", "no loopback, link-local or metadata address"
        )


def check_files(files: Mapping[str, str]) -> dict[str, str] | None:
    """Files that tasks find at a path, by that; None when there are none."""
    paths = tuple(sorted(files))
    if len(paths) > FILES:
        raise RefusedError(f"has {len(paths)} files", f"at most {FILES}")
    rules.check_tmpfs_paths(paths)
    for path in paths:
        if path == _HELPERS or path.startswith(f"{_HELPERS}/"):
            raise RefusedError(f"{quote(path)} belongs to the platform", f"nothing below {_HELPERS}")
        if not files[path]:
            raise RefusedError(f"{quote(path)} is empty", "an engine takes no empty file: leave it out")
        if "\0" in files[path]:
            raise RefusedError(f"{quote(path)} has a NUL character", "only text can be given so")
    below = next((path for path in paths for other in paths if path.startswith(f"{other}/")), None)
    if below is not None:
        raise RefusedError(f"{quote(below)} is below another file", "a file is no folder")
    size = sum(len(part.encode()) for item in files.items() for part in item)
    if size > FILE_BYTES:
        raise RefusedError(f"has {size} bytes", f"at most {FILE_BYTES}, names and texts of all files together")
    return {path: files[path] for path in paths} or None


def tmpfs_text(entry: Any) -> Any:
    """An entry as it is kept: ``/path``, or ``/path:size=64Mi`` for one that was written with its size."""
    if not isinstance(entry, Mapping):
        return entry
    if not isinstance(entry.get("path"), str) or set(entry) - {"path", "size"}:
        raise RefusedError("has an entry that is no path", "write /tmp, or {path: /tmp, size: 128Mi}")
    size = entry.get("size")
    return entry["path"] if size is None else f"{entry['path']}{SIZE}{units.parse_memory(size)}Mi"


def tmpfs_of(text: str) -> tuple[str, int | None]:
    """Path and size in MiB of an entry as it is kept; None: the usual size."""
    path, found, size = text.partition(SIZE)
    return (path, int(size.removesuffix("Mi"))) if found else (path, None)


def tmpfs_shown(entries: tuple[str, ...]) -> list[str | dict[str, str]]:
    """As it is written in a file."""
    found = map(tmpfs_of, entries)
    return [path if size is None else {"path": path, "size": units.format_memory(size)} for path, size in found]


def check_tmpfs(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Paths where an empty writable file system is put, some with a size."""
    for entry in entries:
        _, found, size = entry.partition(SIZE)
        if found and not (_SIZE.fullmatch(size) and units.check_memory(int(size[:-2]))):
            raise RefusedError(f"{quote(entry)} has no size after {SIZE}", f"such as /tmp{SIZE}128Mi")
    rules.check_tmpfs_paths(tuple(entry.partition(SIZE)[0] for entry in entries))
    return entries


def covered(files: Iterable[str], tmpfs: Iterable[str]) -> Iterator[Problem]:
    """Files that stand where a writable path is, or above one; entries of ``tmpfs`` as they are kept."""
    for path, _ in map(tmpfs_of, tmpfs):
        for file in files:
            if path == file or path.startswith(f"{file}/"):
                hint = "leave one of them out"
                yield Problem("files", None, f"{quote(file)} is where tmpfs puts {path}", hint, ("files",))
