"""What a look ahead says of a release command: that it would run, that its job stays as it is, or that it goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from reconcilers import labels
from reconcilers.environment.ahead import held, preview
from reconcilers.environment.config import runs
from reconcilers.jobs import Job
from reconcilers.objects import Service
from reconcilers.ports import Live, LiveJob, LookAhead
from specs.releases import release_of
from tests.unit.reconcilers.documents import OPTIONS, environment, process

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
COMMAND = [process("web"), process("release", command=["migrate"])]
FAILED = {"tries": 0, "ended_at": "2026-11-27T11:00:00Z", "exit_code": 3, "failure": "it ended with exit code 3"}
RUN = "2.0"


class Engine:
    """With a job that is this run, or with none."""

    def __init__(self, run: str = "") -> None:
        self._run = run

    def network_of(self, _: str) -> None:
        return None

    def find(self, object_type: str, name: str) -> LiveJob | None:
        if object_type != Job.object_type or not self._run:
            return None
        spec = {"Name": name, "Labels": {labels.RELEASE: self._run, labels.SPEC_HASH: "as it is"}}
        return LiveJob("j1", name, 7, spec, None, "")


def jobs(run: str = "", *, deployed: bool = False, command: dict[str, Any] | None = None, **changes: Any) -> list[str]:
    """What would be of the job: the hash that stands on each."""
    fields = {"processes": COMMAND, **changes}
    digest = release_of(environment(processes=COMMAND), runs(environment(processes=COMMAND)) or "").digest
    release = {"version": 2, "digest": digest, "deployed": deployed, "command": command or {}}
    ahead = LookAhead(OPTIONS, cast("Live", Engine(run)), now=NOW)
    objects = preview(environment(release=release, **fields), ahead)
    assert len(objects.of(Service)) == 1
    return ["stays" if job.hash == "as it is" else job.labels[labels.RELEASE] for job in objects.of(Job)]


def test_a_new_release_runs_its_command() -> None:
    assert jobs(image_ref="registry.example.com/shop:2") == ["3.0"]
    assert jobs(RUN, image_ref="registry.example.com/shop:2", command=FAILED) == ["3.0"]
    assert jobs() == ["2.0"], "it is on record, and has not begun"


@pytest.mark.parametrize(
    "command",
    [{}, FAILED, {**FAILED, "failure": None, "exit_code": 0}],
    ids=["runs", "failed", "ended well, and the tasks are on their way"],
)
def test_the_job_of_a_release_that_does_not_run_yet_stays(command: dict[str, Any]) -> None:
    assert jobs(RUN, command=command) == ["stays"]


def test_what_has_failed_is_not_run_again_by_itself_and_its_logs_go_after_a_day() -> None:
    assert jobs(command=FAILED) == []
    earlier = {**FAILED, "ended_at": (NOW - timedelta(days=1)).isoformat()}
    assert jobs(RUN, command=earlier) == []


def test_the_job_goes_with_its_process_with_a_suspension_and_when_all_tasks_run_the_release() -> None:
    assert jobs(RUN, deployed=True) == []
    assert jobs(RUN, suspended=True) == []
    assert jobs(RUN, processes=[process("web")]) == []


def why(release: dict[str, Any], **changes: Any) -> str | None:
    """The reason for which the release is held."""
    digest = release_of(environment(processes=COMMAND), runs(environment(processes=COMMAND)) or "").digest
    found = environment(release={"version": 2, "digest": digest, **release}, **{"processes": COMMAND, **changes})
    error = held(found, LookAhead(OPTIONS, cast("Live", Engine()), now=NOW))
    return error.reason if error is not None else None


def test_a_release_whose_command_failed_is_held_whatever_its_scale_is() -> None:
    assert why({"command": FAILED}) == why({"command": FAILED}, instances=7) == "ReleaseCommandFailed"
    assert why({"command": FAILED}, image_ref="registry.example.com/shop:2") is None, "that is another release"
    assert why({"command": FAILED, "deployed": True}) is None
    assert why({"command": FAILED}, suspended=True) is None
    assert why({"command": {**FAILED, "failure": None, "exit_code": 0}}) is None
    assert why({}) is None
