"""Numbers of the whole platform, for whoever runs it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.access.roles import Verb
from controller.api.asked import Answer, Asked
from controller.api.examples import SERVES
from controller.api.operations import Operation
from controller.api.places import PREFIX
from controller.api.routes.controller import for_platform
from controller.declared import numbers
from specs.kinds import KINDS

_STATES = ("ready", "progressing", "stalled", "unknown", "deleting", "declared")
_EXAMPLE: dict[str, Any] = {
    "at": "2026-11-28T09:00:00Z",
    "kinds": {KINDS[SERVES].word(): {"total": 42, "ready": 40, "progressing": 1, "stalled": 1}},
}


def _numbers(asked: Asked) -> Answer:
    for_platform(asked, Verb.READ)
    found = numbers.of_platform(asked.conn)
    kinds = {kind: {"total": sum(states.values()), **states} for kind, states in found.items()}
    return Answer({"at": datetime.now(UTC), "kinds": kinds})


OPERATIONS = [
    Operation(
        "GET", f"{PREFIX}/admin/metrics", "getMetrics", "admin: controller",
        "Say how many objects of each kind there are, and how they stand.", _numbers, _EXAMPLE,
        problems=("not-found",),
        answers={"type": "object", "required": ["at", "kinds"], "properties": {
            "at": {"type": "string", "format": "date-time"},
            "kinds": {"type": "object", "additionalProperties": {
                "type": "object", "required": ["total"], "additionalProperties": {"type": "integer", "minimum": 0}}}}},
        means=f"Each is one of {', '.join(_STATES)}; of the last nothing is ever said. What is not there is 0. Nodes "
        "are counted by what was seen of them last, once something sees them.",
    ),
]  # fmt: skip
