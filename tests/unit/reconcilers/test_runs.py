"""Runs: what they are rendered as, and how far what is run once is said to be."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from controller.swarm.job_progress import job_progress
from reconcilers import labels
from reconcilers.jobs import Job, begun, is_job
from reconcilers.objects import Config, HomeNetwork, Secret
from reconcilers.ports import LiveJob
from reconcilers.run import rendered
from specs.problems import InvalidSpec
from specs.runs import RunSnapshot
from tests.unit.reconcilers.documents import OPTIONS

ORGANIZATION, ENVIRONMENT, RUN = (UUID(int=number) for number in (1, 2, 3))
IMAGE = f"registry.example.com/shop@sha256:{'a' * 64}"


def document(**environment: Any) -> dict[str, Any]:
    owner = {"id": str(ORGANIZATION), "slug": "acme"}
    return {
        "id": str(RUN),
        "name": "migrate",
        "command": ["rake", "db:migrate"],
        "created_at": "2026-11-28T09:00:00+00:00",
        "organization": owner,
        "app": {"id": str(RUN), "slug": "shop"},
        "released": {"version": 4, "image": IMAGE},
        "environment": {
            "id": str(ENVIRONMENT),
            "name": "production",
            "swarm_name": "acme-shop-production",
            "organization": owner,
            "app": {"id": str(RUN), "slug": "shop"},
            "image_ref": "registry.example.com/shop:1",
            "port": 8080,
            "healthcheck": {"tcp": True},
            "drain_seconds": 5,
            "stop_signal": "SIGINT",
            "run_as": "7:7",
            "memory_mb": 96,
            "files": {"/etc/app.conf": "a = 1"},
            "config": {"digest": "0" * 32, "variables": 1},
            "domains": [{"id": str(RUN), "hostname": "a.example"}],
            **environment,
        },
    }


def made(**changes: Any) -> tuple[Job, dict[str, Any], Any]:
    snapshot = RunSnapshot.model_validate(document() | changes)
    objects = rendered(snapshot, snapshot.as_process(snapshot.in_environment()), OPTIONS, HomeNetwork("n", "home"))
    (job,) = objects.of(Job)
    return job, job.spec["TaskTemplate"], objects


def test_it_runs_as_the_app_does_and_serves_nothing() -> None:
    job, template, objects = made()
    container = template["ContainerSpec"]
    assert (container["Image"], container["User"], container["StopSignal"]) == (IMAGE, "7:7", "SIGINT")
    assert container["Args"][-2:] == ["rake", "db:migrate"]
    assert container["Healthcheck"] == {"Test": ["NONE"]}
    assert template["Networks"] == [{"Target": "n"}], "no name leads to it"
    assert template["Resources"]["Limits"]["MemoryBytes"] == 96 * 1024 * 1024
    assert "drain" not in container["Args"]
    assert not any(name.startswith("traefik.") for name in job.labels)
    assert labels.PROCESS not in job.labels, "it is none of what serves"
    owners = {each.labels[labels.OWNER] for each in (job, *objects.of(Secret), *objects.of(Config))}
    assert owners == {f"run/{RUN}"}, "all of it goes with the run"


def test_a_plan_of_its_own_limits_it() -> None:
    plan = {"id": str(RUN), "name": "large", "cpu_limit": 2, "memory_mb": 512}
    _, template, _ = made(plan=plan)
    assert template["Resources"]["Limits"] == {"MemoryBytes": 512 * 1024 * 1024, "NanoCPUs": 2 * 10**9, "Pids": 256}


def test_without_a_release_there_is_nothing_to_run_in() -> None:
    with pytest.raises(InvalidSpec, match="no release"):
        made(released=None)


def test_it_is_made_without_a_task_and_begins_in_that_object_alone() -> None:
    job, template, _ = made()
    assert is_job(job.spec)
    assert not begun(job.spec)
    assert template["RestartPolicy"] == {"Condition": "none", "MaxAttempts": 1}
    again = Job.once(job.name, template, labels=job.labels, begins="an-id")
    assert (begun(again.spec), again.only, again.hash != job.hash) == (True, "an-id", True)


def task(state: str, desired: str = "shutdown", *, node: str = "one", code: int | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"State": state, "Timestamp": "2026-11-28T09:00:00Z"}
    if code is not None:
        status["ContainerStatus"] = {"ExitCode": code}
    return {"Status": status, "DesiredState": desired, "NodeID": node, "Spec": {"ContainerSpec": {}}}


@pytest.mark.parametrize(
    ("tasks", "down", "state", "lost", "code"),
    [
        ([], (), "Waiting", 0, None),
        ([task("pending", "running")], (), "Waiting", 0, None),
        ([task("running", "running")], (), "Running", 0, None),
        ([task("complete", code=0)], (), "Succeeded", 0, None),
        ([task("failed", code=3)], (), "Failed", 0, 3),
        ([task("rejected")], (), "Failed", 0, None),
        ([task("shutdown", code=137)], (), "Failed", 0, 137),
        ([task("running")], ("one",), "Running", 1, None),
        ([task("running")], (), "Waiting", 0, None),
    ],
)
def test_how_far_it_is_its_task_says(
    tasks: list[dict[str, Any]], down: tuple[str, ...], state: str, lost: int, code: int | None
) -> None:
    job, template, _ = made()
    wanted = Job.once(job.name, template, labels=job.labels, begins="id")
    live = LiveJob("id", job.name, 7, wanted.spec, None, "")
    found = job_progress(Job.as_it_is(job.name, wanted.spec), live, tasks, down)
    assert (found.state, found.lost, found.exit_code) == (state, lost, code)
