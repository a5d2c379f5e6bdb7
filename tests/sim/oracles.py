"""What must be true of every run, whatever went wrong in it. Each oracle gives sentences; none is good.

The end state is compared while the run waits (``World.settle``). These look at what was written on the way there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from pydantic import ValidationError

from controller.loop.external import written_for
from controller.records import Key
from controller.swarm.identity import mark_name
from reconcilers import labels
from reconcilers.ports import Child
from reconcilers.registry import registered
from tests.sim.faults import Fault
from tests.sim.ports import things
from tests.sim.settings import INSTALLATION, tables
from tests.sim.status_rules import broken
from tests.sim.swarm.swarm import WriteRecord
from tests.sim.world import MARKER, World

Counts = Counter[tuple[str, str]]
"""(type and name of an object, action) -> accepted writes by controllers."""

_EXTRA: dict[Fault, frozenset[str]] = {
    # What a fault may cost more than a run without it, by action. Nothing is allowed that is not named here.
    Fault.OLD_ANSWER: frozenset({"update"}),
    # A spec that was current a moment ago may be applied, and the current one after it.
    Fault.LEASE_LOST: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Reference:
    """What the run without faults wrote."""

    counts: Counts


def problems(
    world: World, reference: Reference | None, *, counts: bool, extra: frozenset[str] = frozenset()
) -> list[str]:
    """Everything that is wrong with a run that came to its end."""
    found = [
        *_quiet(world),
        *_one_live_service_each(world),
        *_only_ours(world),
        *_things_are_their_owners(world),
        *_epochs_never_go_back(world),
        *_nobody_writes_without_leading(world),
        *_statuses_keep_the_rules(world),
        *_nothing_leaks(world),
        *_no_panic(world),
        *_nothing_is_left_over(world),
        *_nothing_that_is_gone_is_ready(world),
        *world.watch.end(),
    ]
    if reference is not None and counts:
        found += _counts(world, reference, extra)
    return found


def counted(world: World) -> Counts:
    """Accepted writes of the controllers to each object; the mark in the Swarm is written anew by each leader."""
    written = [w for w in world.swarm.log if w.accepted and w.client != "hands" and not _is_mark(w)]
    counts = Counter((f"{w.object_type} {w.name}", w.action) for w in written)
    for object_type, port in things(world.ports):
        counts.update((f"{object_type} {w.name}", w.action) for w in port.log)
    return counts


def _counts(world: World, reference: Reference, extra: frozenset[str]) -> Iterator[str]:
    now = counted(world)
    allowed = set(extra)
    for _, fault in world.plan.faults:
        allowed |= _EXTRA.get(fault, frozenset())
    old = any(fault is Fault.OLD_ANSWER for _, fault in world.plan.faults)
    for (name, action), count in sorted((now - reference.counts).items()):
        # An edge that an old list does not show is taken for none: its pins go, and come back.
        named = action in allowed or (old and " pin_" in name)
        if not named or count > len(world.plan.faults):
            yield f"{action} of {name}: {count} more than without the fault"
    for (name, action), count in sorted((reference.counts - now).items()):
        yield f"{action} of {name}: {count} fewer than without the fault"


def _is_mark(written: WriteRecord) -> bool:
    return written.object_type == "config" and written.name == mark_name(INSTALLATION)


def _quiet(world: World) -> Iterator[str]:
    if world.quiet_from is None:
        return
    engine, database = world.quiet_from
    for w in world.swarm.log[engine:]:
        if w.client != "hands" and not _is_mark(w):  # who begins to lead writes that down
            yield f"written although all had converged: {w.action} {w.object_type} {w.name}"
    for object_type, port in things(world.ports):
        for made in port.log[world.things_quiet_from[object_type] :]:
            yield f"written although all had converged: {made.action} {object_type} {made.name}"
    for statement in world.database.history.writes[database:]:
        if statement.operation.startswith("lease_") or statement.operation in {"consume", "prune"}:
            continue  # a look at the log takes off what an earlier one gave; a removal is noted within the hour
        if statement.rows:
            yield f"said although nothing had changed: {statement.operation} {statement.keys}"


def _one_live_service_each(world: World) -> Iterator[str]:
    """Two while a process changes its name, the former and the present one; one at the end."""
    live: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for w in world.swarm.log:
        if not w.accepted or w.object_type != "service":
            continue
        if w.action == "create" and labels.PROCESS in w.labels and w.labels.get(labels.INSTALLATION) == INSTALLATION:
            who = w.labels.get(labels.OWNER, ""), w.labels[labels.PROCESS]
            live[who][w.object_id] = w.name
            if len(live[who]) > 2 or len(set(live[who].values())) < len(live[who]):
                yield f"{who} has services {sorted(live[who].values())} at once"
        elif w.action == "remove":
            for ids in live.values():
                ids.pop(w.object_id, None)
    for who, names in live.items():
        if len(names) > 1:
            yield f"{who} still has {sorted(names.values())} at the end"


def _only_ours(world: World) -> Iterator[str]:
    ours = {w.object_id for w in world.swarm.log if w.action == "create" and w.client != "hands"}
    for w in world.swarm.log:
        if w.client == "hands" or not w.accepted or w.object_id in ours:
            continue  # what somebody took our labels off is still ours, by the inventory; what never had them is not
        if w.labels.get(labels.INSTALLATION) != INSTALLATION:
            yield f"{w.action} of {w.object_type} {w.name}, which is not ours"


def _things_are_their_owners(world: World) -> Iterator[str]:
    for object_type, port in things(world.ports):
        for w in port.log:
            owner = written_for(Key(*w.by.partition("/")[::2]), "")
            if not all(digest.startswith(owner) for digest in (w.before, w.after) if digest is not None):
                yield f"{w.action} of {object_type} {w.name} by {w.by}, which it was not made for"


def _epochs_never_go_back(world: World) -> Iterator[str]:
    highest: dict[str, int] = {}
    for w in world.swarm.log:
        if w.client == "hands" or not w.accepted:
            continue
        key = f"{w.object_type} {w.name}"
        if w.epoch < highest.get(key, 0):
            yield f"{w.client} wrote {key} in epoch {w.epoch}, after one of {highest[key]}"
        highest[key] = max(highest.get(key, 0), w.epoch)
    said: dict[tuple[str, str], int] = {}
    for status in world.database.history.statuses:
        about = status.status.kind, status.status.id
        if status.epoch < said.get(about, 0):
            yield f"a status of {about} was written in epoch {status.epoch}, after one of {said[about]}"
        said[about] = max(said.get(about, 0), status.epoch)


def _nobody_writes_without_leading(world: World) -> Iterator[str]:
    taken = {h.epoch: h.time for h in world.database.history.writes if h.operation == "lease_acquire" and h.accepted}
    newest = sorted(taken.items())
    for w in world.swarm.log:
        if w.client == "hands":
            continue
        later = [epoch for epoch, time in newest if epoch > w.epoch and time < w.time]
        if later:
            yield f"{w.client} asked for {w.action} of {w.name} in epoch {w.epoch} when {later[0]} had begun"


def _statuses_keep_the_rules(world: World) -> Iterator[str]:
    """Each status by the generation that it was looked at in; the last one of each object by the one that is now.

    A row can change between a look and the report of it: the report is true of what it names, and the next one follows.
    """
    last = {(written.status.kind, written.status.id): written for written in world.database.history.statuses}
    for written in world.database.history.statuses:
        status = written.status
        newest = written is last[status.kind, status.id] and written.generation is not None
        generation = written.generation if newest else status.observed_generation
        for rule in broken(status, generation or status.observed_generation):
            yield f"status of {status.kind} {world.names.of_key(Key(status.kind, status.id))}: {rule}"


def _nothing_leaks(world: World) -> Iterator[str]:
    said = {
        "an event": [(e.reason, e.message) for e in world.database.history.events],
        "a status": [(s.status.conditions, s.status.details) for s in world.database.history.statuses],
        "a log line": world.lines,
        "a request": [step.at.name for step in world.course.steps],
    }
    for where, texts in said.items():
        if MARKER.encode() in orjson.dumps(texts, default=repr, option=orjson.OPT_NON_STR_KEYS):
            yield f"{where} has a value that is secret"


def _nothing_that_is_gone_is_ready(world: World) -> Iterator[str]:
    """At the end: whatever is said to be ready is declared, parts as well."""
    declared = {key: row for key, row in world.database.objects.items() if not row.deleted}
    parts = {Key(child.kind, child.id) for key, row in declared.items() for child in _children(key.kind, row.document)}
    for key, said in world.database.statuses.items():
        if said.ready and key not in declared and key not in parts:
            yield f"{key} is said to be ready, and is not declared"


def _children(kind: str, document: bytes) -> Sequence[Child]:
    """The parts that a document has; none of one that is wrong."""
    made = registered()[kind]
    try:
        return made.children(made.snapshot.model_validate(orjson.loads(document)))
    except ValidationError:
        return ()


def _nothing_is_left_over(world: World) -> Iterator[str]:
    """At the end: inventory, live objects and address plan speak of the same things, all of them wanted."""
    wanted = {key for key, row in world.database.objects.items() if not row.deleted}
    store = world.swarm.store
    live = {(type_, each.name): each.labels or {} for type_, table in tables(store).items() for each in table.values()}
    ours = {
        at for at, found in live.items() if found.get(labels.INSTALLATION) == INSTALLATION and labels.OWNER in found
    }
    ours |= {(object_type, name) for object_type, port in things(world.ports) for name in port.found}
    for at in sorted(ours ^ world.database.inventory.keys()):
        yield f"{' '.join(at)} is {'live and not in the inventory' if at in ours else 'in the inventory and not live'}"
    for at, row in world.database.inventory.items():
        if row.owner not in wanted:
            yield f"{' '.join(at)} is there for {world.names.of_key(row.owner)}, which is not wanted"
    for subnet in world.database.subnets:
        if subnet.state == "allocated" and Key("organization", subnet.organization_id or "") not in wanted:
            yield f"{subnet.network} is kept for an organization that is gone"


def _no_panic(world: World) -> Iterator[str]:
    for line in world.lines:
        if line.get("event") in {"reconcile.panic", "loop.failed"}:
            yield f"a defect: {line.get('key') or line.get('loop')}: {line.get('exception', '')[-400:]}"
