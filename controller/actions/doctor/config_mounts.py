"""Can tasks execute a config? Engines allow it without promising it, and config vars need it.

A task that was started through the helper proves it. Otherwise the mount of any config or secret on this node tells:
all of them are made alike. Nothing is started for this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from controller.actions.doctor.findings import Check, fail, ok
from controller.actions.doctor.firewall import Engine
from reconcilers.helper import PROGRAM

Document = Mapping[str, Any]

NAME = "config vars"
_MOST = 20
"""So many containers are looked into, the oldest first: the edge is among them, and has a config."""
_CONTENT = re.compile(r"/[0-9a-z]{25}")
"""In the file system that the engine makes for a container's secrets and configs, each has its id as its name."""


def examine(engine: Engine, *, local: bool, processes: Path = Path("/proc")) -> Iterator[Check]:
    """What this node's containers show.

    Args:
        engine: of this node.
        local: whether it is on this machine.
        processes: where the kernel shows them.
    """
    query = {"filters": {"label": ["com.docker.swarm.task.id"], "status": ["running"]}}
    running = engine.call("GET", "/containers/json", query=query) or []
    if started_through_it(running):
        yield ok(NAME, "tasks on this node are started through the helper")
        return
    for listed in reversed(running[-_MOST:] if local else ()):
        found = engine.call("GET", f"/containers/{listed['Id']}/json")
        try:
            mounts = (processes / str((found.get("State") or {}).get("Pid")) / "mountinfo").read_text()
        except OSError:
            continue  # it has ended, or is not ours to look at
        verdict = executable(mounts, listed["Id"])
        if verdict is not None:
            yield _verdict(executes=verdict)
            return
    yield ok(
        NAME,
        "not checked: no task on this node shows whether configs can be executed; every engine that was tried does it",
    )


def started_through_it(containers: Iterable[Document]) -> bool:
    """Whether one of these running containers has become its program by the helper."""
    return any(str(each.get("Command") or "").startswith(f"{PROGRAM} ") for each in containers)


def executable(mounts: str, container_id: str) -> bool | None:
    """Whether what is mounted of secrets and configs can be executed.

    Args:
        mounts: as in ``/proc/.../mountinfo``.
        container_id: whose they should be: another process may have the number by now, or in this namespace.

    Returns:
        None when there are none.
    """
    lines = [line.split() for line in mounts.splitlines()]
    if not any(container_id in fields[3] for fields in lines if len(fields) > 5):
        return None
    flags = [f[5].split(",") for f in lines if len(f) > 5 and _CONTENT.fullmatch(f[3]) and "tmpfs" in f[6:]]
    return all("noexec" not in each for each in flags) if flags else None


def _verdict(*, executes: bool) -> Check:
    if executes:
        return ok(NAME, "this engine lets configs be executed, as the helper is")
    return fail(
        NAME,
        "this engine mounts configs so that they cannot be executed: no task with config vars starts on this node",
        "go back to an engine that docs/versions.md lists",
    )
