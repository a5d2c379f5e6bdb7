"""What is held back after it failed is the task template alone; routes, scale, suspension and networks are today's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.changes import Change, ChangeSet
from controller.records import InventoryRow
from controller.swarm.plan import plan
from reconcilers import labels
from reconcilers.environment.service import render
from reconcilers.objects import Objects, Service, template_hash
from reconcilers.ports import LiveService
from reconcilers.routes import hostnames_of
from tests.unit.reconcilers.documents import ENVIRONMENT_ID, HOME, OPTIONS, domain, environment
from tests.unit.swarm.stored import View, live

OWNER = ("environment", str(ENVIRONMENT_ID))


def shop(tag: int = 1, **changes: Any) -> Service:
    return render(environment(image_ref=f"registry.example.com/shop:{tag}", **changes), OPTIONS, HOME).services[0]


ONE, TWO, THREE = shop(1), shop(2), shop(3)
NAME = ONE.name


def row(service: Service = ONE, **changes: Any) -> InventoryRow:
    known = InventoryRow("service", NAME, f"id-of-{NAME}", service.hash, state="present")
    return replace(known, template_hash=service.template_hash, **changes)


def planned(wanted: Service, there: LiveService | None, known: InventoryRow) -> ChangeSet:
    return plan(OWNER, Objects((wanted,)), View([there] if there else []), (known,))


def rolled_back(now: Service, state: str = "rollback_completed", *, by_hand: bool = False) -> LiveService:
    return replace(live(now, update_state=state, message="update rolled back"), has_previous=by_hand)


def target(changes: ChangeSet) -> Service:
    (change,) = changes.changes
    assert isinstance(change, Change)
    assert isinstance(change.target, Service)
    return change.target


def image(service: Service) -> str:
    return str(service.spec["TaskTemplate"]["ContainerSpec"]["Image"])


# -- what failed is known by its template ----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["rollback_started", "rollback_completed", "rollback_paused", "completed"])
def test_swarm_s_own_rollback_is_not_drift(state: str) -> None:
    changes = planned(TWO, rolled_back(ONE, state), row(TWO, last_good=ONE.spec))
    assert changes.changes == ()
    assert list(changes.blocked) == [NAME]
    assert changes.failed == {NAME: TWO.template_hash}


def test_what_failed_is_not_tried_again_and_not_counted_again() -> None:
    changes = planned(TWO, live(ONE), row(TWO, failed_hash=TWO.template_hash, last_good=ONE.spec))
    assert changes.changes == ()
    assert list(changes.blocked) == [NAME]
    assert changes.failed == {}


def test_the_next_template_is_applied_after_one_that_failed() -> None:
    changes = planned(THREE, rolled_back(ONE), row(TWO, failed_hash=TWO.template_hash, last_good=ONE.spec))
    assert target(changes) == THREE
    assert changes.blocked == {}


def test_a_rollback_of_an_older_template_does_not_hold_the_present_one() -> None:
    """The write of the wanted spec is what clears the mark of a rollback."""
    changes = planned(THREE, rolled_back(ONE), row(TWO, last_good=ONE.spec))
    assert (target(changes), changes.blocked) == (THREE, {})


def test_what_worked_before_is_never_held() -> None:
    changes = planned(TWO, rolled_back(ONE), row(TWO, failed_hash=TWO.template_hash, last_good=TWO.spec))
    assert (target(changes), changes.blocked, changes.failed) == (TWO, {}, {})


def test_a_hash_that_an_older_controller_wrote_holds_nothing() -> None:
    known = replace(row(TWO, failed_hash=TWO.hash, last_good=ONE.spec), template_hash=None)
    assert (target(planned(TWO, live(ONE), known)), planned(TWO, live(ONE), known).blocked) == (TWO, {})


def test_the_last_good_document_of_an_older_controller_is_gone_back_to() -> None:
    old = {**ONE.spec, "Labels": {k: v for k, v in ONE.spec["Labels"].items() if k != labels.TEMPLATE_HASH}}
    changes = planned(TWO, rolled_back(THREE), row(TWO, last_good=old))
    assert target(changes) == ONE


# -- everything else is today's --------------------------------------------------------------------------------------

WANTED = {
    "another scale": shop(2, instances=4),
    "suspended": shop(2, suspended=True),
    "a domain more": shop(2, domains=[domain("shop.example.com")]),
}


@pytest.mark.parametrize("wanted", WANTED.values(), ids=WANTED)
def test_what_cannot_fail_is_applied_at_once_and_the_template_that_failed_is_not(wanted: Service) -> None:
    known = row(TWO, failed_hash=TWO.template_hash, last_good=ONE.spec)
    changes = planned(wanted, live(ONE), known)
    found = target(changes)
    assert image(found) == image(ONE)
    assert found.template_hash == ONE.template_hash
    assert found.replicas == wanted.replicas
    assert hostnames_of(found.spec["Labels"]) == hostnames_of(wanted.spec["Labels"])
    assert list(changes.blocked) == [NAME]
    assert planned(wanted, live(found), known).changes == (), "and once it is, nothing is left to do"


def test_a_domain_that_is_gone_is_unrouted_though_swarm_s_rollback_brought_it_back() -> None:
    before = shop(1, domains=[domain("shop.example.com")])
    changes = planned(TWO, rolled_back(before), row(TWO, last_good=before.spec))
    assert hostnames_of(target(changes).spec["Labels"]) == frozenset()
    assert changes.failed == {NAME: TWO.template_hash}


def test_what_cannot_fail_is_put_right_also_while_swarm_is_still_going_back() -> None:
    before = shop(1, domains=[domain("shop.example.com")])
    changes = planned(TWO, rolled_back(before, "rollback_started"), row(TWO, last_good=before.spec))
    assert target(changes) == ONE


def test_without_a_last_good_template_the_one_that_runs_is_kept() -> None:
    changes = planned(shop(2, instances=3), rolled_back(ONE), row(TWO))
    found = target(changes)
    assert (image(found), found.replicas) == (image(ONE), 3)
    assert found.template_hash == ONE.template_hash
    assert planned(shop(2, instances=3), live(found), row(TWO, failed_hash=TWO.template_hash)).changes == ()


def test_without_anything_that_runs_or_ever_worked_nothing_is_made_of_what_failed() -> None:
    changes = planned(TWO, None, row(TWO, failed_hash=TWO.template_hash))
    assert changes.changes == ()
    assert list(changes.blocked) == [NAME]


def test_routes_go_to_the_port_that_the_last_good_template_listens_on() -> None:
    hosts = [domain("shop.example.com")]
    before, wanted = shop(1, domains=hosts), shop(2, domains=hosts, port=9090)
    changes = planned(wanted, rolled_back(before), row(wanted, last_good=before.spec))
    assert changes.changes == ()
    more = shop(2, domains=[*hosts, domain("www.example.com")], port=9090)
    found = target(planned(more, live(before), row(wanted, failed_hash=more.template_hash, last_good=before.spec)))
    ports = {v for k, v in found.spec["Labels"].items() if k.endswith("server.port")}
    assert ports == {"8080"}


def test_the_last_good_template_is_put_on_today_s_network() -> None:
    moved = {**ONE.spec, "TaskTemplate": {**ONE.spec["TaskTemplate"], "Networks": [{"Target": "org-former"}]}}
    found = target(planned(TWO, rolled_back(THREE), row(TWO, last_good=moved)))
    assert found.spec["TaskTemplate"]["Networks"] == TWO.spec["TaskTemplate"]["Networks"]
    assert template_hash(moved) == found.template_hash, "a network is no part of what can fail"


def test_while_a_template_is_held_the_last_good_one_is_defended() -> None:
    there = rolled_back(ONE)
    there = replace(there, spec={**there.spec, "Mode": {"Replicated": {"Replicas": 5}}})
    changes = planned(TWO, there, row(TWO, failed_hash=TWO.template_hash, last_good=ONE.spec))
    assert target(changes) == ONE
    assert list(changes.blocked) == [NAME]


def test_a_held_service_that_somebody_removed_comes_back_as_it_last_was_good() -> None:
    changes = planned(TWO, None, row(TWO, failed_hash=TWO.template_hash, last_good=ONE.spec))
    assert (changes.changes[0].action, target(changes)) == ("create", ONE)


# -- a rollback by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["rollback_started", "rollback_completed", "rollback_paused"])
def test_a_rollback_that_somebody_asked_for_is_drift_and_named(state: str) -> None:
    changes = planned(TWO, rolled_back(ONE, state, by_hand=True), row(TWO, last_good=TWO.spec))
    (change,) = changes.changes
    assert (change.cause, change.target, changes.blocked, changes.failed) == ("Repaired", TWO, {}, {})
    assert "rolled it back by hand" in str(change)


def test_a_change_by_hand_and_its_own_way_back_is_nothing() -> None:
    assert planned(ONE, rolled_back(ONE, by_hand=True), row(ONE, last_good=ONE.spec)).changes == ()
