"""Jobs: what runs tasks until they end. Pure.

Whatever is written to a job runs it again, so one is written when another run is wanted, and for nothing else: neither
a write that was sent twice nor anybody's hands make a repair. See ``reconcilers.jobs``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from controller.changes import Change
from controller.records import InventoryRow
from controller.swarm.diff import service_differences
from controller.swarm.service_cache import service_of
from controller.swarm.types.base import Planning, Stay, Verdict, cause_of
from controller.swarm.types.running import LIST, listed, made, mine
from reconcilers import labels, references
from reconcilers.jobs import Job, begun, is_once
from reconcilers.ports import LiveService

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient

_KEPT = "it is left as it is, as a job that is written to runs again"


@dataclass(frozen=True, slots=True)
class JobType:
    """Jobs."""

    name: str = Job.object_type
    listed_as: str = LIST
    counted: bool = True
    """It may be in the middle of something."""
    decoded: bool = False

    async def read(self, client: EngineClient, id_or_name: str) -> Document:
        """One job."""
        return await client.service(id_or_name)

    async def listed(self, client: EngineClient, installation: str) -> list[Document]:
        """All of ours."""
        return await listed(client, installation, self.name)

    def parse(self, document: Document) -> LiveService:
        """What is known of one."""
        return service_of(document)

    def plan(self, wanted: Job, planning: Planning) -> Verdict:
        """Make it, or run it anew when another run is wanted; differences of the same run stay."""
        row = planning.row(wanted)
        live = mine(planning, wanted, row)
        if wanted.only is not None and (live is None or live.id != wanted.only):
            return Verdict(target=wanted)  # it is that object that may run it, and no other
        if live is not None and is_once(live.spec) and begun(live.spec) and not wanted.begun:
            return Verdict(target=wanted)  # planned on what was before it began
        if changes := tuple(made(wanted, live, row)):
            return Verdict(changes, wanted)
        assert live is not None
        differences = service_differences(references.filled(wanted.spec, planning.id_of), live.spec)
        if not is_run(wanted, live, row):
            cause = cause_of(row, wanted, live)
            return Verdict((Change("update", self.name, wanted.name, wanted, live, tuple(differences), cause),), wanted)
        by_hand = [d for d in differences if not d.path.startswith("Labels.")]
        if by_hand and live.labels.get(labels.TEMPLATE_HASH) == wanted.content:
            return Verdict(target=wanted, kept=f"{'; '.join(map(str, by_hand))}; {_KEPT}")
        return Verdict(target=wanted)

    def stays(self, _live: LiveService, _planning: Planning) -> Stay | None:
        """Nothing holds it; what it runs ends with it."""
        return None


def is_run(wanted: Job, live: LiveService, row: InventoryRow | None) -> bool:
    """Whether what lives is the wanted run: by its label, or by what is on record when somebody took that off."""
    on_record = row is not None and row.engine_id == live.id and row.spec_hash == wanted.hash
    return on_record or live.labels.get(labels.SPEC_HASH) == wanted.hash


JOB = JobType()
