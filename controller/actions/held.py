"""What of a look ahead is held: nothing of such a release comes while that is so, and what worked last serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from controller.changes import Change
from controller.declared.lookups import Document
from controller.declared.readiness import Progress
from controller.loop import inventory
from controller.records import InventoryRow
from controller.swarm.liveview import LiveView
from controller.swarm.plan import plan as plan_swarm
from reconcilers.objects import HomeNetwork, Objects
from reconcilers.outcomes import ReconcileError
from reconcilers.ports import Options
from reconcilers.reasons import reason_of
from reconcilers.registry import registered


@dataclass(frozen=True, slots=True)
class Held:
    """One object of which nothing new comes; why, in a word and in a sentence."""

    kind: str
    name: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} is held ({self.reason}): {self.message}"


def taken_back(document: Document, name: str, blocked: Mapping[str, str], said: Progress | None) -> Held:
    """What failed, and is not tried again before it is another version; in the words of its status, if it says so."""
    if said is not None and not said.ready and said.observed_generation == document.generation:
        return Held(document.kind, name, said.reason, said.message)
    return Held(document.kind, name, "RolledBack", "; ".join(f"{each}: {why}" for each, why in sorted(blocked.items())))


def by_status(document: Document, said: Progress | None) -> ReconcileError | None:
    """Why the controller holds what the document says, if that is what it has looked at last; None: it does not."""
    if said is None or said.ready or said.deleted or said.observed_generation != document.generation:
        return None
    reason = reason_of(said.reason, document.kind)
    return ReconcileError(said.reason, said.message) if reason is not None and reason.holds else None


def kept(
    document: Document, owner: tuple[str, str], live: LiveView, options: Options, known: Sequence[InventoryRow]
) -> Iterator[Change]:
    """What comes all the same, for what worked last: its scale, its routes, and that what is gone goes."""
    lives = {service.name: dict(service.spec) for service in live.owned_services(owner)}
    young = {service.name for service in inventory.unproven(known, lives)}  # whether they go well, nobody is asked here
    good = inventory.good_documents(known, lives, young)
    found = live.network_of(str(document.organization_id))
    home = HomeNetwork(found.id, found.name) if found is not None else None
    services = registered()[document.kind].salvage(document.doc, list(good.values()), options, home)
    gone = good.keys() - {service.name for service in services}
    planned = plan_swarm(owner, Objects(tuple(services)), live, inventory.without_wishes(known))
    yield from (change for change in planned.changes if change.action != "delete" or change.name in gone)
