"""A document that cannot be rendered: what it says all the same is done, and what cannot be read changes nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcilers import labels
from reconcilers.environment.salvage import salvaged
from reconcilers.environment.service import render
from reconcilers.objects import Service
from reconcilers.routes import hostnames_of
from tests.unit.reconcilers.documents import HOME, OPTIONS, domain, environment, process

DECLARED: dict[str, Any] = {
    "suspended": False,
    "instances": 1,
    "processes": [process("web", instances=2, port=8080), process("worker", instances=3)],
    "domains": [domain("shop.example.com")],
    "pinned": None,
}
GOOD = {s.spec["Labels"][labels.PROCESS]: s for s in render(environment(**DECLARED), OPTIONS, HOME).services}


def kept(**changes: Any) -> dict[str, Service]:
    found = salvaged(
        {**DECLARED, "image_ref": "NOT an image", **changes}, [s.spec for s in GOOD.values()], OPTIONS, HOME
    )
    return {s.spec["Labels"][labels.PROCESS]: s for s in found}


def hosts(service: Service) -> set[str]:
    return set(hostnames_of(service.spec["Labels"]))


def test_what_nothing_was_said_of_stays_byte_for_byte() -> None:
    assert kept() == GOOD


def test_suspended_stops_every_task_whatever_else_is_wrong() -> None:
    found = kept(suspended=True, processes=["nonsense"], domains=None)
    assert {name: s.replicas for name, s in found.items()} == {"web": 0, "worker": 0}


def test_the_scale_is_today_s_where_it_can_be_read() -> None:
    found = kept(processes=[process("web", instances=5), process("worker", instances="many")])
    assert {name: s.replicas for name, s in found.items()} == {"web": 5, "worker": 3}


def test_what_runs_is_not_scaled_while_it_cannot_be_told_whether_it_is_suspended() -> None:
    found = kept(suspended="perhaps", processes=[process("web", instances=5), process("worker", instances=5)])
    assert {name: s.replicas for name, s in found.items()} == {"web": 2, "worker": 3}


def test_a_process_that_is_gone_goes() -> None:
    assert set(kept(processes=[process("worker")])) == {"worker"}


@pytest.mark.parametrize("row", [None, 5, {}, {"type": "Not A Type"}, {"type": 7}])
def test_no_process_is_known_to_be_gone_while_one_cannot_be_read(row: object) -> None:
    assert set(kept(processes=[process("worker"), row])) == {"web", "worker"}


def test_a_document_without_processes_means_web() -> None:
    found = kept(processes=[], instances=4)
    assert {name: s.replicas for name, s in found.items()} == {"web": 4}


def test_a_domain_that_is_gone_is_unrouted_and_a_new_one_is_routed() -> None:
    found = kept(domains=[domain("www.example.com"), domain("jobs.example.com", "worker")])
    assert {name: hosts(s) for name, s in found.items()} == {"web": {"www.example.com"}, "worker": {"jobs.example.com"}}


def test_a_domain_of_no_process_stays_where_it_is_and_a_new_one_is_nowhere() -> None:
    found = kept(domains=[domain("shop.example.com", "nope"), domain("new.example.com", "nope"), {"hostname": "x_y"}])
    assert {name: hosts(s) for name, s in found.items()} == {"web": {"shop.example.com"}, "worker": set()}


def test_the_platform_s_own_host_is_led_to_nobody_whoever_had_it() -> None:
    reserved = replace(OPTIONS, api_host="shop.example.com")
    document = {**DECLARED, "image_ref": "NOT an image"}
    found = salvaged(document, [s.spec for s in GOOD.values()], reserved, HOME)
    assert [hosts(s) for s in found] == [set(), set()]


def test_the_template_is_never_touched() -> None:
    found = kept(suspended=True, domains=[], cmd=["other"], memory_mb=9999)
    assert {name: s.template_hash for name, s in found.items()} == {n: s.template_hash for n, s in GOOD.items()}


@pytest.mark.parametrize("document", [{}, {"processes": 5, "domains": "x", "suspended": None, "instances": {}}])
def test_nothing_that_cannot_be_read_changes_anything(document: dict[str, Any]) -> None:
    found = salvaged(document, [s.spec for s in GOOD.values()], OPTIONS, HOME)
    assert {s.spec["Labels"][labels.PROCESS]: s for s in found} == GOOD


def test_what_a_named_release_runs_is_not_taken_away_when_it_cannot_be_read() -> None:
    document = {name: value for name, value in DECLARED.items() if name not in ("pinned", "processes")}
    found = salvaged({**document, "processes": []}, [s.spec for s in GOOD.values()], OPTIONS, HOME)
    assert {s.spec["Labels"][labels.PROCESS] for s in found} == {"web", "worker"}


def test_lists_that_are_cut_short_say_nothing_of_what_they_do_not_name() -> None:
    many = [process(f"p{n}", port=1) for n in range(101)]
    assert set(kept(processes=many)) == {"web", "worker"}
    assert kept(domains=[domain(f"h{n}.example.com") for n in range(501)]) == GOOD
