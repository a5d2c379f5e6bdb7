"""What every reconcile of one kind works with, in one record: the ports, the gates, and what is remembered of tasks."""

from __future__ import annotations

from dataclasses import dataclass

from controller.loop.gates.fuse import Fuse
from controller.loop.gates.rollout_slots import RolloutSlots
from controller.loop.gates.self_heal import SelfHealBackoff
from controller.loop.ports import Store, Swarm
from controller.loop.stability import Stability
from reconcilers.ports import Options


@dataclass(frozen=True, slots=True)
class Tools:
    """One kind's.

    Args:
        store: the database.
        swarm: the engine.
        fuse: says whether something may be taken away.
        self_heal: spaces repairs out.
        rollouts: limits how many objects start tasks at once; None: the kind is not limited.
        stability: tells tasks that have run for a while.
        options: what renders depend on.
        quarantine_seconds: rest of a freed subnet.
    """

    store: Store
    swarm: Swarm
    fuse: Fuse
    self_heal: SelfHealBackoff
    rollouts: RolloutSlots | None
    stability: Stability
    options: Options
    quarantine_seconds: float
