"""The documents of a first spec: an App, its Environment, a Process for each type, a Domain where one is named."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from specs.beginning.found import Found, Note
from specs.names import NAME_LIMIT
from specs.resource import API_VERSION
from specs.snapshots import RELEASE_PROCESS

WEB = "web"
_SHELL = re.compile(r"[$`;&|<>(){}*?~#\n]")
_ANSWERS_HERE = 8080


@dataclass(frozen=True, slots=True)
class Wanted:
    """What no file says.

    Args:
        organization: that the app is to belong to.
        app: its name.
        environment: name of its environment.
        image: that it runs.
        plan: that limits its tasks; empty: none is written.
        hostname: that leads to it; empty: none.
    """

    organization: str
    app: str
    environment: str
    image: str
    plan: str = ""
    hostname: str = ""


def slug(text: str) -> str:
    """A name of that form, as near to ``text`` as can be; empty: nothing of it can be one."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:NAME_LIMIT].rstrip("-")


def documents(found: Found, wanted: Wanted) -> list[dict[str, Any]]:
    """In the order of their owners."""
    where = {"environment": wanted.environment, "app": wanted.app, "organization": wanted.organization}
    serves = not found.processes or WEB in found.processes
    port = found.port if found.port is not None else _ANSWERS_HERE if WEB in found.processes else None
    environment: dict[str, Any] = {"image": wanted.image, **({"plan": wanted.plan} if wanted.plan else {})}
    if not found.processes:
        environment |= _running(found, WEB, port)
    made = [
        _document("App", {"name": wanted.app, "organization": wanted.organization}, {}),
        _document(
            "Environment",
            {"name": wanted.environment, "app": wanted.app, "organization": wanted.organization},
            environment,
        ),
    ]
    for kind, line in found.processes.items():
        spec = {"command": _words(line)}
        if kind != RELEASE_PROCESS:
            spec |= _running(found, kind, port if kind == WEB else None)
        made.append(_document("Process", {"name": kind, **where}, spec))
    if wanted.hostname and serves:
        made.append(_document("Domain", {"name": wanted.hostname, **where}, {}))
    return made


def notes(found: Found, wanted: Wanted) -> Iterator[Note]:
    """What whoever reads the documents has to know, beside what files say."""
    if found.processes and found.entry_point:
        said = "the image's ENTRYPOINT is not run: a process has the whole command of its line"
        yield Note("Procfile", said, "begin the line with it where it is needed, or have args in place of command")
    if WEB in found.processes and found.port is None:
        yield Note("Procfile", f"no file says a port: web gets {_ANSWERS_HERE} as PORT", "correct spec.port")
    if not found.processes and found.port is None:
        yield Note("Dockerfile", "no file says a port, so nothing leads to it", "write spec.port where it listens")
    for kind in sorted({*found.replicas, *found.checks} - {*found.processes, *([] if found.processes else [WEB])}):
        yield Note("app.json", f"{kind} is in no Procfile", "write its Process by hand")
    if wanted.hostname and found.processes and WEB not in found.processes:
        yield Note("Procfile", f"there is no process web that {wanted.hostname} could lead to")


def _running(found: Found, kind: str, port: int | None) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if kind in found.replicas:
        spec["replicas"] = found.replicas[kind]
    if port is not None:
        spec["port"] = port
    if kind in found.checks and port is not None:
        spec["healthcheck"] = {"http": {"path": found.checks[kind]}}
    return spec


def _words(line: str) -> list[str]:
    """As a shell would split it; what needs a shell has one."""
    if not _SHELL.search(line):
        with suppress(ValueError):
            words = shlex.split(line)
            if words and words[0]:
                return words
    return ["sh", "-c", line]


def _document(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, **({"spec": spec} if spec else {})}
