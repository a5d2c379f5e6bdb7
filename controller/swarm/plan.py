"""What must be done so that the engine has exactly the wanted objects of one owner: pure, and printable.

The same change set is what ``skypanel plan`` shows, what an event says, and what ``apply`` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from controller.records import InventoryRow, InventoryUpdate
from controller.swarm.diff import Difference, network_differences, service_differences
from controller.swarm.fate import fate
from controller.swarm.former import former
from reconcilers import labels
from reconcilers.objects import Network, Objects, Service
from reconcilers.ports import LiveNetwork, LiveService

Action = Literal["create", "update", "recreate", "delete", "connect", "prompt"]
_VERBS = {"create": "+", "update": "~", "recreate": "±", "delete": "-", "connect": "~", "prompt": "~"}
_SHOWN_DIFFERENCES = 6
_SHOWN_USERS = 3
_HASH_PATHS = {f"Labels.{labels.SPEC_HASH}", f"Labels.{labels.TEMPLATE_HASH}"}


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


@dataclass(frozen=True, slots=True)
class Change:
    """One write.

    Args:
        action: what is done; ``prompt`` writes a service as it is, so that Swarm counts its tasks again.
        object_type: ``service``, ``network`` or ``edge``.
        name: of the object; for ``edge`` the network that the edge joins.
        target: what to make of it (a Service or a Network), None for a deletion.
        live: the object that it was planned on.
        differences: why, field by field.
        cause: one word for events: ``Created``, ``Updated``, ``Repaired``, ``Removed`` ...
        note: what somebody did that made it necessary; empty when that is not known.
    """

    action: Action
    object_type: Literal["service", "network", "edge"]
    name: str
    target: Service | Network | None = None
    live: LiveService | LiveNetwork | None = None
    differences: tuple[Difference, ...] = ()
    cause: str = ""
    note: str = ""

    @property
    def starts_tasks(self) -> bool:
        """Whether doing it starts tasks, or replaces running ones; fewer of them, or another label, does neither."""
        if not isinstance(self.target, Service) or not self.target.replicas:
            return False
        return self.action == "create" or any(
            d.path.startswith("TaskTemplate.")
            or (d.path == "Mode.Replicated.Replicas" and self.target.replicas > (d.live or 0))
            for d in self.differences
        )

    @property
    def touched(self) -> tuple[str, ...]:
        """Paths of the fields that differ, without their values; what else is the matter where there are none."""
        if not self.differences:
            return ("missing" if self.action == "create" else self.action,)
        return tuple(d.path for d in self._telling())

    def _telling(self) -> Sequence[Difference]:
        """A hash says that something else changed; alone, it is what somebody changed."""
        return [d for d in self.differences if d.path not in _HASH_PATHS] or self.differences

    def __str__(self) -> str:
        text = f"{_VERBS[self.action]} {self.object_type} {self.name}"
        if self.action == "connect":
            text = f"~ edge joins network {self.name}"
        if self.note:
            text += f" ({self.note})"
        if not self.differences:
            return text
        telling = self._telling()
        shown = [str(d) for d in telling[:_SHOWN_DIFFERENCES]]
        if len(telling) > _SHOWN_DIFFERENCES:
            shown.append(f"and {len(telling) - _SHOWN_DIFFERENCES} more")
        return text + ": " + "; ".join(shown)


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """All writes for one owner, in the order in which they are safe; and what is held back, by service name."""

    changes: tuple[Change, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    """Hashes of templates that Swarm has just rolled back, by service name: to be remembered."""
    seen: tuple[InventoryUpdate, ...] = ()
    """What is live and as it should be, and not in the inventory yet: a crash after the write, a restored database."""
    kept: Mapping[str, str] = field(default_factory=dict)
    """Networks that would be made anew or removed, were they not in use: by name, what is wrong and who uses them."""

    left: frozenset[str] = frozenset()
    """Names of services that go on serving under a former name."""

    def without_removals(self) -> ChangeSet:
        """The same, taking nothing away."""
        return self.without(lambda change: change.action == "delete")

    def after(self, first: ChangeSet) -> ChangeSet:
        """The same, with the changes of ``first`` before its own."""
        return replace(self, changes=first.changes + self.changes)

    def without(self, unwanted: Callable[[Change], bool]) -> ChangeSet:
        """The same, leaving some of it undone."""
        return replace(self, changes=tuple(c for c in self.changes if not unwanted(c)))

    def __str__(self) -> str:
        return "\n".join(str(c) for c in self.changes)


def plan(owner: tuple[str, str], wanted: Objects, view: View, inventory: Sequence[InventoryRow]) -> ChangeSet:
    """Networks before services, the edge before removals, services before their network.

    A network that somebody else's service is on is neither removed nor made anew, nor is the pin that keeps it.
    """
    known = {(row.object_type, row.name): row for row in inventory}
    changes: list[Change] = []
    held: dict[str, str] = {}
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
        if found.held:
            held[service.name] = found.held
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
    return ChangeSet(tuple(changes), held, failed, seen, kept, frozenset(left))


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
