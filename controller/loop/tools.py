"""What every reconcile of one kind works with, in one record: the ports, the gates, and what is remembered of tasks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel

from controller.loop.gates import Gates
from controller.loop.outside import Outside
from controller.loop.ports import Store, Swarm
from controller.loop.stability import Stability
from controller.loop.starts import Starts
from reconcilers.port import Port
from reconcilers.ports import Options
from reconcilers.registry import Salvage, Stops, as_it_was, stops_nothing


@dataclass(frozen=True, slots=True)
class Tools:
    """One kind's.

    Args:
        outside: database, engine and ports.
        gates: say what of a plan may be done now.
        stability: tells tasks that have run for a while.
        starts: tells those that never will be healthy.
        options: what renders depend on.
        uses: ports that the kind declared.
        writes: tables that the kind declared.
        settings: the kind's own; None: it has none.
        salvage: what of what worked is wanted while the rest cannot be had.
        stops: whether no task of an image may run.
    """

    outside: Outside
    gates: Gates
    stability: Stability
    starts: Starts
    options: Options
    uses: Collection[type[Port]] = ()
    writes: Collection[str] = ()
    settings: BaseModel | None = None
    salvage: Salvage = as_it_was
    stops: Stops = stops_nothing

    @property
    def store(self) -> Store:
        """The database."""
        return self.outside.store

    @property
    def swarm(self) -> Swarm:
        """The engine."""
        return self.outside.swarm
