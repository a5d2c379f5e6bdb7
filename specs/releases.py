"""What a release is: the part of an environment's document that decides what its tasks run, and its place in one. Pure.

Scale, size, place, domains, suspension and restarts are no part of it. What has its default is left out, so that a
field that is added later makes no release of what runs already is another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID, uuid5

import orjson
from pydantic import BaseModel

if TYPE_CHECKING:
    from specs.snapshots import EnvironmentSnapshot

SETTINGS = (
    "deploy_mode",
    "image_ref",
    "entrypoint",
    "cmd",
    "port",
    "ports",
    "volumes",
    "healthcheck",
    "stop_grace_seconds",
    "drain_seconds",
    "stop_signal",
    "restart",
    "read_only_root",
    "init",
    "tmpfs_paths",
    "run_as",
    "ulimits",
    "sysctls",
    "extra_hosts",
    "files",
    "port_check",
    "start_deadline",
)
"""Columns of an environment that a release has, whether its processes are asked whether they listen, and who ends what
is never healthy."""
MARKS = ("port_check", "start_deadline")
"""Those that nobody declares: a new release has them."""
PROCESS = (
    "type",
    "command",
    "args",
    "port",
    "healthcheck",
    "stop_grace_seconds",
    "drain_seconds",
    "stop_signal",
    "restart",
)
"""Columns of a process that a release has."""
SCALE = "instances"
_TODAY = ("id", SCALE, "restart_token", "generation")
"""Columns of a process that are today's, whatever release runs."""


@dataclass(frozen=True, slots=True)
class Release:
    """What is to run.

    Args:
        image: as tasks run it.
        settings: of the environment, without defaults.
        processes: types with what each runs, without defaults; and their scale, which is no part of what it is.
        config: digest of the config vars; None: there are none.
        resolved: what was found out of the image, where it had to be.
    """

    image: str
    settings: Mapping[str, Any]
    processes: tuple[Mapping[str, Any], ...]
    config: str | None
    resolved: Mapping[str, Any] | None

    @property
    def digest(self) -> str:
        """Equal for two that run the same."""
        parts = [self.image, self.settings, _without_scale(self.processes), self.config]
        text = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).hexdigest()


def release_of(snapshot: EnvironmentSnapshot, image: str) -> Release:
    """The release of ``snapshot``, whose tasks run ``image``."""
    resolved = snapshot.resolved
    return Release(
        image=image,
        settings=_dumped(snapshot, SETTINGS),
        processes=tuple(_dumped(process, (*PROCESS, SCALE)) for process in snapshot.processes),
        config=snapshot.config.digest if snapshot.config else None,
        resolved=resolved.model_dump(mode="json") if resolved else None,
    )


def _dumped(model: BaseModel, fields: Iterable[str]) -> dict[str, Any]:
    return model.model_dump(mode="json", include=set(fields), exclude_defaults=True)


def overlaid(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """``document`` with what the release has that it names, in place of its own; itself when it names none.

    A process keeps the scale and the restart token that are declared for its type today. One that only the release has
    runs with the scale of that time, and has no row; one that the release does not have is among ``left_out``.
    """
    pinned = document.get("pinned")
    if not isinstance(pinned, Mapping):
        return document
    settings, rows = pinned["settings"], document.get("processes")
    declared = {row.get("type"): row for row in rows if isinstance(row, Mapping)} if isinstance(rows, list) else {}
    kept = pinned["processes"]
    if not isinstance(rows, list):  # too large to be read: then nobody knows today's scale
        kept = [{name: value for name, value in each.items() if name != SCALE} for each in kept]
    merged = [_merged(each, declared.pop(each["type"], None), str(document["id"])) for each in kept]
    return {
        **{name: value for name, value in document.items() if name not in SETTINGS},
        **{name: settings[name] for name in SETTINGS if name in settings},
        "config": pinned["config"],
        "resolved": pinned["resolved"],
        "processes": merged,
        "left_out": list(_left_out(declared)),
    }


def _merged(kept: Mapping[str, Any], row: Mapping[str, Any] | None, environment: str) -> dict[str, Any]:
    if row is None:
        return {**kept, "id": str(uuid5(UUID(environment), kept["type"])), "declared": False}
    today = {name: row[name] for name in _TODAY if name in row}
    return {**kept, **today}


def _left_out(rows: Mapping[Any, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of process types that the release does not have, by what names them."""
    for row in rows.values():
        yield {name: row[name] for name in ("id", "type", SCALE, "generation") if name in row}


class Content(Protocol):
    """What two releases are compared by."""

    @property
    def image(self) -> str:
        """As tasks run it."""

    @property
    def settings(self) -> Mapping[str, Any]:
        """Of the environment."""

    @property
    def processes(self) -> Sequence[Mapping[str, Any]]:
        """What each runs."""

    @property
    def variables(self) -> Mapping[str, int]:
        """Version of each config var, by name."""


def changes(before: Content, after: Content) -> tuple[str, ...]:
    """What of ``after`` is something else, in words: ``("image", "config A, B", "processes", "cmd")``."""
    found = ["image"] if after.image != before.image else []
    names = sorted(_differing(before.variables, after.variables))
    found += [f"config {', '.join(names)}"] if names else []
    if _without_scale(before.processes) != _without_scale(after.processes):
        found.append("processes")
    return (*found, *sorted(_differing(before.settings, after.settings) - {"image_ref"}))


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> set[str]:
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


def _without_scale(processes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in each.items() if name != SCALE} for each in processes]
