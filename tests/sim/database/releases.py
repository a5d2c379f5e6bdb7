"""Releases of the simulated database: what ``skypanel.make_release`` makes, and the snapshot view says of them.

An environment names one by its content, as the view gives it: ``pinned=releases.pinned(database, environment, 3)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from controller.records import Key
from controller.store import state as real
from specs.releases import Release

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase


class Kept(NamedTuple):
    """A row of the releases; ``config`` is what the environment's document says of its config vars."""

    version: int
    digest: str
    content: Release
    config: Any
    deployed: bool = False


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
    kept.append(Kept(version, release.digest, release, config))
    ran = max((each.version for each in kept if each.deployed), default=None)
    kept[:] = [each for each in kept if each.version > version - real.RELEASES or each.version in (named, ran)]
    return version, 1


def deployed(database: SimDatabase, environment_id: str, version: int) -> int:
    """How many rows changed."""
    kept = database.releases.get(environment_id, [])
    found = [number for number, each in enumerate(kept) if each.version == version and not each.deployed]
    for number in found:
        kept[number] = kept[number]._replace(deployed=True)
    return len(found)


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
    found["release"] = {"version": newest.version, "digest": newest.digest, "deployed": newest.deployed}
    return orjson.dumps(found)


def _of(kept: Sequence[Kept], version: int) -> Kept:
    return next(each for each in kept if each.version == version)
