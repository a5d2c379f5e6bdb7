"""Releases of the simulated database: what ``skypanel.make_release`` makes, and the snapshot view says of them.

An environment names one by its content, as the view gives it: ``pinned=releases.pinned(database, environment, 3)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from controller.records import Key
from controller.store import state as real
from specs.releases import MARKS, Release

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase


class Ended(NamedTuple):
    """What is on record of a release's command; ``at`` None: it has not ended."""

    tries: int = 0
    at: float | None = None
    exit_code: int | None = None
    failure: str | None = None


class Kept(NamedTuple):
    """A row of the releases; ``config`` is what the environment's document says of its config vars."""

    version: int
    digest: str
    content: Release
    config: Any
    deployed: bool = False
    command: Ended = Ended()
    content_of: int | None = None
    moved: bool = False
    """Whether nobody has changed the environment: what its tag means is another content."""


def make(database: SimDatabase, environment_id: str, generation: int, release: Release) -> tuple[int | None, int]:
    """The version, None when it is out of date; and how many rows changed."""
    kept = database.releases.setdefault(environment_id, [])
    if kept and kept[-1].digest == release.digest:
        return kept[-1].version, 0
    row = database.objects.get(Key("environment", environment_id))
    if row is None or row.generation != generation:
        return None, 0
    document = orjson.loads(row.document)
    config, named = document.get("config"), (document.get("pinned") or {}).get("version")
    if named is not None:
        config = _of(kept, named).config
    if (config or {}).get("digest") != release.config:
        return None, 0
    version = kept[-1].version + 1 if kept else 1
    moved = named is None and bool(kept) and _moved(kept[-1], release)
    kept.append(Kept(version, release.digest, release, config, content_of=named, moved=moved))
    ran = max((each.version for each in kept if each.deployed), default=None)
    kept[:] = [each for each in kept if each.version > version - real.RELEASES or each.version in (named, ran)]
    return version, 1


def _moved(newest: Kept, release: Release) -> bool:
    before = newest.content
    if newest.content_of is not None or "@" not in before.image or "@" not in release.image:
        return False
    return before.image != release.image and _but_image(before) == _but_image(release)


def _but_image(release: Release) -> tuple[Any, ...]:
    settings = {name: value for name, value in release.settings.items() if name not in MARKS}
    processes = [{name: value for name, value in each.items() if name != "instances"} for each in release.processes]
    return settings, processes, release.config


def deployed(database: SimDatabase, environment_id: str, version: int) -> int:
    """How many rows changed."""
    kept = database.releases.get(environment_id, [])
    found = [number for number, each in enumerate(kept) if each.version == version and not each.deployed]
    for number in found:
        kept[number] = kept[number]._replace(deployed=True)
    return len(found)


def command_begins(database: SimDatabase, environment_id: str, version: int, tries: int) -> bool:
    """Whether the newest release is this one, and its command has not ended."""
    kept = database.releases.get(environment_id)
    if not kept or kept[-1].version != version or kept[-1].deployed:
        return False
    return kept[-1].command.tries == tries and kept[-1].command.at is None


def command_ended(database: SimDatabase, environment_id: str, version: int, said: Ended) -> int:
    """How many rows changed; what ended well stays so."""

    def ends(before: Ended) -> Ended:
        well = before.at is not None and before.failure is None
        return before if before.tries != said.tries or well else said

    return _commanded(database, environment_id, version, ends)


def command_again(database: SimDatabase, environment_id: str, version: int, tries: int) -> int:
    """How many rows changed."""

    def begins(before: Ended) -> Ended:
        return Ended(tries + 1) if before.tries == tries and before.failure is not None else before

    return _commanded(database, environment_id, version, begins)


def _commanded(database: SimDatabase, environment_id: str, version: int, change: Callable[[Ended], Ended]) -> int:
    kept = database.releases.get(environment_id, [])
    for number, each in enumerate(kept):
        if each.version == version and (after := change(each.command)) != each.command:
            kept[number] = each._replace(command=after)
            return 1
    return 0


def pinned(database: SimDatabase, environment: Key, version: int) -> dict[str, Any]:
    """What the view says of the release that an environment names."""
    row = _of(database.releases[environment.id], version)
    content = {"settings": row.content.settings, "processes": row.content.processes, "config": row.config}
    return {"version": version, **content, "resolved": row.content.resolved}


def with_releases(document: bytes, kept: Sequence[Kept]) -> bytes:
    """``document`` as the view gives it: with the newest release."""
    found = orjson.loads(document)
    if not isinstance(found, dict):
        return document
    newest = kept[-1]
    at = newest.command.at
    command = {**newest.command._asdict(), "ended_at": None if at is None else datetime.fromtimestamp(at, UTC)}
    del command["at"]
    signal = (newest.content.resolved or {}).get("stop_signal")
    said = {"version": newest.version, "digest": newest.digest, "deployed": newest.deployed, "stop_signal": signal}
    said["command"] = command
    said["images"] = _images(kept)
    return orjson.dumps({**found, "release": said})


def _images(kept: Sequence[Kept]) -> list[dict[str, Any]]:
    """Images of the newest release, and of those before it that may serve; the newest first."""
    ran = max((each.version for each in kept if each.deployed), default=0)
    serving = sorted(
        (each for each in kept if each.version >= ran), key=lambda each: (not each.deployed, -each.version)
    )
    newest = sorted(serving[:10], key=lambda each: -each.version)
    return [{"image": e.content.image, "digests": (e.content.resolved or {}).get("digests")} for e in newest]


def _of(kept: Sequence[Kept], version: int) -> Kept:
    return next(each for each in kept if each.version == version)
