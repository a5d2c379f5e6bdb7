"""Tasks that ended by themselves: how many shortly one after the other, and what is told of the newest."""

from __future__ import annotations

from typing import Any

import pytest

from controller.swarm.endings import Endings, describe, endings


def task(state: str = "failed", *, at: str = "00:01:00", slot: int = 1, code: int | None = 1, **more: Any) -> Any:
    status = {"State": state, "Timestamp": f"2025-01-01T{at}Z", "Err": f"task: non-zero exit ({code})", **more}
    if code is not None:
        status["ContainerStatus"] = {"ExitCode": code}
    limits = {"Limits": {"MemoryBytes": 64 * 1024 * 1024}}
    return {"Slot": slot, "Status": status, "Spec": {"ContainerSpec": {}, "Resources": limits}}


def test_what_did_not_end_by_itself_does_not_count() -> None:
    assert endings([task("running"), task("shutdown"), task("rejected"), task("orphaned")]) == Endings()


def test_the_slot_with_most_counts_and_the_newest_is_told() -> None:
    found = endings(
        [task(at="00:01:00"), task(at="00:02:00"), task(slot=2, code=7, at="00:03:00"), task("complete", at="00:01:30")]
    )
    assert found == Endings(3, "task: non-zero exit (7)", 7)


def test_what_ended_long_before_the_newest_is_no_loop() -> None:
    assert endings([task(at="00:00:00"), task(at="00:09:00"), task(at="00:18:00")]).failures == 2


def test_times_of_different_slots_are_not_compared() -> None:
    assert endings([task(at="00:00:00"), task(slot=2, at="23:00:00")]).failures == 1


def test_ending_well_again_and_again_is_told_as_such() -> None:
    ended = task("complete", code=0, Err="", Message="finished")
    assert describe(ended) == "it ended by itself (exit code 0)"
    ended["Spec"]["ContainerSpec"]["Healthcheck"] = {"Test": ["CMD", "/bin/check"]}
    assert describe(ended).endswith(", or was stopped as its health check failed")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("task: non-zero exit (137)", "the memory limit of 64 MiB was reached, else its health check failed"),
        ("task: non-zero exit (137): dockerexec: unhealthy container", ": its health check failed"),
    ],
)
def test_what_137_can_mean_is_told(error: str, told: str) -> None:
    text = describe(task(code=137, Err=error))
    assert text.startswith(error)
    assert told in text
