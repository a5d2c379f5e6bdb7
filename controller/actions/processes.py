"""Processes of environments and how many tasks of each run, as the status says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.actions.errors import ActionError
from controller.actions.paths import form, path_of
from controller.actions.released import KIND, PROCESS, SCALE
from controller.actions.standing import Tone, standing
from controller.declared.objects import DeclaredObject, Read
from specs.kinds import KINDS

_ALONE = "web"
_COMMAND = "release"


@dataclass(frozen=True, slots=True)
class Running:
    """Tasks of one process.

    Args:
        owner: the environment.
        process: its name.
        wanted: tasks that are declared.
        running: tasks that run; None: nobody has said.
        image: that is declared.
        tone: how the environment stands; None: nobody has said.
        reason: of its status.
        message: of its status.
    """

    owner: DeclaredObject
    process: str
    wanted: int
    running: int | None
    image: str
    tone: Tone | None
    reason: str
    message: str

    def document(self) -> dict[str, Any]:
        """For programs."""
        return {
            "kind": KINDS[PROCESS].word(),
            "path": f"{self.owner.name}/{self.process}",
            KINDS[KIND].word(): self.owner.name,
            KINDS[PROCESS].word(): self.process,
            "wanted": self.wanted,
            "running": self.running,
            "image": self.image,
            "tone": self.tone,
            "reason": self.reason,
            "message": self.message,
        }


def listed(read: Read, path: str | None, organizations: Sequence[str] = ()) -> list[Running]:
    """Processes of the environments at ``path`` and below it, by name.

    Args:
        read: gives objects.
        path: of names; None: all.
        organizations: only of these, when any is given.

    Raises:
        ActionError: there is no such environment.
    """
    names = path_of(KIND, path)
    owners = read(KIND, names, organizations=organizations)
    if path and not owners:
        raise ActionError(f"there is no {KIND.lower()} {path}", f"write {form(KIND)}; `skypanel get all` lists them")
    declared: dict[tuple[str, ...], dict[str, int]] = {}
    for each in read(PROCESS, names, organizations=organizations):
        if each.path[-1] != _COMMAND and each.deleted_at is None:
            declared.setdefault(each.path[:-1], {})[each.path[-1]] = each.spec.get(SCALE, 1)
    return [
        _running(owner, process, number)
        for owner in owners
        for process, number in _processes(owner, declared.get(owner.path, {}))
    ]


def _processes(owner: DeclaredObject, declared: Mapping[str, int]) -> list[tuple[str, int]]:
    """Those that are declared, and those that still run."""
    wanted = dict(declared) or {_ALONE: owner.spec.get(SCALE, 1)}
    if owner.deleted_at is not None or owner.spec.get("suspended"):
        wanted = dict.fromkeys(wanted, 0)
    return sorted((dict.fromkeys(map(_name, _services(owner)), 0) | wanted).items())


def _running(owner: DeclaredObject, process: str, wanted: int) -> Running:
    services = {_name(name): each for name, each in _services(owner).items()}
    found, status = services.get(process), owner.status
    return Running(
        owner,
        process,
        wanted,
        None if found is None else found.get("running", 0),
        str(owner.spec.get("image") or ""),
        standing(owner).tone,
        status.reason,
        status.message,
    )


def _services(owner: DeclaredObject) -> Mapping[str, Any]:
    return owner.status.details.get("services") or {}


def _name(service: str) -> str:
    """The process that a service is of: what stands between the last hyphen and the tag (``specs.names``)."""
    return service.rpartition("_")[0].rpartition("-")[2] or service
