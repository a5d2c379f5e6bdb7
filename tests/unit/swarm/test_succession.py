"""A process that has another name by now: what is done next, by what is live."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from controller.changes import Succession
from controller.swarm.succession import handed_over, step
from reconcilers import labels
from reconcilers.environment.service import render
from reconcilers.objects import Objects, Service
from reconcilers.ports import LiveService
from reconcilers.routes import hostnames_of
from tests.unit.reconcilers.documents import HOME, OPTIONS, domain, environment, process
from tests.unit.swarm.stored import live

HOST, OTHER = "www.example.com", "blog.example.com"
NOBODY: frozenset[str] = frozenset()


def shop(name: str = "shop", **changes: Any) -> Objects:
    fields: dict[str, Any] = {"domains": [domain(HOST)], **changes}
    return render(environment(swarm_name=f"acme-{name}-production", **fields), OPTIONS, HOME)


OLD, NEW = live(shop("shop").services[0]), shop("store")
(STORE,) = NEW.services


def next_step(*there: LiveService, serving: bool = True, retired: float = 0.0, wanted: Objects = NEW) -> Succession:
    names = [s.name for s in wanted.services] if serving else []
    return step(wanted.services, there, names, retired_seconds=lambda _: retired, settle_seconds=20.0)


def done(found: Succession) -> list[tuple[str, str]]:
    return [(change.action, change.name) for change in found.changes.changes]


def given(wanted: Objects, *there: LiveService, serving: bool = False, taken: frozenset[str] = NOBODY) -> set[str]:
    names = [s.name for s in wanted.services] if serving else []
    objects = handed_over(wanted, there, names, taken.intersection).objects
    return {host for service in objects.services for host in hostnames_of(service.spec["Labels"])}


def unrouted(service: LiveService) -> LiveService:
    kept = {k: v for k, v in service.labels.items() if not k.startswith("traefik.")}
    return replace(service, spec={**service.spec, "Labels": kept | {labels.RETIRED: "true"}})


def test_the_new_one_is_made_without_the_host_names_that_the_former_answers() -> None:
    wanted = shop("store", domains=[domain(HOST), domain(OTHER)])
    assert given(wanted, OLD) == {OTHER}
    assert given(wanted, OLD, serving=True) == {HOST, OTHER}
    assert given(wanted, OLD, live(wanted.services[0])) == {HOST, OTHER}, "what it has is not taken off again"
    assert given(wanted, unrouted(OLD)) == {HOST, OTHER}


def test_the_former_loses_its_routes_when_the_new_one_serves_and_goes_when_the_edge_knows() -> None:
    assert next_step(OLD, serving=False) == Succession(next_step(serving=False).changes, (OLD.name,), None)
    first = next_step(OLD, live(STORE))
    assert (done(first), first.names, first.seconds) == ([("update", OLD.name)], (OLD.name,), 20.0)
    (change,) = first.changes.changes
    assert isinstance(change.target, Service)
    assert hostnames_of(change.target.spec["Labels"]) == NOBODY
    assert change.target.spec["TaskTemplate"] == OLD.spec["TaskTemplate"], "its tasks are left alone"
    assert next_step(unrouted(OLD), retired=5.0).seconds == 15.0
    last = next_step(unrouted(OLD), retired=20.0)
    assert (done(last), last.names, last.seconds) == ([("delete", OLD.name)], (), None)


def test_a_process_without_host_names_goes_as_soon_as_the_new_one_serves() -> None:
    old = live(shop("shop", domains=[]).services[0])
    assert done(next_step(old, wanted=shop("store", domains=[]))) == [("delete", old.name)]


def test_only_the_process_that_serves_under_its_new_name_goes() -> None:
    both = [process("web", port=8080), process("worker")]
    old = [live(s) for s in shop("shop", processes=both).services]
    wanted = shop("store", processes=both, domains=[]).services
    (worker,) = [s for s in wanted if s.spec["Labels"][labels.PROCESS] == "worker"]
    found = step(wanted, old, [worker.name], retired_seconds=lambda _: 0.0, settle_seconds=20.0)
    assert done(found) == [("delete", old[1].name)]
    assert found.names == (old[0].name,)


def test_a_host_name_that_is_none_of_the_owner_s_any_more_is_taken_off_the_former_at_once() -> None:
    old = live(shop("shop", domains=[domain(HOST), domain(OTHER)]).services[0])
    (change,) = handed_over(NEW, [old], [], NOBODY.intersection).lost.changes
    assert isinstance(change.target, Service)
    assert hostnames_of(change.target.spec["Labels"]) == {HOST}
    assert labels.RETIRED not in change.target.spec["Labels"]


def test_a_host_name_that_another_owner_still_has_is_left_out_unless_it_is_live_here_already() -> None:
    taken = frozenset({HOST})
    assert given(NEW, taken=taken) == NOBODY
    assert handed_over(NEW, [], [], taken.intersection).missing == taken
    assert given(NEW, live(STORE), taken=taken) == {HOST}
    assert handed_over(NEW, [live(STORE)], [], taken.intersection).missing == NOBODY
