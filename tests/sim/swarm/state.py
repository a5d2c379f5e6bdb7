"""What is live, in a form that two runs can be compared by."""

from __future__ import annotations

from collections import Counter
from typing import Any

from reconcilers import labels
from tests.sim.swarm.objects import RUNNING, Document
from tests.sim.swarm.store import Store


def canonical(store: Store) -> dict[str, Any]:
    """Services, networks, secrets, configs and the edge, by name, without ids, versions and times.

    Tasks count as what runs and should run: by service, ``(running, of the present specification)``; those of a job by
    their states, in its present run.
    """
    networks = {n.meta.id: n.name for n in store.networks.values()}
    nodes = {n.meta.id: n.hostname for n in store.nodes.values()}
    return {
        "services": {
            s.name: _spec(s.spec, networks, nodes)
            | {"tasks": _tasks(store, s.meta.id), "pull": s.pulls.get(s.spec_version, "")}
            for s in sorted(store.services.values(), key=lambda s: s.name)
        },
        "networks": {
            n.name: {
                "labels": dict(n.labels or {}),
                "driver": n.driver,
                "subnet": n.subnet,
                "range": n.task_range,
                "internal": bool(n.wanted.get("Internal")),
                "attachable": bool(n.wanted.get("Attachable")),
            }
            for n in sorted(store.networks.values(), key=lambda n: n.name)
            if n.scope == "swarm" and not n.ingress
        },
        "secrets": {c.name: dict(c.labels) for c in sorted(store.secrets.values(), key=lambda c: c.name)},
        "configs": {
            # Which term it was depends on how often somebody took over.
            c.name: {"labels": {k: v for k, v in c.labels.items() if k != labels.EPOCH}, "data": c.data}
            for c in sorted(store.configs.values(), key=lambda c: c.name)
        },
        "joined": sorted(
            (t.service.name, t.slot, networks.get(network, "?"))
            for t in store.tasks.values()
            for network in t.joined
            if t.rank <= RUNNING
        ),
    }


def _spec(spec: Document, networks: dict[str, str], nodes: dict[str, str]) -> Document:
    template = dict(spec["TaskTemplate"])
    template["Networks"] = sorted(
        ({**a, "Target": networks.get(a["Target"], "?")} for a in template.get("Networks") or ()),
        key=lambda a: a["Target"],
    )
    container = dict(template["ContainerSpec"])
    for kind, key in (("Secrets", "SecretID"), ("Configs", "ConfigID")):
        if kind in container:
            container[kind] = [{k: v for k, v in r.items() if k != key} for r in container[kind]]
    template["ContainerSpec"] = container
    placement = template.get("Placement") or {}
    if placement.get("Constraints"):
        template["Placement"] = {**placement, "Constraints": [_named(c, nodes) for c in placement["Constraints"]]}
    return {**spec, "TaskTemplate": template}


def _named(constraint: str, nodes: dict[str, str]) -> str:
    for node, name in nodes.items():
        constraint = constraint.replace(node, name)
    return constraint


def _tasks(store: Store, service_id: str) -> Document:
    tasks = store.by_service.get(service_id, [])
    service = store.services[service_id]
    if service.is_job:
        return {"iteration": service.iteration, **Counter(t.state for t in tasks if t.iteration == service.iteration)}
    alive = [t for t in tasks if t.wanted_rank == RUNNING]
    counts = Counter(t.state for t in alive)
    present = sum(t.state == "running" and t.spec == service.spec["TaskTemplate"] for t in alive)
    return {"running": counts["running"], "present": present}
