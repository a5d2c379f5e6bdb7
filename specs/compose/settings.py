"""What a task is run with beside its program: signal, limits, kernel settings, host names, writable paths with a size.

Each part is taken by itself: one that no environment can have is told, and the others are written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from specs.compose import values
from specs.compose.report import shown
from specs.problems import RefusedError
from specs.run_rules import check_extra_hosts, check_sysctls
from specs.units import format_memory

if TYPE_CHECKING:
    from specs.compose.service import ServiceReader

_SIZE = "size="
_MIB = 1024**2
_ANY = "-1"


def run_settings(reader: ServiceReader) -> None:
    """Fill in the fields of the environment."""
    signal = reader.read(values.text, "stop_signal")
    if signal:
        reader.put("stopSignal", signal if signal.startswith("SIG") else f"SIG{signal}", "stop_signal")
    sysctls = {name: _number(value) for name, value in (reader.read(values.labels, "sysctls") or {}).items()}
    reader.put("sysctls", _one_by_one(reader, "sysctls", sysctls, check_sysctls), "sysctls")
    hosts = reader.read(_hosts, "extra_hosts") or {}
    reader.put("extraHosts", _one_by_one(reader, "extra_hosts", hosts, check_extra_hosts), "extra_hosts")
    reader.put("ulimits", _ulimits(reader), "ulimits")


def sized(path: str, options: str, more: Callable[[], None]) -> str | dict[str, str]:
    """An entry of ``tmpfs``: ``/run:size=64m``.

    Args:
        path: as it is written.
        options: behind its colon.
        more: called when there are others than the size.
    """
    size = None
    for option in filter(None, options.split(",")):
        if option.startswith(_SIZE):
            size = values.mebibytes(option.removeprefix(_SIZE))
        else:
            more()
    return entry(path, size)


def entry(path: str, size: int | None) -> str | dict[str, str]:
    """An entry of ``tmpfs``, with its size in MiB if it has one."""
    normal = values.normal_path(path)
    return normal if not size else {"path": normal, "size": format_memory(size)}


def _one_by_one(
    reader: ServiceReader, key: str, given: Mapping[str, Any], check: Callable[[Mapping[str, Any]], Any]
) -> dict[str, Any] | None:
    """Those of ``given`` that an environment can have; the others are told."""
    kept = {}
    filled = bool(reader.report.used(reader.service.keys[key])) if key in reader.service.keys else False
    for name, value in given.items():
        try:
            check({name: value})
        except RefusedError as error:
            said = "what its variables make of it cannot be used" if filled else error.message
            reader.note(key, f"{shown(name)} is left out: {said}", "" if filled else error.hint)
        else:
            kept[name] = value
    return kept or None


def _ulimits(reader: ServiceReader) -> dict[str, Any] | None:
    """``nofile`` as a number and ``memlock`` as memory: what a program may at most have counts."""
    found: dict[str, Any] = {}
    given = reader.read(_limits, "ulimits") or {}
    for name, limit in given.items():
        if name == "nofile" and limit.isdecimal():
            found[name] = int(limit)
        elif name == "memlock" and limit.isdecimal() and int(limit):
            found[name] = format_memory(math.ceil(int(limit) / _MIB))
        else:
            reader.partly("ulimits", f"{shown(name)}{' without a limit' if limit == _ANY else ''}")
    return found or None


def _limits(value: Any) -> dict[str, str]:
    """The hard limit of each, as text."""
    if not isinstance(value, dict):
        raise RefusedError("is no mapping", "such as {nofile: 65536}")
    return {name: values.text(each.get("hard") if isinstance(each, dict) else each) for name, each in value.items()}


def _hosts(value: Any) -> dict[str, str]:
    """Address by name: a mapping, or a list of ``name=address`` or ``name:address``."""
    if isinstance(value, dict):
        return {name: values.text(address) for name, address in value.items()}
    found = {}
    for line in values.texts(value):
        name, parting, address = line.partition("=") if "=" in line else line.partition(":")
        if not parting:
            raise RefusedError("has an entry that names no address", 'such as "db.example.com:203.0.113.7"')
        found[name.strip()] = address.strip().removeprefix("[").removesuffix("]")
    return found


def _number(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdecimal() and text.isascii() else " ".join(text.split())
