"""What becomes of the wanted task template of one service: it is applied, or held back because it failed. Pure.

Only the template is ever held back. Routes, scale and networks are those of today, whatever became of it; they are put
right at once, also where Swarm's rollback took them back together with the template. Where no task of the one before
may run (``InventoryRow.barred``), none does.

Swarm's own rollback leaves no spec to go back to (``PreviousSpec`` is gone); one that somebody asked for with ``docker
service rollback`` exchanges the two. So the second is known, and is drift like any other change by hand. A rollback of
Swarm's can end as ``completed``, too; what tells it from an update is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.records import InventoryRow
from reconcilers import labels
from reconcilers.objects import Service, template_hash
from reconcilers.ports import NOTHING_LEFT, LiveService
from reconcilers.template import image_of, with_template

_BY_HAND = "somebody rolled it back by hand"
_BLOCKED = "the new version failed and was rolled back; change the spec to try again"


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to be made of a service.

    Args:
        target: what should be live; None: what lives is left as it is, as nothing better is known.
        blocked: why the wanted template is not in it; empty when it is.
        failed: whether that was not known before.
        note: what somebody did to the service, for the event of its repair.
    """

    target: Service | None
    blocked: str = ""
    failed: bool = False
    note: str = ""


def fate(service: Service, live: LiveService | None, row: InventoryRow | None) -> Fate:
    """Judge ``service`` by what is live, and by what is known of it."""
    if row is None:
        return Fate(service)
    worked = row.last_good is not None and template_hash(row.last_good) == service.template_hash
    going_back = live is not None and (live.update_state or "").startswith("rollback_")
    known = row.failed_hash == service.template_hash
    if worked or not (known or (live is not None and _gone_back(service, live, row))):
        by_hand = going_back and live is not None and live.has_previous
        return Fate(service, note=_BY_HAND if by_hand else "")
    good = _good(row, live)
    if good is not None and image_of(good) in row.barred - {image_of(service.spec)}:
        nothing = with_template(service, good).changed(Mode={"Replicated": {"Replicas": 0}})
        return Fate(nothing, NOTHING_LEFT, failed=not known)
    return Fate(with_template(service, good) if good is not None else None, _BLOCKED, failed=not known)


def _good(row: InventoryRow, live: LiveService | None) -> Mapping[str, Any] | None:
    """The last document that worked; while none ever did, what is live."""
    return row.last_good or (live.spec if live is not None else None)


def _gone_back(service: Service, live: LiveService, row: InventoryRow) -> bool:
    """Swarm itself went back from exactly the template that is wanted now."""
    state = live.update_state or ""
    return (
        (state.startswith("rollback_") or (state == "completed" and row.engine_id == live.id))
        and not live.has_previous
        and row.template_hash == service.template_hash
        and live.labels.get(labels.TEMPLATE_HASH) != service.template_hash
    )
