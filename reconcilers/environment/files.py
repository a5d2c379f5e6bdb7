"""Files of an environment: Swarm configs, each named by what is in it, and where tasks find them. Pure.

A changed text is another config, and with it another task template: tasks are replaced, and go back with it.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from reconcilers.environment.names import owner_of
from reconcilers.objects import Config, SpecDocument
from reconcilers.ports import Options
from specs.snapshots import EnvironmentSnapshot

_READABLE_BY_ALL = 0o444


def configs(snapshot: EnvironmentSnapshot, options: Options) -> tuple[Config, ...]:
    """The contents; one for files of the same text."""
    return tuple({config.name: config for config in _by_path(snapshot, options).values()}.values())


def with_files(container: SpecDocument, snapshot: EnvironmentSnapshot, options: Options) -> SpecDocument:
    """``container`` with its files; the same one where there are none."""
    if not snapshot.files:
        return container
    references = [config.file(path, mode=_READABLE_BY_ALL) for path, config in _by_path(snapshot, options).items()]
    return {**container, "Configs": [*container.get("Configs", ()), *references]}


def _by_path(snapshot: EnvironmentSnapshot, options: Options) -> dict[str, Config]:
    owner = owner_of(snapshot, options)
    found = {}
    for path, text in (snapshot.files or {}).items():
        data = text.encode()
        digest = hashlib.sha256(f"{snapshot.of_run or snapshot.id}\0".encode() + data).hexdigest()
        found[path] = replace(Config.versioned(f"{snapshot.swarm_name}-file", digest, labels=owner), data=data)
    return found
