"""What must be done so that the engine has exactly the wanted objects of one owner: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from controller.changes import Change, ChangeSet
from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.diff import network_differences, service_differences
from controller.swarm.fate import fate
from controller.swarm.former import former
from reconcilers import labels
from reconcilers.objects import Network, Objects, Service
from reconcilers.ports import LiveNetwork, LiveService

_SHOWN_USERS = 3


class View(Protocol):
    """The live view, as far as planning needs it."""

    @property
    def edge(self) -> Mapping[str, frozenset[str]]:
        """Networks by edge container."""

    def service(self, name: str) -> LiveService | None:
        """Our service of this name."""

    def network(self, name: str) -> LiveNetwork | None:
        """The network of this name."""

    def on_network(self, network_id: str) -> Sequence[str]:
        """Names of our services on a network."""

    def owned_services(self, owner: tuple[str, str]) -> list[LiveService]:
        """Live services of an owner."""

    def owned_networks(self, owner: tuple[str, str]) -> list[LiveNetwork]:
        """Live networks of an owner."""


def plan(owner: tuple[str, str], wanted: Objects, view: View, inventory: Sequence[InventoryRow]) -> ChangeSet:
    """Networks before services, the edge before removals, services before their network.

    A network that somebody else's service is on is neither removed nor made anew, nor is the pin that keeps it.
    """
    known = {(row.object_type, row.name): row for row in inventory}
    changes: list[Change] = []
    blocked: dict[str, str] = {}
    failed: dict[str, str] = {}

    kept: dict[str, str] = {}

    for network in wanted.networks:
        steps = _plan_network(network, view, known)
        if steps and isinstance(steps[0].live, LiveNetwork) and (users := _others_on(steps[0].live, owner, view)):
            kept[network.name] = f"{'; '.join(map(str, steps[0].differences))}; {_are_on_it(users)}"
        else:
            changes += steps
    targets: list[Service] = []
    for service in wanted.services:
        row = known.get(("service", service.name))
        live = _mine(view.service(service.name), service, row)
        found = fate(service, live, row)
        if found.blocked:
            blocked[service.name] = found.blocked
        if found.failed:
            failed[service.name] = service.template_hash
        if found.target is not None:
            targets.append(found.target)
            changes += _plan_service(found.target, live, row, found.note)

    wanted_services = {s.name for s in wanted.services}
    left = {s.name for s in former(wanted.services, view.owned_services(owner))}
    wanted_networks = {n.name for n in wanted.networks}
    leaving = [n for n in view.owned_networks(owner) if n.name not in wanted_networks]
    used = {n.name: (n, users) for n in leaving if (users := _others_on(n, owner, view))}
    kept |= {name: f"it is not wanted any more; {_are_on_it(users)}" for name, (_, users) in used.items()}
    needed = {name for network, _ in used.values() for name in view.on_network(network.id)}
    changes += [
        Change("connect", "edge", name, live=view.network(name), cause="EdgeJoined")
        for name in wanted.edge_networks
        if any(name not in joined for joined in view.edge.values())
    ]
    aimed = replace(wanted, services=tuple(targets))
    changes += [
        Change("delete", "service", s.name, live=s, cause="Removed")
        for s in view.owned_services(owner)
        if s.name not in wanted_services | left | needed
    ]
    changes += [Change("delete", "network", n.name, live=n, cause="Removed") for n in leaving if n.name not in used]
    seen = tuple(_seen(owner, aimed, view, known, changes))
    return ChangeSet(tuple(changes), blocked, failed, seen, kept, frozenset(left), wanted)


def _others_on(network: LiveNetwork, owner: tuple[str, str], view: View) -> list[str]:
    """Services on a network that are not its owner's own."""
    own = {service.name for service in view.owned_services(owner)}
    return [name for name in view.on_network(network.id) if name not in own]


def _are_on_it(users: Sequence[str]) -> str:
    shown = ", ".join(users[:_SHOWN_USERS]) + (f" and {more} more" if (more := len(users) - _SHOWN_USERS) > 0 else "")
    return f"{shown} {'is' if len(users) == 1 else 'are'} on it"


def _seen(
    owner: tuple[str, str],
    wanted: Objects,
    view: View,
    known: Mapping[tuple[str, str], InventoryRow],
    changes: Sequence[Change],
) -> Iterator[InventoryUpdate]:
    changing = {(c.object_type, c.name) for c in changes}
    objects: list[tuple[str, str, str, str | None, LiveService | LiveNetwork | None]] = [
        *(("service", s.name, s.hash, s.template_hash, view.service(s.name)) for s in wanted.services),
        *(("network", n.name, n.subnet, None, view.network(n.name)) for n in wanted.networks),
    ]
    for object_type, name, digest, template, live in objects:
        if live is not None and labels.OWNER in live.labels and live.labels[labels.OWNER] != labels.owner_key(*owner):
            continue
        row = known.get((object_type, name))
        if live is None or (object_type, name) in changing:
            continue
        if row is None or row.engine_id != live.id or row.state != "present":
            yield InventoryUpdate(object_type, name, engine_id=live.id, spec_hash=digest, template_hash=template)


def _mine(live: LiveService | None, service: Service, row: InventoryRow | None) -> LiveService | None:
    """``live``, unless it belongs to another owner: then the create waits for the name.

    One that we made, by its id, is ours even when somebody changed its labels.
    """
    if live is None or live.labels.get(labels.OWNER) == service.spec["Labels"][labels.OWNER]:
        return live
    return live if row is not None and row.engine_id == live.id else None


def _plan_service(service: Service, live: LiveService | None, row: InventoryRow | None, note: str) -> list[Change]:
    existed = row is not None and row.engine_id is not None
    if live is None:
        cause = "Repaired" if existed and row is not None and row.spec_hash == service.hash else "Created"
        return [Change("create", "service", service.name, service, cause=cause)]
    differences = service_differences(service.spec, live.spec)
    if not differences:
        return []
    same_spec = live.labels.get(labels.SPEC_HASH) == service.hash or (
        row is not None and row.spec_hash == service.hash and row.state == "present"
    )
    cause = "Repaired" if same_spec else "Updated"
    return [Change("update", "service", service.name, service, live, tuple(differences), cause, note)]


def _plan_network(network: Network, view: View, known: Mapping[tuple[str, str], InventoryRow]) -> list[Change]:
    live = view.network(network.name)
    if live is None or live.labels.get(labels.OWNER) != network.labels[labels.OWNER]:  # then the create waits for it
        row = known.get(("network", network.name))
        cause = "Repaired" if row is not None and row.engine_id else "Created"
        return [Change("create", "network", network.name, network, cause=cause)]
    differences = network_differences(network, live)
    if not differences:
        return []
    return [Change("recreate", "network", network.name, network, live, tuple(differences), "Repaired")]
