"""Which processes are to run how many tasks, in words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from controller.actions.errors import ActionError
from controller.actions.released import KIND, PROCESS, SCALE
from controller.declared.objects import DeclaredObject, Read
from specs.kinds import KINDS
from specs.problems import closest, quote

_PAIR = re.compile(r"(?P<name>[^=]*)=(?P<number>[0-9]{1,6})", re.ASCII)
_ALONE = "web"
"""What an environment without processes is called where one is meant."""


def parse(words: Sequence[str]) -> dict[str, int]:
    """``web=3 worker=1`` as numbers by name.

    Raises:
        ActionError: a word is something else, or a name is there twice.
    """
    found: dict[str, int] = {}
    for word in words:
        said = _PAIR.fullmatch(word)
        if said is None or not said["name"]:
            raise ActionError(f"{quote(word)} is not PROCESS=NUMBER", "write web=3, or web=3 worker=1")
        if said["name"] in found:
            raise ActionError(f"{said['name']} is there twice", "keep one of them")
        found[said["name"]] = int(said["number"])
    return found


def chosen(read: Read, owner: DeclaredObject, wanted: Mapping[str, int]) -> list[tuple[DeclaredObject, int]]:
    """Objects whose spec has the number of tasks, and that number.

    Raises:
        ActionError: ``owner`` has no such process.
    """
    heir, _ = KINDS[KIND].facts.overruled[SCALE]
    assert heir == PROCESS
    there = {
        each.path[-1]: each
        for each in read(PROCESS, owner.path)
        if each.path[:-1] == owner.path and each.deleted_at is None
    }
    found: list[tuple[DeclaredObject, int]] = []
    for name, number in wanted.items():
        one = there.get(name) if there else owner if name == _ALONE else None
        if one is None:
            raise ActionError(f"{owner.name} has no process {quote(name)}", _hint(name, list(there)))
        found.append((one, number))
    return found


def _hint(name: str, there: Sequence[str]) -> str:
    if not there:
        return f"it declares no processes: write {_ALONE}=NUMBER"
    return closest(name, there) or f"it has {', '.join(there)}"
