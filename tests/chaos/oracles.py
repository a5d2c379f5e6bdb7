"""What must be true after any fault, and what must have been true all the time.

``settled`` is the first: everything declared is there, and nothing else, and no safety property is broken.
``never_broken`` looks at the whole record; ``quiet`` waits for some full comparisons and sees that nothing is written
any more.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from controller.swarm.diff import service_differences
from reconcilers import labels
from reconcilers.conditions import Condition, check
from reconcilers.environment.service import render as render_environment
from reconcilers.objects import HomeNetwork, Network, Service
from reconcilers.organization import render as render_organization
from reconcilers.ports import Options
from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot
from tests.chaos.harness import ChaosHarness
from tests.chaos.view import broken
from tests.e2e.world import PASSWORD, PAUSE, eventually

QUIET_RESYNCS = 3
LOOKS = 3


def settled(chaos: ChaosHarness, *, seconds: float = 40.0) -> None:
    """Wait until rows, status, inventory and engine say the same."""
    try:
        eventually(lambda: not problems(chaos), seconds=seconds, what="all is as declared")
    except AssertionError as error:
        found = (str(error), *problems(chaos), *chaos.workload.said, _last_words(chaos))
        raise AssertionError("\n".join(found)) from None


def problems(chaos: ChaosHarness) -> list[str]:
    """Everything that is not yet as declared."""
    found = _unready(chaos)
    if found:
        return found
    return [*_unequal(chaos), *_inventory(chaos), *_twice(chaos), *broken(chaos)]


def never_broken(chaos: ChaosHarness) -> None:
    """No rule of the whole run was ever broken."""
    for path, before in chaos.foreign.items():
        assert chaos.shown(path) == before, f"{path} is not ours and was changed"
    assert not (found := chaos.world.root("SELECT what FROM chaos.violations")), found
    _only_the_leader_wrote(chaos)
    _statuses_obey_the_rules(chaos)
    for controller in chaos.controllers:
        text = controller.controller.text()
        assert PASSWORD not in text, f"the password is in {controller.controller.log}"
        assert "reconcile.panic" not in text, text[text.index("reconcile.panic") - 200 :][:4000]
        assert "Traceback" not in text, text[text.index("Traceback") - 200 :][:4000]


def quiet(chaos: ChaosHarness, *, resyncs: int = QUIET_RESYNCS) -> None:
    """No write to the engine, and no object's version changes, while everything is compared again and again.

    Swarm changes versions itself for a moment after an update, or after a start: it gets a second and a third look.
    """
    writes = len(chaos.calls)
    changed: Any = None
    for _ in range(LOOKS):
        before = _versions(chaos)
        _compare_again(chaos, resyncs)
        assert chaos.calls[writes:] == [], "\n".join(map(str, chaos.calls[writes:]))
        if not (changed := before.items() ^ _versions(chaos).items()):
            return
    raise AssertionError(f"versions change without a write: {changed}")


def _compare_again(chaos: ChaosHarness, times: int) -> None:
    """Wait until whoever leads has compared everything so many times more: when busy, another may come to lead."""
    name = "skypanel_resync_time_seconds_count"
    before: dict[int, float] = {}

    def compared() -> bool:
        leader = chaos.leader.controller
        count = leader.metric(name)
        return count >= before.setdefault(id(leader), count) + times

    eventually(compared, what="everything is compared some more times")


def everything(chaos: ChaosHarness, *, seconds: float = 40.0, resyncs: int = QUIET_RESYNCS) -> None:
    """All of the above; the faults have been healed."""
    settled(chaos, seconds=seconds)
    quiet(chaos, resyncs=resyncs)
    never_broken(chaos)


# -- what is declared and what is there ----------------------------------------------------------------------------


def _unready(chaos: ChaosHarness) -> list[str]:
    rows = chaos.world.root(
        "SELECT o.kind || '/' || o.id AS key, o.deleted, o.generation, s.ready, s.observed_generation, s.message,"
        " s.finalized_at IS NOT NULL AS finalized FROM skypanel.objects o"
        " LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id"
    )
    return [
        f"{row['key']}: {row}"
        for row in rows
        if not (
            row["finalized"]
            if row["deleted"]
            else row["ready"] and row["observed_generation"] == row["generation"] and not row["finalized"]
        )
    ]


def _declared(chaos: ChaosHarness) -> tuple[dict[str, Service], dict[str, Network]]:
    """What the rows mean, rendered here."""
    world = chaos.world
    options = Options(installation=world.name, monitor_seconds=1.0, pin_image=PAUSE)
    services: dict[str, Service] = {}
    networks: dict[str, Network] = {}
    node = world.engine.get("/info")["Swarm"]["NodeID"] if chaos.has_edge else None
    subnets = {
        str(row["organization_id"]): str(row["subnet"])
        for row in world.root("SELECT * FROM skypanel.subnets WHERE organization_id IS NOT NULL")
    }
    homes = {n["Labels"].get(labels.ORGANIZATION): HomeNetwork(n["Id"], n["Name"]) for n in world.networks().values()}
    for row in world.root("SELECT doc FROM skypanel.snapshot_environment WHERE NOT deleted"):
        snapshot = EnvironmentSnapshot.model_validate(row["doc"])
        home = homes.get(str(snapshot.organization.id), HomeNetwork("missing", "missing"))
        objects = render_environment(snapshot, options, home)
        services |= {service.name: service for service in objects.services}
    for row in world.root("SELECT doc FROM skypanel.snapshot_organization WHERE NOT deleted"):
        organization = OrganizationSnapshot.model_validate(row["doc"])
        objects = render_organization(
            organization,
            options,
            subnet=subnets.get(str(organization.id), "0.0.0.0/31"),
            edge_node=node,
            home=homes.get(str(organization.id)),
        )
        services |= {service.name: service for service in objects.services}
        networks |= {network.name: network for network in objects.of(Network)}
    return services, networks


def _unequal(chaos: ChaosHarness) -> list[str]:
    """Fields of services and networks that are not as declared; what is missing or too much; tasks that do not run."""
    services, networks = _declared(chaos)
    found: list[str] = []
    live = chaos.world.engine.get("/services", filters=_ours(chaos))
    tasks = chaos.world.engine.get("/tasks", filters={"desired-state": ["running"]})
    running = Counter(task["ServiceID"] for task in tasks if task["Status"]["State"] == "running")
    found += _names("service", set(services), [s["Spec"]["Name"] for s in live])
    for stored in live:
        if (wanted := services.get(stored["Spec"]["Name"])) is None:
            continue
        found += [f"{wanted.name}: {d}" for d in service_differences(wanted.spec, stored["Spec"])]
        if (count := running[stored["ID"]]) != wanted.replicas:
            found.append(f"{wanted.name}: {count} of {wanted.replicas} tasks run")
    live_networks = list(chaos.world.networks().values())
    found += _names("network", set(networks), [n["Name"] for n in live_networks])
    for stored in live_networks:
        if (network := networks.get(stored["Name"])) is not None:
            subnet = stored["IPAM"]["Config"][0]["Subnet"]
            if (subnet, stored["Labels"]) != (network.subnet, network.labels):
                found.append(f"{network.name}: {subnet} {stored['Labels']} instead of {network}")
    if networks and chaos.has_edge and (apart := set(networks) - chaos.world.edge_networks()):
        found.append(f"the edge is not on {apart}")
    return found


def _names(what: str, wanted: set[str], live: list[str]) -> list[str]:
    return [
        *(f"{what} {name} is missing" for name in wanted - set(live)),
        *(f"{what} {name} should not be" for name in set(live) - wanted),
        *(f"{what} {name} is there {count} times" for name, count in Counter(live).items() if count > 1),
    ]


def _twice(chaos: ChaosHarness) -> list[str]:
    """Processes of environments that have two live services."""
    found = Counter(
        (s["Spec"]["Labels"].get(labels.OWNER), s["Spec"]["Labels"].get(labels.PROCESS))
        for s in chaos.world.services().values()
    )
    return [f"{key} has {count} services" for key, count in found.items() if count > 1]


def _inventory(chaos: ChaosHarness) -> list[str]:
    rows = chaos.world.root("SELECT object_type, name, engine_id, state FROM skypanel.inventory")
    written = {(r["object_type"], r["name"], r["engine_id"]) for r in rows if r["state"] == "present"}
    live = {("service", name, s["ID"]) for name, s in chaos.world.services().items()}
    live |= {("network", name, n["Id"]) for name, n in chaos.world.networks().items()}
    return [
        *(f"inventory: {entry} is live and not written down" for entry in live - written),
        *(f"inventory: {entry} is written down and not live" for entry in written - live),
        *(f"inventory: {row} is under way" for row in rows if row["state"] != "present"),
    ]


def _ours(chaos: ChaosHarness) -> dict[str, Any]:
    return {"label": [f"{labels.INSTALLATION}={chaos.world.name}"]}


def _versions(chaos: ChaosHarness) -> dict[str, int]:
    return {**chaos.world.versions(), **dict.fromkeys(chaos.world.networks(), 0)}


# -- the record -----------------------------------------------------------------------------------------------------


def _only_the_leader_wrote(chaos: ChaosHarness) -> None:
    """Each write came while its writer held the lease, and so the epochs of writers never go back."""
    terms = chaos.terms()
    at = 0
    for call in chaos.calls:
        while at < len(terms) and terms[at]["at"] <= call.at:
            at += 1
        assert at, f"{call}: nobody has led yet"
        term = terms[at - 1]
        controller = chaos.controller_of(term["holder"])
        assert controller is not None, f"{call}: an unknown process leads: {term}"
        assert controller.name == call.writer, f"{call}: {controller.name} leads with epoch {term['epoch']}"
        assert call.at <= term["expires_at"], f"{call}: its lease ended at {term['expires_at']:.3f}"


def _statuses_obey_the_rules(chaos: ChaosHarness) -> None:
    """Each status that was ever written, and its time by the machine's clock."""
    for row in chaos.world.root("SELECT *, abs(extract(epoch FROM updated_at - at)) AS off FROM chaos.statuses"):
        conditions = [Condition(**condition) for condition in row["conditions"]]
        generation = row["observed_generation"]
        broken = check(conditions, generation=generation, observed_generation=generation)
        assert not broken, f"{row['kind']}/{row['id']}: {broken}: {conditions}"
        assert row["off"] < 60, f"{row['kind']}/{row['id']}: written at {row['at']}, says {row['updated_at']}"


def _last_words(chaos: ChaosHarness) -> str:
    """The ends of both logs, for who reads a failure."""
    found = []
    for controller in chaos.controllers:
        found.append(f"-- {controller.name}: {controller.checks()}")
        for line in controller.controller.text().splitlines()[-15:]:
            try:
                found.append(json.dumps({k: v for k, v in json.loads(line).items() if k != "level"})[:300])
            except ValueError:
                found.append(line[:300])
    return "\n".join([*found, *_tasks(chaos)])


def _tasks(chaos: ChaosHarness) -> list[str]:
    """Every task of ours, with where it is and where it should be."""
    services = {s["ID"]: (name, s["Spec"]["Mode"]) for name, s in chaos.world.services().items()}
    return [
        f"{services[task['ServiceID']]}: {task['Status']['State']}, shall be {task['DesiredState']} on"
        f" {task.get('NodeID')}, {task['Status']['Timestamp']}"
        for task in chaos.world.engine.get("/tasks")
        if task["ServiceID"] in services
    ]
