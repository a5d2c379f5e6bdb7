"""Conditions: how far an object is, and why, after kstatus.

``Ready`` is always there. ``Reconciling`` and ``Stalled`` are there only when they are true, never both, and never
beside ``Ready=True``. ``check`` names every broken rule; it is run on each status before it is written, so that a
reconciler cannot say something that is not so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

READY = "Ready"
RECONCILING = "Reconciling"
STALLED = "Stalled"
PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
"""Reason of ``Reconciling`` when a rollout takes longer than it may: others need not wait for it any more."""
PAUSED = "Paused"
"""Reason of ``Ready=Unknown``."""
FUSE_TRIPPED = "FuseTripped"
"""Reason of ``Reconciling`` when a removal waits for somebody who confirms it."""

ConditionStatus = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about an object.

    Args:
        type: ``Ready``, ``Reconciling`` or ``Stalled``.
        status: ``True``, ``False`` or ``Unknown``.
        reason: CamelCase word a program can switch on.
        message: a sentence for a person; says what to do next when something is wrong.
    """

    type: str
    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Status:
    """What is written for one object after one reconcile.

    Args:
        kind: kind of the object, such as ``environment``.
        id: its UUID as text.
        organization_id: the tenant, or None when the row is gone and the tenant is not known.
        observed_generation: the generation this status speaks of.
        conditions: see the module.
        details: small facts for a person (replicas running, subnet); never a secret.
        finalized: nothing live remains of a deleted object.
    """

    kind: str
    id: str
    organization_id: str | None
    observed_generation: int
    conditions: tuple[Condition, ...]
    details: dict[str, object]
    finalized: bool = False

    @property
    def ready(self) -> Condition:
        """The ``Ready`` condition."""
        return next(c for c in self.conditions if c.type == READY)


def ready(reason: str, message: str) -> tuple[Condition, ...]:
    """Converged."""
    return (Condition(READY, "True", reason, message),)


def progressing(reason: str, message: str) -> tuple[Condition, ...]:
    """On its way; it will be looked at again without anybody's doing."""
    return (Condition(READY, "False", reason, message), Condition(RECONCILING, "True", reason, message))


def stalled(reason: str, message: str) -> tuple[Condition, ...]:
    """Nothing more will be tried until the spec changes."""
    return (Condition(READY, "False", reason, message), Condition(STALLED, "True", reason, message))


def paused(message: str) -> tuple[Condition, ...]:
    """Nobody looks: an operator has stopped the work on it."""
    return (Condition(READY, "Unknown", PAUSED, message),)


def is_stuck(conditions: Sequence[Condition]) -> bool:
    """Whether it does not get on: it is stalled, or late."""
    state = conditions[-1]
    return state.type == STALLED or state.reason == PROGRESS_DEADLINE_EXCEEDED


def check(conditions: Sequence[Condition], *, generation: int, observed_generation: int) -> list[str]:
    """Name each rule of kstatus that ``conditions`` breaks; an empty list is good.

    The rules are those of fluxcd/pkg ``runtime/conditions/check``.
    """
    by_type = {c.type: c for c in conditions}
    broken: list[str] = []
    if len(by_type) != len(conditions):
        broken.append("a condition type appears twice")
    is_ready = READY in by_type and by_type[READY].status == "True"
    reconciling = RECONCILING in by_type
    stalled_ = STALLED in by_type
    if READY not in by_type:
        broken.append("Ready is missing")
    if is_ready and (reconciling or stalled_):
        broken.append("Ready=True beside Reconciling or Stalled")
    if reconciling and stalled_:
        broken.append("Reconciling and Stalled at once")
    broken.extend(
        f"{kind} is present but not True"
        for kind in (RECONCILING, STALLED)
        if kind in by_type and by_type[kind].status != "True"
    )
    if observed_generation > generation:
        broken.append("observed_generation is ahead of generation")
    if is_ready and observed_generation < generation:
        broken.append("Ready=True for an older generation")
    broken.extend(f"{c.type} has no reason or no message" for c in conditions if not (c.reason and c.message))
    return broken
