"""Releases and what has them, to who reads them: of a database, or of an API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from controller.actions.errors import ActionError
from controller.actions.objects import find_by
from controller.actions.paths import depth, form
from controller.declared.objects import DeclaredObject, Read
from specs.kinds import KINDS, RELEASED

KIND = RELEASED
"""The kind that has releases."""
SCALE = "replicas"
PROCESS = next(
    kind for kind, cls in KINDS.items() if cls.binding.parent == KIND and SCALE in cls.binding.columns
)  # what an environment is made of
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Release:
    """One release.

    Args:
        version: counts up from 1.
        image: as tasks run it.
        changed: what of it is something else than in the one before.
        variables: version of each config var, by name.
        content_of: the release that it has its content of.
        by, why, commit: as whoever made the change said; None: nothing.
        newest: whether it is what is to run now.
        deployed_at: when all tasks ran it first; None: they never did.
        command_ended_at: when its command did; None: it has not, or there is none.
        command_exit_code: with what; None: that is not known, or nothing ran.
        command_failure: how it ended badly; None: it ended well.
        meant: digest of what its image was called, which may be an index; empty: as tasks run it.
    """

    version: int
    image: str
    changed: tuple[str, ...]
    settings: Mapping[str, Any]
    processes: Sequence[Mapping[str, Any]]
    variables: Mapping[str, int]
    content_of: int | None
    by: str | None
    why: str | None
    commit: str | None
    made_at: datetime
    deployed_at: datetime | None
    newest: bool
    digest: str
    command_ended_at: datetime | None = None
    command_exit_code: int | None = None
    command_failure: str | None = None
    meant: str = ""

    @property
    def named(self) -> str:
        """The image by what was meant: others judge it as it was judged, and run the same of it."""
        name, at, digest = self.image.partition("@")
        return f"{name}@{self.meant or digest}" if at else name


def state(release: Release) -> str:
    """How far it came, in words."""
    if release.command_failure is not None:
        return "command failed"
    if release.deployed_at is None:
        return "on its way" if release.newest else "never ready"
    return "deployed" if release.newest else "replaced"


def document(release: Release) -> dict[str, Any]:
    """For programs."""
    return {"state": state(release), **{_camel(name): value for name, value in asdict(release).items()}}


def place(read: Read, path: str) -> DeclaredObject:
    """The object at ``path`` that has releases; the only one below it, where it names an owner that has one.

    Raises:
        ActionError: there is none, or there are several.
    """
    names = tuple(path.strip("/").split("/"))
    if len(names) > depth(KIND) or not all(names):
        raise ActionError(f"{path!r} is not a path of what has releases", f"write {form(KIND)}")
    if len(names) == depth(KIND):
        return find_by(read, KIND, names)
    below = [found for found in read(KIND, names) if found.deleted_at is None]
    if len(below) == 1:
        return below[0]
    if not below:
        raise ActionError(f"{path} has no {KINDS[KIND].word()}", f"write {form(KIND)}; `skypanel get all` lists them")
    named = [found.name for found in below[:_NAMED]]
    more = f" and {len(below) - _NAMED} more" if len(below) > _NAMED else ""
    raise ActionError(f"{path} has {len(below)} {KINDS[KIND].plural()}", f"name one: {', '.join(named)}{more}")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
