"""What is told of a failing health check: from tasks, which container; from the container, what it said last."""

from __future__ import annotations

from typing import Any

from controller.swarm.healthlogs import suspect, told
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
