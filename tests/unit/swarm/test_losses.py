"""What a change takes away from what serves, and what is left of it when that is spared."""

from __future__ import annotations

from typing import Any

import pytest

from controller.changes import Change
from controller.swarm.losses import loses, serves, spare
from reconcilers import labels
from reconcilers.jobs import Job
from reconcilers.objects import Objects, Service
from reconcilers.ports import LiveService
from reconcilers.routes import traefik_labels


def service(name: str = "shop-web", process: str = "web", hosts: tuple[str, ...] = (), **fields: Any) -> Service:
    routes = traefik_labels(
        name, network="org-acme", port=80, hostnames=hosts, entrypoints=("web",), cert_resolver=None
    )
    spec = {
        "Name": name,
        "Labels": {labels.PROCESS: process, labels.OWNER: "environment/1", **routes},
        "TaskTemplate": {"ContainerSpec": {"Image": fields.get("image", "web:1")}},
        "Mode": {"Replicated": {"Replicas": fields.get("replicas", 1)}},
    }
    return Service.seal(spec)


def live(found: Service) -> LiveService:
    return LiveService("id", found.name, 7, found.spec, update_state=None, update_message="")


def update(before: Service, after: Service) -> Change:
    return Change("update", "service", after.name, after, live(before))


def delete(before: Service) -> Change:
    return Change("delete", "service", before.name, live=live(before))


def becomes_a_job(before: Service) -> Change:
    return Change("recreate", "job", before.name, Job.times(before.name, {}, labels={}), live(before))


A, AB = ("a.example",), ("a.example", "b.example")


def test_a_service_serves_its_process_while_it_has_tasks_and_the_hosts_of_its_rules() -> None:
    assert serves(service(hosts=AB).spec) == ("web", frozenset(AB))
    assert serves(service(hosts=A, replicas=0).spec) == ("", frozenset(A))
    assert serves({"Name": "pin", "Mode": {"Replicated": {"Replicas": 1}}}) == ("", frozenset())


@pytest.mark.parametrize(
    ("change", "others", "lost"),
    [
        (delete(service()), (), True),
        (delete(service(replicas=0)), (), False),
        (delete(service(replicas=0, hosts=A)), (), True),
        (delete(service()), (service("renamed-web"),), False),
        (delete(service()), (service("renamed-web", replicas=0),), True),
        (delete(service(hosts=AB)), (service("renamed-web", hosts=A),), True),
        (delete(service("shop-worker", "worker")), (service(),), True),
        (becomes_a_job(service()), (), True),
        (becomes_a_job(service()), (service("renamed-web"),), False),
        (update(service(), service(replicas=0)), (), True),
        (update(service(replicas=3), service(replicas=1)), (), False),
        (update(service(), service(image="web:2")), (), False),
        (update(service(hosts=AB), service(hosts=A)), (), True),
        (update(service(hosts=A), service(hosts=AB)), (), False),
        (update(service(hosts=A), service()), (service("shop-front", "front", hosts=A),), False),
        (Change("create", "service", "shop-web", service()), (), False),
    ],
)
def test_what_stops_or_leads_nowhere_is_lost_unless_something_else_takes_its_place(
    change: Change, others: tuple[Service, ...], lost: bool
) -> None:
    target = (change.target,) if isinstance(change.target, Service) else ()
    assert loses(change, Objects((*target, *others))) is lost


def test_what_is_spared_keeps_its_tasks_and_routes_and_takes_everything_else() -> None:
    before, after = service(hosts=AB, replicas=2), service(hosts=A, replicas=0, image="web:2")
    spared = spare(update(before, after), Objects((after,)))
    assert spared is not None
    assert isinstance(spared.target, Service)
    assert serves(spared.target.spec) == ("web", frozenset(AB))
    assert spared.target.spec["Mode"] == before.spec["Mode"]
    assert spared.target.spec["TaskTemplate"]["ContainerSpec"]["Image"] == "web:2"
    assert [d.path for d in spared.differences if "Image" in d.path]


def test_nothing_is_left_of_a_change_that_only_takes_away() -> None:
    before, after = service(hosts=AB, replicas=2), service(hosts=A, replicas=0)
    assert spare(update(before, after), Objects((after,))) is None
    assert spare(delete(before), Objects()) is None
