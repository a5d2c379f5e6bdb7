"""What is told of a failing health check: from tasks, which container; from the container, what it said last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.swarm.healthlogs import asked, since, suspect, told
from reconcilers import labels
from reconcilers.ports import Suspect

SECOND = 1_000_000_000
CHECK = {"Test": ["CMD", "/bin/false"], "Interval": 2 * SECOND}


def task(state: str, at: str = "00:01:00", *, container: str = "c1", **status: Any) -> dict[str, Any]:
    known = {"ContainerStatus": {"ContainerID": container}} if container else {}
    return {
        "NodeID": "n1",
        "Spec": {"ContainerSpec": {"Healthcheck": CHECK}},
        "Status": {"State": state, "Timestamp": f"2025-01-01T{at}Z", **known, **status},
    }


def container(*log: tuple[int, str], status: str = "unhealthy", running: bool = False, **check: Any) -> dict[str, Any]:
    health = {"Status": status, "Log": [{"ExitCode": code, "Output": output} for code, output in log]}
    return {"State": {"Running": running, "Health": health}, "Config": {"Healthcheck": {**CHECK, **check}}}


def test_the_newest_task_that_a_check_may_have_ended_is_suspected() -> None:
    unhealthy = task("failed", "00:03:00", container="c3", Err="task: non-zero exit (137): unhealthy container")
    tasks = [task("complete"), task("starting", "00:02:00", container="c2"), unhealthy]
    assert suspect(tasks) == Suspect("n1", "c3", CHECK)
    assert suspect(tasks[:2]) == Suspect("n1", "c2", CHECK)
    assert suspect(tasks[:1]) == Suspect("n1", "c1", CHECK, ended=True), "by itself, or by its check"


def test_what_ended_for_another_reason_or_had_no_container_is_not() -> None:
    assert suspect([task("running"), task("failed", Err="task: non-zero exit (1)"), task("shutdown")]) is None
    assert suspect([task("complete", container="")]) is None


def test_the_last_words_of_a_check_are_told_with_its_command_and_its_interval() -> None:
    found = told(container((0, "fine"), (1, "cannot connect\n to 10.0.0.2:\tno route\n")))
    assert (
        found == "its health check failed ([/bin/false], every 2s): exit code 1: cannot connect to 10.0.0.2: no route"
    )
    assert told(container((1, ""))) == "its health check failed ([/bin/false], every 2s): exit code 1, no output"
    shell = told(container((-1, "Health check exceeded timeout (5s)"), Test=["CMD-SHELL", "curl -f x"], Interval=0))
    assert shell == "its health check failed ([curl -f x], every 30s): Health check exceeded timeout (5s)"


def test_what_a_check_prints_is_bounded_and_obeyed_by_no_terminal() -> None:
    found = told(container((1, "\x1b[2J\x07\u202e" + "x" * 5000 + "the end")))
    assert len(found) < 300
    assert found.isprintable()
    assert found.endswith("the end")


def test_a_container_without_a_failing_check_is_not_told_of() -> None:
    assert told({"State": {}, "Config": {}}) == ""
    assert told(container((0, "ok"), status="healthy")) == ""
    assert told(container((1, "once"), (0, "ok"), status="starting")) == ""
    assert told(container(status="starting")) == ""


def test_a_check_that_was_killed_with_its_container_says_nothing() -> None:
    assert told(container((1, "no database"), (137, ""))).endswith("exit code 1: no database")
    assert told(container((137, ""), status="starting")) == ""
    assert told(container((137, ""), running=True)).endswith("exit code 137, no output")


def test_the_newest_failure_with_a_word_is_told() -> None:
    assert told(container((1, "first"), (1, "second"), (1, " "))).endswith("exit code 1: second")


def test_a_task_that_starts_is_no_suspect_where_others_have_ended_in_another_way() -> None:
    crashed = task("failed", Err="task: non-zero exit (3)")
    assert suspect([crashed, task("starting", "00:02:00", container="c2")]) is None
    ended = task("complete", "00:02:00", container="c2")
    assert suspect([crashed, ended]) == Suspect("n1", "c2", CHECK, ended=True)


def test_what_failed_within_the_start_period_alone_has_not_counted() -> None:
    early = container((1, "nothing listens"), status="starting")
    early["State"]["Health"]["FailingStreak"] = 0
    assert told(early) == ""
    early["State"]["Health"]["FailingStreak"] = 1
    assert told(early).endswith("nothing listens")


def test_a_check_that_came_too_late_for_its_container_says_nothing() -> None:
    late = (-1, "OCI runtime exec failed: unable to start container process: error executing setns process: unknown")
    assert told(container((1, "no route"), late)).endswith("exit code 1: no route")
    assert told(container(late)) == ""


def patient(
    asked: str, *, running: bool = True, status: str = "starting", began: str = "10:00:00.5Z"
) -> dict[str, Any]:
    """Of a new release that declares a start period of 60 s: nothing has counted for its engine."""
    found = container((1, "no route"), status=status, running=running)
    found["State"] |= {"StartedAt": f"2026-01-01T{began}"}
    found["State"]["Health"]["FailingStreak"] = 0
    found["State"]["Health"]["Log"][0]["Start"] = f"2026-01-01T{asked}"
    found["Config"]["Labels"] = {labels.START_PERIOD: "60"}
    return found


def test_where_the_engine_is_told_more_patience_it_counts_what_failed_after_what_is_declared() -> None:
    assert told(patient("10:01:00.123456789Z")) == ""
    assert told(patient("10:01:01.123456789Z")).endswith("exit code 1: no route")
    assert told(patient("12:01:01.123456789+02:00")).endswith("no route"), "some engines log with a time zone"
    assert told(patient("10:00:30Z", running=False, status="unhealthy")) == "", "it has ended in another way"
    assert told(patient("", began="never")).endswith("no route"), "whatever times it has"


def test_a_program_that_ends_well_before_it_was_healthy_is_told_so_and_its_check_is_not_blamed() -> None:
    ended = patient("10:01:30Z", running=False, status="unhealthy")
    assert told(ended).endswith("no route"), "nobody knows how it ended"
    ended["State"]["ExitCode"] = 0
    early = "it ended by itself (exit code 0), before its health check had passed"
    assert told(ended) == early
    ended["State"]["Health"]["FailingStreak"] = 3
    assert told(ended).endswith("no route"), "its engine gave it up"
    ended["State"]["Health"] |= {"FailingStreak": 0, "Log": []}
    assert told(ended) == early
    ended["State"]["Health"]["Log"] = [{"ExitCode": 0, "Output": "fine"}]
    assert told(ended) == "", "it was healthy"
    del ended["Config"]["Labels"]
    ended["State"]["Health"]["Log"] = []
    assert told(ended) == "", "to its engine what is declared counts"


def test_how_long_a_container_has_been_asked_is_told_by_the_clock_of_its_node_alone() -> None:
    assert asked(patient("10:01:01Z")) == 60.5
    assert asked(patient("09:00:00Z")) == 0.0, "its clock was set back"
    assert asked(patient("", began="never")) == 0.0
    assert asked({"State": {}}) == asked(container(status="starting", running=True)) == 0.0


def test_how_long_ago_a_task_began_to_start_is_told_by_clocks_of_managers_that_can_be_compared() -> None:
    now = datetime(2026, 1, 1, 10, 1, tzinfo=UTC)
    assert since("2026-01-01T10:00:30Z", now, 58.0) == 30.0
    assert since("2026-01-01T09:59:30Z", now, 58.0) == 90.0, "it is late, and its engine has not ended it yet"
    assert since("2026-01-01T09:00:00Z", now, 58.0) == 0.0, "its engine would have ended it long ago"
    assert since("2026-01-01T11:00:00Z", now, 58.0) == 0.0
    assert since("", now, 58.0) == since("never", now, 58.0) == 0.0
