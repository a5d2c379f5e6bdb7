"""Counting tasks: which of them are the service, which are on their way, which go; and what went wrong, in one line."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

import pytest

from controller.swarm.task_counts import service_progress
from reconcilers.environment.service import render
from reconcilers.ports import ServiceProgress
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment
from tests.unit.swarm.stored import live, stored

ONE, TWO = (
    render(environment(image_ref=f"registry.example.com/shop:{tag}"), OPTIONS, HOME).services[0] for tag in (1, 2)
)


def task(
    state: str = "running", *, wanted: str = "running", of: Any = ONE, at: str = "01", slot: int = 0, **status: Any
) -> dict[str, Any]:
    return {
        "DesiredState": wanted,
        "Slot": slot,
        "Spec": stored(of.spec)["TaskTemplate"],
        "Status": {"State": state, "Timestamp": f"2025-01-01T00:00:{at}Z", **status},
    }


def image_of(service: Any) -> str:
    return str(service.spec["TaskTemplate"]["ContainerSpec"]["Image"])


def counted(*tasks: dict[str, Any], desired: int = 2, state: str | None = None) -> ServiceProgress:
    return service_progress(live(ONE, update_state=state), tasks, desired)


def test_all_running_is_complete() -> None:
    found = counted(task(), task())
    assert (found.running, found.outdated, found.pending) == (2, 0, 0)
    assert found.complete


def test_nought_of_nought_is_complete() -> None:
    assert counted(desired=0).complete


@pytest.mark.parametrize("state", ["new", "allocated", "pending"])
def test_a_task_that_waits_for_a_node_or_an_address_is_pending(state: str) -> None:
    found = counted(task(), task(state))
    assert (found.running, found.pending) == (1, 1)
    assert not found.complete


@pytest.mark.parametrize("state", ["assigned", "accepted", "preparing", "ready", "starting"])
def test_a_task_that_is_being_started_is_neither(state: str) -> None:
    found = counted(task(), task(state))
    assert (found.running, found.pending, found.complete) == (1, 0, False)


def test_more_slots_than_swarm_was_told_are_a_surplus_whatever_state_their_tasks_are_in() -> None:
    found = counted(*(task(state, slot=n) for n, state in enumerate(("running", "running", "starting", "new"), 1)))
    assert (found.running, found.surplus, found.complete) == (2, 3, False)


def test_why_a_version_was_taken_back_is_told_although_the_one_before_runs() -> None:
    gone = task("rejected", wanted="shutdown", of=TWO, Err="No such image: shop:2")
    assert service_progress(live(ONE), [task(), gone], 1, blocked="it failed").problem == "No such image: shop:2"
    assert counted(task(), gone, desired=1).problem == ""


def test_two_tasks_of_one_slot_are_no_surplus() -> None:
    found = counted(task(slot=1), task(of=TWO, slot=1), task("ready", wanted="ready", slot=1))
    assert found.surplus == 0


def test_what_stops_is_no_surplus() -> None:
    assert counted(task(slot=1), task(wanted="remove", slot=2)).surplus == 0


def test_tasks_with_the_older_spec_are_outdated() -> None:
    found = counted(task(), task(), task(of=TWO))
    assert (found.running, found.outdated, found.complete) == (2, 1, False)


def test_tasks_beyond_the_number_wanted_are_outdated_too() -> None:
    found = counted(task(), task(), task())
    assert (found.running, found.outdated, found.complete) == (2, 1, False)


@pytest.mark.parametrize("wanted", ["shutdown", "remove"])
def test_a_task_that_swarm_gave_up_does_not_run_whatever_its_lost_node_last_said(wanted: str) -> None:
    found = counted(task(), task(wanted=wanted))
    assert (found.running, found.outdated) == (1, 0)


def test_a_placement_that_changed_alone_leaves_tasks_up_to_date() -> None:
    moved = task()
    moved["Spec"] = {**copy.deepcopy(moved["Spec"]), "Placement": {"Constraints": ["node.role == worker"]}}
    assert counted(task(), moved).complete


def test_what_the_engine_fills_in_does_not_make_a_task_outdated() -> None:
    plain = task()
    del plain["Spec"]["ForceUpdate"], plain["Spec"]["Runtime"], plain["Spec"]["ContainerSpec"]["Isolation"]
    assert counted(task(), plain).complete


@pytest.mark.parametrize(
    ("state", "complete"),
    [(None, True), ("completed", True), ("paused", True), ("updating", False), ("rollback_started", False)],
)
def test_it_is_not_complete_while_swarm_still_watches_the_tasks(state: str | None, complete: bool) -> None:
    assert counted(task(), task(), state=state).complete is complete


def test_a_spec_that_is_held_is_never_complete() -> None:
    assert not service_progress(live(ONE), [task()], 1, blocked="rolled back").complete


# -- what went wrong -------------------------------------------------------------------------------------------------


def failed(err: str = "task: non-zero exit (1)", at: str = "01", **status: Any) -> dict[str, Any]:
    return task("failed", wanted="shutdown", at=at, Err=err, **status)


def test_the_newest_error_is_the_problem() -> None:
    found = counted(
        failed("first", at="01"), failed("third", at="03"), failed("second", at="02"), task("starting", at="04")
    )
    assert found.problem == "third"


def test_an_exit_code_is_told_where_the_error_does_not() -> None:
    assert counted(failed("starting container failed", ContainerStatus={"ExitCode": 127})).problem == (
        "starting container failed (exit code 127)"
    )
    assert (
        counted(failed("task: non-zero exit (1)", ContainerStatus={"ExitCode": 1})).problem == "task: non-zero exit (1)"
    )


def test_a_rejected_task_without_an_error_tells_its_message() -> None:
    assert counted(task("rejected", wanted="shutdown", Message="preparing")).problem == "preparing"


def test_the_error_of_an_earlier_version_says_nothing_of_this_one() -> None:
    before = task("rejected", wanted="shutdown", of=TWO, at="09", Err="No such image: web:9")
    assert not counted(task(), task("starting"), before).problem
    held = service_progress(live(ONE), [task("starting"), before], 2, blocked="it failed")
    assert held.problem == "No such image: web:9"


def test_the_images_that_run_are_told_whichever_version_is_wanted() -> None:
    assert counted(task(), task(of=TWO), task("starting")).images == tuple(sorted({image_of(ONE), image_of(TWO)}))
    assert counted(task("starting")).images == ()


def test_what_a_pending_task_waits_for_is_the_problem() -> None:
    err = "no suitable node (insufficient resources on 1 node)"
    assert counted(task(), task("pending", Err=err)).problem == err


def test_a_task_that_stays_new_waits_for_an_address() -> None:
    assert "network address" in counted(task("new")).problem


def test_a_task_that_has_just_been_made_is_no_problem_yet() -> None:
    fresh = task("new")
    fresh["Status"]["Timestamp"] = datetime.now(UTC).isoformat()
    assert counted(fresh).problem == ""


def test_old_errors_are_no_problem_once_all_runs() -> None:
    assert counted(failed(), task(), task()).problem == ""


def test_a_long_error_keeps_its_beginning_and_its_end_in_one_line() -> None:
    problem = counted(failed("failed to create task:\n" + "runc: " * 100 + 'exec: "/bin/nope": no such file')).problem
    assert len(problem) <= 200
    assert "\n" not in problem
    assert problem.startswith("failed to create task: runc:")
    assert problem.endswith('exec: "/bin/nope": no such file')


# -- what ends by itself, and what is asked to stop --------------------------------------------------------------------


def test_tasks_that_were_asked_to_stop_and_still_run_are_counted() -> None:
    going = [task(wanted="remove"), task(wanted="shutdown"), task("shutdown", wanted="shutdown")]
    found = counted(*going, desired=0)
    assert (found.stopping, found.complete) == (2, False)
    assert counted(*going, task(), desired=1).complete, "what replaced them runs"


def test_tasks_on_nodes_that_are_lost_are_not_waited_for() -> None:
    gone = {**task(wanted="shutdown"), "NodeID": "n0de"}
    assert service_progress(live(ONE), [gone], 0, lost=frozenset({"n0de"})).complete


def test_only_tasks_of_the_present_template_count_as_failures() -> None:
    older = task("failed", wanted="shutdown", of=TWO, Err="older")
    found = counted(failed("task: non-zero exit (1)"), older, task(), task())
    assert (found.failures, found.failure) == (1, "task: non-zero exit (1)")
    assert service_progress(live(ONE), [failed(), older], 2, blocked="held back").failure == "older"


def test_the_tasks_that_run_are_named_by_their_ids() -> None:
    one, other = ({**task(), "ID": name} for name in "ab")
    assert counted(one, other).tasks == ("a", "b")
    assert counted(one, other).digest == counted(other, one).digest != counted(one, desired=1).digest
    assert counted(desired=0).digest == ""


def test_a_task_that_starts_is_known_with_how_long_it_may_where_the_engine_does_not_end_it() -> None:
    check = {"command": ["/check"], "interval_seconds": 10, "timeout_seconds": 5, "retries": 3}
    patient = environment(healthcheck=check, start_deadline=True)
    for snapshot, within in ((patient, 55.0), (environment(healthcheck=check), None)):
        (service,) = render(snapshot, OPTIONS, HOME).services
        tasks = [task("starting", of=service) | {"ID": "b"}, task("starting", of=service, wanted="shutdown")]
        found = service_progress(live(service), tasks, 2)
        assert (found.starting, found.starts_within) == (("b",), within)
        assert service_progress(live(service), [task(of=service)], 1).starts_within is None
