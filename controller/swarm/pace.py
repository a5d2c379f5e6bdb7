"""How fast Swarm is to replace the tasks of one service now: all, or a part that has to prove itself first. Pure.

A canary is Swarm's own update with two settings. What is begun has the number of the first tasks as ``Parallelism``,
and a ``Delay`` longer than their quiet time: Swarm replaces these, and rests. It watches them, and goes back by itself
when one of them ends, also where no controller runs. When they have been quiet, ``Delay`` is taken away, and Swarm goes
on.

That second write takes Swarm's way back: what it would go back to from then on is the new specification. So does any
other write meanwhile, such as of routes. Therefore Swarm only pauses from then on, and the way back is ours: to the
last good document. A write while it rests has Swarm replace one task more, and forget those that it watched: how they
end is looked at by ``controller.loop.inventory``.

What lives alone says how far it is, so every leader goes on from there. A service that is all on its new template keeps
the ``FailureAction`` that it came to that with, until the next one: nothing is written for it.

What no task may run of any more (``InventoryRow.barred``) is not waited for: its tasks are stopped all at once, before
their successors are started, and Swarm does not go back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.records import InventoryRow
from controller.swarm.diff import normalise, service_differences
from reconcilers import labels, references
from reconcilers.objects import Canary, Service, SpecDocument, template_hash
from reconcilers.ports import LiveService
from reconcilers.template import image_of

_SECOND = 1_000_000_000
_BEYOND = 60 * _SECOND
"""Time that Swarm rests beyond the quiet time: the one who goes on is the leader, if there is one."""
_HELD = {"FailureAction": "pause"}
_SWEPT = {"Parallelism": 0, "Order": "stop-first"}


def paced(
    target: Service, live: LiveService | None, row: InventoryRow | None, id_of: Callable[[str, str], str | None]
) -> Service:
    """``target`` with what Swarm is to be told now of how it replaces its tasks; ``id_of``: what it refers to."""
    if live is None:
        return target
    plain, now = target.spec.get("UpdateConfig") or {}, live.spec.get("UpdateConfig") or {}
    swept = {**plain, **_SWEPT, **(_HELD if plain.get("FailureAction") == "rollback" else {})}
    if _sweeps(target, live, row, swept):
        return target.changed(UpdateConfig=swept)
    if live.labels.get(labels.TEMPLATE_HASH) != target.template_hash:
        canary = target.canary
        whole = canary is None or not _worked_before(target, row) or canary.tasks >= _least(target, live)
        return target if whole or canary is None else target.changed(UpdateConfig=_first(plain, canary))
    held = {**plain, **_HELD}
    if first_tasks(live.spec):
        if target.canary is None:
            return target.changed(UpdateConfig=held)
        rests = {**plain, **{name: now[name] for name in ("Parallelism", "Delay", "Monitor", "FailureAction")}}
        same = target.changed(UpdateConfig=rests)
        differs = service_differences(references.filled(same.spec, id_of), live.spec)
        return target.changed(UpdateConfig={**rests, "Parallelism": 1, **_HELD}) if differs else same
    return target.changed(UpdateConfig=held) if normalise(now) == normalise(held) else target


def first_tasks(spec: Mapping[str, Any]) -> int:
    """How many tasks go first where Swarm was told to rest after them; 0: it was not."""
    update = spec.get("UpdateConfig") or {}
    delay, monitor = update.get("Delay") or 0, update.get("Monitor") or 0
    return int(update.get("Parallelism") or 0) if monitor and delay == monitor + _BEYOND else 0


def _first(plain: SpecDocument, canary: Canary) -> SpecDocument:
    quiet = canary.quiet_seconds * _SECOND
    return {**plain, "Parallelism": canary.tasks, "Monitor": quiet, "Delay": quiet + _BEYOND}


def _worked_before(target: Service, row: InventoryRow | None) -> bool:
    """There is something to go back to, and it is not what is begun now: that would be the way back."""
    good = row.last_good if row is not None else None
    return good is not None and template_hash(good) != target.template_hash


def _sweeps(target: Service, live: LiveService, row: InventoryRow | None, swept: SpecDocument) -> bool:
    """Whether what was there may not run any more: it lives, or an update from it is under way, or was begun so."""
    barred = row.barred - {image_of(target.spec)} if row is not None else frozenset()
    if live.labels.get(labels.TEMPLATE_HASH) != target.template_hash:
        return image_of(live.spec) in barred and _replicas(live) > 0
    if normalise(live.spec.get("UpdateConfig") or {}) == normalise(swept):
        return True
    good = row.last_good if row is not None else None
    before = good is not None and image_of(good) in barred
    return before and live.update_state == "updating" and _worked_before(target, row)


def _least(target: Service, live: LiveService) -> int:
    return min(target.replicas, _replicas(live))


def _replicas(live: LiveService) -> int:
    return int(((live.spec.get("Mode") or {}).get("Replicated") or {}).get("Replicas") or 0)
