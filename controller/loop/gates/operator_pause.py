"""An object on which an operator has stopped the work: nothing is done but to say who, when, why, and what ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from controller.loop.context import ReconcileContext
from controller.records import Key, Loaded, Pause
from reconcilers.conditions import PAUSED, paused
from reconcilers.outcomes import Done, Outcome
from reconcilers.registry import Reconciler
from specs.kinds import TENANT_WORD, names_in


def leave_alone(
    context: ReconcileContext, loaded: Loaded, by: Pause, reconciler: Reconciler, on_pause: Callable[[], None]
) -> Outcome:
    """Touch nothing, and say so of the object and of its children; also when it is to be deleted.

    Args:
        context: of the reconcile.
        loaded: the object.
        by: the pause.
        reconciler: of its kind.
        on_pause: called when it was not said to be paused before.
    """
    if loaded.document is None or (loaded.status or {}).get("finalized"):
        return Done()  # nothing is left of it that a status could speak of
    with suppress(ValidationError):
        if loaded.unreadable is None:
            snapshot = reconciler.snapshot.model_validate(loaded.document)
            context.draft.children = reconciler.children(snapshot)
    conditions = paused(message(loaded.key, by, loaded.document))
    context.draft.state_all(conditions)
    if not was_paused(loaded.status):
        context.draft.event("Normal", conditions[0].reason, conditions[0].message)
        on_pause()
    return Done()


def message(key: Key, pause: Pause, document: Mapping[str, Any] | None = None) -> str:
    """A sentence for the status of ``key``, whose names are in ``document``."""
    what = {"object": f"this {key.kind}", TENANT_WORD: f"everything of the {TENANT_WORD}"}
    reason = f" ({pause.reason})" if pause.reason else ""
    return (
        f"{pause.by or 'somebody'} paused {what.get(pause.scope, 'the installation')} at {_at(pause)}{reason}: "
        "nothing is created, changed, repaired or removed until "
        f"`skypanel resume {_target(key, pause.scope, names_in(key.kind, document or {}))}`"
    )


def _at(pause: Pause) -> str:
    return f"{datetime.fromisoformat(pause.at).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _target(key: Key, scope: str, names: Sequence[str]) -> str:
    """What to give to ``resume``, as it was given to ``pause``."""
    if scope == "object":
        return f"{key.kind} {'/'.join(names) or 'PATH'}"
    return f"--{TENANT_WORD} {names[0] if names else 'NAME'}" if scope == TENANT_WORD else "--all"


def was_paused(status: Mapping[str, Any] | None) -> bool:
    """Whether the last status says so."""
    conditions = (status or {}).get("conditions") or ()
    return any(condition["reason"] == PAUSED for condition in conditions)
