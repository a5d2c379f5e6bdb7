"""What is said of an environment, by how far the tasks of its services are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from reconcilers.conditions import Condition
from reconcilers.environment.assessment import assess, declared_seconds
from reconcilers.options import Options
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import ServiceProgress
from tests.unit.reconcilers.documents import environment, process

GOOD = ServiceProgress("web", 2, 2, 0, 0, tasks=("a", "b"), stable=True)
STARTING = replace(GOOD, running=1, tasks=("a",), stable=False)
DYING = replace(STARTING, failures=3, failure="task: non-zero exit (1)", exit_code=1)
BLOCKED = replace(GOOD, blocked="it failed", stable=False)
OPTIONS = Options("s")
WANTED = environment().image_ref


def said(*rollouts: ServiceProgress, waiting: float = 0.0, **changes: Any) -> tuple[Condition, Outcome]:
    found, outcome = assess(environment(**changes), rollouts, waiting_seconds=waiting, options=OPTIONS)
    return found[-1], outcome


def reason(*rollouts: ServiceProgress, waiting: float = 0.0, **changes: Any) -> str:
    return said(*rollouts, waiting=waiting, **changes)[0].reason


def test_ready_needs_every_service_stable() -> None:
    condition, outcome = said(GOOD)
    assert (condition.type, condition.reason, outcome) == ("Ready", "Deployed", Done())
    young = replace(GOOD, stable=False, settles_in=3.0)
    assert said(GOOD, young)[1] == RequeueAfter(3.0)
    assert reason(GOOD, young) == "RollingOut"


def test_replicas_of_an_environment_that_has_processes_are_said_to_have_no_effect() -> None:
    message = said(GOOD, instances=7, processes=(process("web"),))[0].message
    assert message.endswith("replicas of the environment (7) has no effect, say it at its processes: web")
    assert "no effect" not in said(GOOD, instances=7)[0].message


def test_where_no_node_has_room_it_is_said_how_much_a_task_reserves() -> None:
    short = replace(STARTING, pending=1, problem="no suitable node (insufficient resources on 1 node)")
    assert "A task reserves 50 cores and 32Mi" in said(short, cpu_limit=500, memory_mb=64)[0].message
    assert "reserves" not in said(STARTING)[0].message


def test_where_no_node_has_the_labels_it_is_said_which_they_are() -> None:
    nowhere = "no suitable node (scheduling constraints not satisfied on 2 nodes)"
    short = replace(STARTING, pending=1, problem=nowhere)
    message = said(short, region="eu", pool="gpu")[0].message
    assert "only on nodes with the labels io.skypanel.pool=gpu and io.skypanel.region=eu: " in message
    assert "`docker node update --label-add io.skypanel.pool=gpu NODE`" in message
    assert "with the label io.skypanel.region=eu: " in said(short, region="eu")[0].message
    assert "label" not in said(short)[0].message
    assert "label" not in said(STARTING, region="eu")[0].message


def test_what_is_ready_and_not_proven_is_looked_at_once_more() -> None:
    assert said(replace(GOOD, proves_in=20.0)) == (said(GOOD)[0], RequeueAfter(20.0))


def test_a_crash_loop_is_said_with_its_exit_code_and_stays_the_same_while_it_goes_on() -> None:
    condition, _ = said(GOOD, DYING)
    assert (condition.type, condition.reason) == ("Stalled", "CrashLoop")
    assert "3 times or more" in condition.message
    assert "exit (1)" in condition.message
    again = replace(DYING, running=2, tasks=("a", "c"), failures=4, problem="x", settles_in=80.0)
    assert said(GOOD, again)[0] == condition


def test_what_is_not_healthy_in_time_is_unhealthy_in_the_same_words_until_it_stays_up_or_loops() -> None:
    late = replace(STARTING, overdue=30.0, check=CHECKED)
    condition, outcome = said(GOOD, late)
    assert (condition.type, condition.reason, outcome) == ("Stalled", "Unhealthy", RequeueAfter(10.0))
    assert f"{WANTED} was not healthy within 30 s of its start: {CHECKED}; Swarm ends" in condition.message
    assert said(GOOD, replace(late, failures=2, failure="x", exit_code=1, problem="x"))[0] == condition
    young = replace(late, running=2, tasks=("a", "c"), settles_in=3.0)
    assert said(GOOD, young) == (condition, RequeueAfter(3.0)), "it may run for a moment only"
    assert reason(GOOD, replace(young, stable=True)) == "Deployed"
    assert "its health check failed: it had not passed" in said(replace(late, check=""))[0].message
    looping, _ = said(late, replace(DYING, service="worker"))
    assert looping.reason == "CrashLoop"
    assert "web: a task of" in looping.message
    assert reason(replace(late, looped=True)) == "CrashLoop", "some of its endings are long ago by now"


@pytest.mark.parametrize("code", [1, 13, 77])
def test_an_image_that_dies_under_the_baseline_is_told_what_to_change(code: int) -> None:
    message = said(replace(DYING, exit_code=code))[0].message
    for word in ("capabilities", "tmpfs", "runAs", "readOnlyRootFilesystem", "/tmp"):
        assert word in message


def test_an_image_that_must_be_process_1_is_told_so() -> None:
    assert "set init to false" in said(replace(DYING, exit_code=100))[0].message
    assert "init" not in said(replace(DYING, exit_code=100), init=False)[0].message


@pytest.mark.parametrize("code", [0, 137, 143, None])
def test_what_was_killed_or_ended_well_gets_no_such_advice(code: int | None) -> None:
    assert "capabilities" not in said(replace(DYING, exit_code=code))[0].message


def test_suspended_is_said_when_nothing_runs_and_goes_before_all_else() -> None:
    none = ServiceProgress("web", 0, 0, 0, 0, stable=True)
    assert reason(none, suspended=True) == "Suspended"
    assert reason(replace(none, stopping=2), suspended=True) == "Stopping"
    assert reason(replace(none, blocked="it failed", stable=False), suspended=True) == "Suspended"


def test_a_template_that_is_held_is_rolled_back_and_says_how_it_ended() -> None:
    condition, outcome = said(replace(BLOCKED, failure="task: non-zero exit (7)"))
    assert (condition.reason, outcome) == ("RolledBack", Done())
    assert "exit (7)" in condition.message
    assert "capabilities" in said(replace(BLOCKED, failure="x", exit_code=1))[0].message
    assert "crash loop" in said(replace(BLOCKED, failures=2, failure="x"))[0].message


def test_what_was_taken_back_is_named_with_what_runs_meanwhile() -> None:
    told = said(replace(BLOCKED, problem="No such image: web:9", images=("web:2",)))[0].message
    assert f"{WANTED} failed and was taken back: No such image: web:9; web:2 runs meanwhile" in told
    assert "a new version of" in said(replace(BLOCKED, images=(str(WANTED),)))[0].message
    assert "no task runs meanwhile" in said(BLOCKED)[0].message


CHECKED = "its health check failed ([/bin/check], every 2s): exit code 1, no output"
NOT_READY = {
    "RolledBack": ([replace(BLOCKED, failure="CAUSE", images=("web:2",))], {}),
    "CrashLoop": ([replace(DYING, failure="CAUSE")], {}),
    "Unhealthy": ([replace(STARTING, overdue=30.0, check="CAUSE")], {}),
    "ProgressDeadlineExceeded": (
        [replace(STARTING, running=0, outdated=2, problem="CAUSE", images=("web:2",))],
        {"waiting": 999.0},
    ),
    "RollingOut": ([replace(STARTING, running=0, outdated=2, problem="CAUSE", images=("web:2",))], {}),
}
"""By reason: what leads to it, and how else it is asked."""
MEANWHILE = {
    "RolledBack": "web:2 runs meanwhile",
    "CrashLoop": "those that stay up serve meanwhile",
    "Unhealthy": "those that stay up serve meanwhile",
    "ProgressDeadlineExceeded": "2 older of web:2 still run",
    "RollingOut": "2 older of web:2 still run",
}
MEND = {
    "RolledBack": "change the spec to try again, or `skypanel reconcile`",
    "CrashLoop": "change the spec, or let them stay up",
    "Unhealthy": "change the spec, or have it answer its check",
    "ProgressDeadlineExceeded": "mend that, or change the spec",
    "RollingOut": "0/2 run",  # it is on its way
}


@pytest.mark.parametrize("expected", NOT_READY)
def test_what_is_not_ready_names_version_cause_what_runs_meanwhile_and_the_mend(expected: str) -> None:
    rollouts, how = NOT_READY[expected]
    condition, _ = said(*rollouts, **how)
    assert condition.reason == expected
    for part in (WANTED, "CAUSE", MEANWHILE[expected], MEND[expected]):
        assert str(part) in condition.message
    told, _ = said(*[replace(r, check=CHECKED, exit_code=1) for r in rollouts], **how)
    assert CHECKED in told.message
    assert "CAUSE" not in told.message, "how it took being stopped is not the cause"
    assert "capabilities" not in told.message


def test_the_last_good_version_is_looked_at_until_all_of_it_runs() -> None:
    _, outcome = said(replace(BLOCKED, running=1))
    assert isinstance(outcome, RequeueAfter)


def test_the_deadline_knows_what_is_declared_of_start_and_end() -> None:
    check = {"command": ["/bin/check"], "start_period_seconds": 300, "interval_seconds": 10, "retries": 3}
    slow = environment(healthcheck=check, stop_grace_seconds=30)
    assert declared_seconds(slow) == 375.0
    assert declared_seconds(environment(processes=[process("worker", stop_grace_seconds=60)])) == 60.0
    assert reason(STARTING, waiting=125.0, stop_grace_seconds=0) == "ProgressDeadlineExceeded"
    assert reason(STARTING, waiting=485.0, healthcheck=check, stop_grace_seconds=30) == "RollingOut"
    assert reason(STARTING, waiting=500.0, healthcheck=check, stop_grace_seconds=30) == "ProgressDeadlineExceeded"
