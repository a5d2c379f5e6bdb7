"""Releases of what has them: all that are kept, and one. Going back to one is a deed, and a field of the spec."""

from __future__ import annotations

from typing import Any

from controller.actions import releases
from controller.api import places
from controller.api.asked import Answer, Asked
from controller.api.operations import Operation
from controller.api.problems import not_found
from controller.api.routes import shared
from specs.kinds import KINDS


def made() -> list[Operation]:
    """Of the kind that has releases."""
    kind = releases.KIND
    area = places.areas(kind)[-1]
    address, group, word = f"{places.address(area, kind)}/releases", f"{area}: releases", KINDS[kind].word()
    return [
        Operation(
            "GET", address, "listReleases", group, f"List the releases of an {word}, the newest first.", _list,
            {"items": [_EXAMPLE]}, problems=("not-found",),
            answers={"type": "object", "required": ["items"],
                     "properties": {"items": {"type": "array", "items": _RELEASE}}},
            means="Those that are kept. Each change of image, config vars, processes or settings makes one.",
        ),
        Operation(
            "GET", f"{address}/{{release}}", "getRelease", group, "Read one release: what it runs.",
            _get, _EXAMPLE, answers=_RELEASE, problems=("not-found",),
            means="By its number, with how far it came. It runs again by `POST .../rollback`.",
        ),
    ]  # fmt: skip


def _list(asked: Asked) -> Answer:
    return Answer({"items": [releases.document(each) for each in _of(asked)]})


def _get(asked: Asked) -> Answer:
    found = next((each for each in _of(asked) if str(each.version) == asked.names["release"]), None)
    if found is None:
        raise not_found()
    return Answer(releases.document(found))


def _of(asked: Asked) -> list[releases.Release]:
    path = shared.place(asked, releases.KIND, "read")
    return releases.listed(asked.conn, shared.found(asked, releases.KIND, path))


_EXAMPLE: dict[str, Any] = {
    "version": 42, "state": "deployed", "image": "registry.example.com/shop/web:1.4", "changed": ["image"],
    "settings": {"port": 8080}, "variables": {"DATABASE_URL": 3}, "contentOf": None,
    "by": "dev@acme.example", "why": "faster checkout", "commit": "c0ffee", "madeAt": "2026-11-28T09:00:00Z",
    "deployedAt": "2026-11-28T09:00:20Z", "newest": True, "digest": "", "commandEndedAt": None,
    "commandExitCode": None, "commandFailure": None, "meant": "",
}  # fmt: skip
_RELEASE = {
    "type": "object",
    "required": ["version", "state", "image", "madeAt", "newest"],
    "properties": {
        "version": {"type": "integer"},
        "state": {"enum": ["command failed", "on its way", "never ready", "deployed", "replaced"]},
        "image": {"type": "string"},
        "changed": {"type": "array", "items": {"type": "string"}},
        "variables": {"type": "object", "description": "Version of each config var, by name."},
        "contentOf": {"type": ["integer", "null"]},
        "newest": {"type": "boolean"},
    },
}
