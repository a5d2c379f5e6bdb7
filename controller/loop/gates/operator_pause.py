"""What is said of an object while an operator has stopped the work on it: who, when, why, and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.records import Key, Pause
from reconcilers.conditions import PAUSED
from specs.kinds import TENANT_WORD

_RESUME = {TENANT_WORD: "--organization NAME", "installation": "--all"}


def message(key: Key, pause: Pause) -> str:
    """A sentence for the status of ``key``."""
    what = {"object": f"this {key.kind}", TENANT_WORD: f"everything of the {TENANT_WORD}"}
    reason = f" ({pause.reason})" if pause.reason else ""
    return (
        f"{pause.by or 'somebody'} paused {what.get(pause.scope, 'the installation')} at {pause.at[:19]}{reason}: "
        "nothing is made, changed, repaired or removed; it goes on with "
        f"`skypanel resume {_RESUME.get(pause.scope, f'{key.kind} PATH')}`"
    )


def was_paused(status: Mapping[str, Any] | None) -> bool:
    """Whether the last status says so."""
    conditions = (status or {}).get("conditions") or ()
    return any(condition["reason"] == PAUSED for condition in conditions)
