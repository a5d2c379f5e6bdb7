"""The inventory of an owner: what is learned, forgiven, struck off, and gone back to."""

from __future__ import annotations

from dataclasses import replace

from controller.changes import Change, ChangeSet
from controller.loop import inventory
from controller.records import InventoryRow, InventoryUpdate
from reconcilers.environment.service import render
from reconcilers.objects import Objects
from reconcilers.ports import CRASH_LOOP, ServiceProgress
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment

(ONE,) = render(environment(), OPTIONS, HOME).services
(TWO,) = render(environment(image_ref="example.com/shop:2"), OPTIONS, HOME).services
RUNS = ServiceProgress(TWO.name, 1, 1, 0, 0, stable=True)
LOOPS = replace(RUNS, stable=False, failures=CRASH_LOOP)


def row(**changes: object) -> InventoryRow:
    return replace(InventoryRow("service", ONE.name, "id", ONE.hash), **changes)  # type: ignore[arg-type]


def test_what_is_wanted_planned_or_left_serving_is_no_stray() -> None:
    rows = [InventoryRow("service", name) for name in (ONE.name, "goes", "serves", "stray")]
    changes = ChangeSet(
        (Change("delete", "service", "goes"),), left=frozenset({("service", "serves")}), wanted=Objects((ONE,))
    )
    assert [r.name for r in inventory.strays(rows, changes)] == ["stray"]


def test_a_failure_is_forgiven_when_another_template_is_wanted_and_not_while_it_is_blocked() -> None:
    failed = [row(failed_hash=ONE.template_hash)]
    forgiven = InventoryUpdate("service", ONE.name, failed_hash="")
    assert inventory.planned(failed, ChangeSet(wanted=Objects((TWO,)))) == [forgiven]
    assert inventory.planned(failed, ChangeSet(wanted=Objects((ONE,)))) == []
    assert inventory.planned(failed, ChangeSet(wanted=Objects((TWO,)), blocked={TWO.name: "why"})) == []


def test_a_request_to_look_now_forgives_everything() -> None:
    rows = [row(failed_hash="f", template_hash="t"), InventoryRow("network", "home", "id", "10.0.0.0/24")]
    assert [(r.failed_hash, r.spec_hash, r.template_hash) for r in inventory.tried_anew(rows)] == [(None,) * 3] * 2
    assert [update.name for update in inventory.pardons(rows)] == [ONE.name]


def test_the_last_good_document_keeps_the_scale_of_today() -> None:
    scaled = {**ONE.spec, "Mode": {"Replicated": {"Replicas": 7}}}
    good = inventory.good_documents([row(last_good=ONE.spec)], {ONE.name: scaled, "other": TWO.spec})
    assert good == {ONE.name: scaled, "other": TWO.spec}


def test_what_was_applied_last_and_has_not_failed_is_not_given_up_for_the_one_before_it() -> None:
    live = {TWO.name: TWO.spec}
    young = row(spec_hash=TWO.hash, last_good=ONE.spec)
    assert [service.template_hash for service in inventory.unproven([young], live)] == [TWO.template_hash]
    for other in (
        replace(young, failed_hash=TWO.template_hash),
        replace(young, spec_hash="another"),
        replace(young, last_good=TWO.spec),
        replace(young, last_good=None),
    ):
        assert inventory.unproven([other], live) == []
    assert inventory.unproven([young], {}) == []
    assert inventory.good_documents([young], live, {TWO.name}) == live
    assert inventory.good_documents([young], live) == {ONE.name: {**ONE.spec, "Mode": TWO.spec["Mode"]}}


def test_what_loops_or_serves_with_too_few_tasks_does_not_go_well() -> None:
    assert inventory.goes_well(replace(RUNS, stable=False))
    assert inventory.goes_well(replace(RUNS, running=0, outdated=1)), "the one before it serves"
    assert inventory.goes_well(replace(RUNS, running=0, completed=1)), "it is done"
    assert not inventory.goes_well(replace(RUNS, running=0, pending=1))
    assert not inventory.goes_well(replace(RUNS, first=1)), "the others wait to see"
    assert not inventory.goes_well(replace(RUNS, update_state="paused"))
    assert not inventory.goes_well(LOOPS)


def test_what_is_proven_is_the_last_good_one_and_what_loops_has_failed() -> None:
    before = row(last_good=ONE.spec)
    assert inventory.lesson(RUNS, TWO, before).update == InventoryUpdate(
        "service", TWO.name, spec_hash=TWO.hash, template_hash=TWO.template_hash, last_good=TWO.spec
    )
    assert inventory.lesson(replace(RUNS, proves_in=5.0), TWO, before).update is None
    looped = inventory.lesson(LOOPS, TWO, before)
    assert (looped.gives_up, looped.update) == (
        True,
        InventoryUpdate("service", TWO.name, failed_hash=TWO.template_hash),
    )
    assert not inventory.lesson(LOOPS, TWO, row(last_good=TWO.spec)).gives_up, "there is nothing else to go back to"


def test_of_what_is_blocked_or_runs_no_task_nothing_is_learned() -> None:
    for progress in (replace(RUNS, blocked="it failed"), replace(RUNS, desired=0)):
        assert inventory.lesson(progress, TWO, row(last_good=ONE.spec)).update is None
