"""What serves goes on serving while a process changes its name: its organization, app or environment was renamed, or it
moved to another organization.

    the new service is made, without the host names that the former one answers -> its tasks run
    -> it is given the host names, and the former one loses them -> the edge has taken that up -> the former one goes

Whatever is live says how far it is, so a crash anywhere loses nothing; a new service that never comes up leaves the
former one serving. What nobody wants any more, or wants to stand still, goes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from controller.changes import Change, ChangeSet, Succession
from controller.swarm.former import former, process
from reconcilers import labels
from reconcilers.objects import Objects, Service
from reconcilers.ports import LiveService
from reconcilers.routes import hostnames_of, without_hosts

RETIRED = "Retired"


@dataclass(frozen=True, slots=True)
class HandOver:
    """What an owner may have now.

    Args:
        objects: without the host names that it must not have yet.
        lost: takes off its former services what is none of the owner's any more.
        missing: the host names that it lacks as another owner still has them.
    """

    objects: Objects
    lost: ChangeSet
    missing: frozenset[str]


def handed_over(
    wanted: Objects,
    live: Sequence[LiveService],
    serving: Collection[str],
    elsewhere: Callable[[frozenset[str]], frozenset[str]],
) -> HandOver:
    """Leave out of ``wanted`` what its owner must not have yet.

    Args:
        wanted: with all the host names that are declared.
        live: all live services of the owner.
        serving: names of those of ``wanted`` that take over now.
        elsewhere: which of some host names another owner still has.
    """
    declared = {service.name: hostnames_of(service.spec["Labels"]) for service in wanted.services}
    every = frozenset[str]().union(*declared.values())
    taken = elsewhere(every)
    by_name = {service.name: service for service in live}
    before = former(wanted.services, live)
    if not taken and not before:
        return HandOver(wanted, ChangeSet(), taken)
    services = []
    missing: set[str] = set()
    for service in wanted.services:
        here = by_name.get(service.name)
        held = hostnames_of(here.labels) if here is not None else frozenset[str]()
        answered = frozenset[str]()
        if service.name not in serving:
            same = [s for s in before if process(s.labels) == process(service.spec["Labels"])]
            answered = answered.union(*(hostnames_of(s.labels) for s in same))
        missing |= (taken & declared[service.name]) - held
        services.append(service.relabelled(without_hosts(service.spec["Labels"], (taken | answered) - held)))
    lost = tuple(_without(each, surplus) for each in before if (surplus := hostnames_of(each.labels) - every))
    return HandOver(wanted.with_services(tuple(services)), ChangeSet(lost), frozenset(missing))


def step(
    wanted: Sequence[Service],
    live: Sequence[LiveService],
    serving: Collection[str],
    *,
    retired_seconds: Callable[[str], float],
    settle_seconds: float,
) -> Succession:
    """Take routes from former services, and later take them away, where the new one serves.

    Args:
        wanted: the services of the owner.
        live: its live ones.
        serving: names of those of ``wanted`` whose tasks run.
        retired_seconds: for how long the service with an id is known to have lost its routes.
        settle_seconds: the time that the edge takes to learn of it.
    """
    before = former(wanted, live)
    processes = {process(s.spec["Labels"]) for s in wanted if s.name in serving}
    changes: list[Change] = []
    rest: list[float] = []
    for each in before:
        if process(each.labels) not in processes:
            continue
        if hostnames_of(each.labels):
            changes.append(_retired(each))
            rest.append(settle_seconds)
        elif labels.RETIRED not in each.labels or retired_seconds(each.id) >= settle_seconds:
            changes.append(Change("delete", Service.object_type, each.name, live=each, cause=RETIRED))
        else:
            rest.append(settle_seconds - retired_seconds(each.id))
    gone = {change.name for change in changes if change.action == "delete"}
    names = tuple(each.name for each in before if each.name not in gone)
    return Succession(ChangeSet(tuple(changes)), names, max(min(rest), 0.05) if rest else None)


def _retired(live: LiveService) -> Change:
    return _without(live, hostnames_of(live.labels), {labels.RETIRED: "true"})


def _without(live: LiveService, hostnames: frozenset[str], more: dict[str, str] | None = None) -> Change:
    """The live service as it is, with other routes: its tasks are left alone."""
    kept = without_hosts(live.labels, hostnames) | (more or {})
    target = Service.seal({**live.spec, "Labels": kept}, template=live.labels.get(labels.TEMPLATE_HASH, ""))
    return Change(
        "update", Service.object_type, live.name, target, live, cause=RETIRED, note="another service answers by now"
    )
