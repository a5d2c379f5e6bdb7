"""What services and jobs have in common: the engine keeps both in one list, where a name is one's alone. Pure.

What is a job and what is a service is its mode, which the engine never changes: it is removed, and made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import orjson

from controller.changes import Change, Difference
from controller.records import InventoryRow
from controller.swarm.service_cache import service_of
from controller.swarm.types.base import Planning, cause_of, is_owned_by
from reconcilers import labels
from reconcilers.jobs import Job, mode_of
from reconcilers.objects import Service
from reconcilers.ports import LiveService

if TYPE_CHECKING:
    from controller.swarm.client import Document, EngineClient

LIST = "service"
"""The engine's word for both."""
RUNNING = (Service.object_type, Job.object_type)


async def listed(client: EngineClient, installation: str, object_type: str) -> list[Document]:
    """Those of ours that are of one type; the live view takes the list apart without decoding it."""
    found = orjson.loads(await client.services(f"{labels.INSTALLATION}={installation}")) or []
    return [document for document in found if service_of(document).object_type == object_type]


def mine(planning: Planning, wanted: Service | Job, row: InventoryRow | None) -> LiveService | None:
    """What lives under the name, service or job, unless it belongs to another owner: then the create waits for it.

    One that we made, by its id, is ours even when somebody changed its labels.
    """
    for object_type in RUNNING:
        live = planning.view.find(object_type, wanted.name)
        if isinstance(live, LiveService):
            return live if is_owned_by(live, wanted) or (row is not None and row.engine_id == live.id) else None
    return None


def made(target: Service | Job, live: LiveService | None, row: InventoryRow | None) -> Iterator[Change]:
    """Make it where there is nothing, or something of another mode."""
    cause = cause_of(row, target, live)
    if live is None:
        yield Change("create", target.object_type, target.name, target, cause=cause)
    elif mode_of(live.spec) != mode_of(target.spec):
        found = Difference("Mode", mode_of(live.spec), mode_of(target.spec))
        yield Change("recreate", target.object_type, target.name, target, live, (found,), cause)
