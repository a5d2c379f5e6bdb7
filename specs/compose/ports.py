"""Ports of containers, in the short and the long form; ports of hosts are nobody's here."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from specs.problems import RefusedError

_SHORT = re.compile(
    r"(?:(?:\[[0-9a-fA-F:.]+\]|[0-9.]*|[0-9a-fA-F:]+):)?(?:[0-9]*(?:-[0-9]+)?:)?([0-9]+)(?:-[0-9]+)?(?:/([a-z]+))?",
    re.ASCII,
)
_LAST = 65535


@dataclass(slots=True)
class Opened:
    """Of a list of ports.

    Args:
        ports: in the container, over TCP; of a range, the first.
        without: words for those that are no such ports.
        entries: how many there are in all.
    """

    ports: list[int] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    entries: int = 0


def opened(value: Any) -> Opened:
    """The ports of ``ports`` or ``expose``.

    Raises:
        RefusedError: one of them is none.
    """
    if not isinstance(value, list):
        raise RefusedError("is not a list of ports", 'such as ["8080:80"]')
    found = Opened()
    for entry in value:
        port, protocol = _one(entry)
        found.entries += 1
        if not 0 < port <= _LAST:
            raise RefusedError("has a port that is none", f"1 to {_LAST}")
        if protocol == "tcp":
            found.ports.append(port)
        else:
            found.without.append(f"port {port} over {protocol}")
    return found


def _one(entry: Any) -> tuple[int, str]:
    if isinstance(entry, dict):
        return _one(f"{entry.get('target', '')}/{entry.get('protocol') or 'tcp'}")
    match = _SHORT.fullmatch(str(entry).strip())
    if match is None or isinstance(entry, bool) or len(match[1]) > len(str(_LAST)):
        raise RefusedError("has an entry that is not a port", 'such as "8080:80" or "53/udp"')
    return int(match[1]), match[2] or "tcp"
