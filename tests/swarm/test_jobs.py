"""Jobs on a real engine: written once, read back without a difference, followed to the end, and run anew on purpose."""

from __future__ import annotations

from typing import Any

import pytest

from controller.records import InventoryRow, InventoryUpdate
from deploy.engine import Lab
from reconcilers import labels
from reconcilers.baseline import harden
from reconcilers.jobs import Job, JobProgress, State
from reconcilers.objects import Objects, Secret
from reconcilers.outcomes import ConflictError, TerminalError
from tests.swarm.harness import WEB, SwarmHarness, scene, until

pytestmark = pytest.mark.anyio


def owned(here: SwarmHarness) -> dict[str, str]:
    return labels.owned(here.options.installation, *here.key, here.organization_id)


def template(here: SwarmHarness, *arguments: str, **container: Any) -> dict[str, Any]:
    """What a job runs, on the organization's network; with all that there can be."""
    network = here.cluster.live.network_of(here.organization_id)
    assert network is not None
    hardened = harden(
        {"Image": WEB, "Args": list(arguments), "Labels": owned(here), "StopGracePeriod": 0, "Env": ["B=2", "A=1"]}
        | container,
        read_only_root=True,
        tmpfs_paths=("/tmp",),
        run_as="1000:1000",
    )
    return {
        "ContainerSpec": hardened,
        "Resources": {"Limits": {"MemoryBytes": 16 << 20, "Pids": 20, "NanoCPUs": 200_000_000}},
        "Placement": {"Constraints": ["node.role == manager"]},
        "Networks": [{"Target": network.id}],
    }


def job(here: SwarmHarness, *arguments: str, **changes: Any) -> Job:
    return Job.times(f"{here.slug}-migrate", template(here, *arguments), labels=owned(here), **changes)


async def becomes(here: SwarmHarness, wanted: Job, state: State) -> JobProgress:
    async def found() -> JobProgress | None:
        await here.cluster.refresh_all()
        (progress,) = await here.cluster.job_progress([wanted])
        return progress if progress.state == state else None

    progress = await until(found)
    assert progress is not None
    return progress


def iteration(here: SwarmHarness, name: str) -> int:
    return int(here.stored(name)["JobStatus"]["JobIteration"].get("Index", 0))


async def test_a_job_reads_back_as_it_was_written_and_is_run_once(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        secret = Secret.named(f"{here.slug}-token", b"x", key=b"key", labels=owned(here))
        given = template(here, "crash", "0", Secrets=[secret.file("token", mode=0o444)])
        once = Job.times(f"{here.slug}-migrate", given, labels=owned(here), completions=2, concurrency=2, retries=1)
        each = Job.everywhere(f"{here.slug}-each", given, labels=owned(here))
        wanted = Objects((once, each, secret))
        changes = await here.apply(here.key, wanted)
        assert [(c.action, c.object_type) for c in changes.changes] == [
            ("create", "secret"),
            ("create", "job"),
            ("create", "job"),
        ]
        for made in (once, each):
            progress = await becomes(here, made, "Succeeded")
            assert (progress.completed, progress.failed) == (progress.wanted, 0)
            planned = here.cluster.plan(here.key, wanted, ())
            assert (str(planned), planned.kept) == ("", {}), "nothing is other than it was written"
            assert iteration(here, made.name) == 0
        assert here.cluster.live.counts()["job"] == 2
        assert here.cluster.live.owned_services(here.key) == []
        await here.apply(here.key, Objects())
        assert here.cluster.live.owned("job", here.key) == []
        assert here.learned[-1] == InventoryUpdate("secret", secret.name, gone=True)


async def test_another_content_is_another_run_and_a_failure_is_told(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        good, bad = job(here, "crash", "0"), job(here, "crash", "3", retries=1, retry_seconds=0.1)
        await here.apply(here.key, Objects((good,)))
        await becomes(here, good, "Succeeded")
        await here.converge(here.key, Objects((bad,)))
        failed = await becomes(here, bad, "Failed")
        assert (failed.iteration, failed.failed, failed.exit_code) == (1, 2, 3)
        assert "non-zero exit (3)" in failed.problem
        (before,) = await here.cluster.job_progress([good])
        assert before.state == "Missing", "it is not what runs now"
        await here.converge(here.key, Objects((bad,)))
        assert iteration(here, bad.name) == 1


async def test_the_answer_to_a_create_or_an_update_may_be_lost(lab: Lab) -> None:
    """What was done is found by its labels, and an update that was planned before is refused by its version."""
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        first, second = job(here, "crash", "0"), job(here, "crash", "0", run="2")
        create = here.cluster.plan(here.key, Objects((first,)), ())
        await here.do(create)
        with pytest.raises(ConflictError, match="already"):
            await here.do(create)
        assert here.cluster.plan(here.key, Objects((first,)), ()).changes == ()
        await becomes(here, first, "Succeeded")
        update = here.cluster.plan(here.key, Objects((second,)), ())
        await here.do(update)
        with pytest.raises(ConflictError):
            await here.do(update)
        assert iteration(here, first.name) == 1
        assert here.cluster.plan(here.key, Objects((second,)), ()).changes == ()


async def test_what_somebody_did_to_a_job_is_not_undone_by_running_it_again(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        wanted = job(here, "crash", "0")
        await here.apply(here.key, Objects((wanted,)))
        await becomes(here, wanted, "Succeeded")
        here.change(wanted.name, lambda spec: spec["TaskTemplate"]["ContainerSpec"].update(Env=["A=other"]))
        await here.cluster.refresh_all()
        planned = here.cluster.plan(here.key, Objects((wanted,)), ())
        assert planned.changes == ()
        assert planned.kept[wanted.name].startswith("TaskTemplate.ContainerSpec.Env: B added, A changed; ")

        here.change(wanted.name, lambda spec: spec.update(Labels={}))
        await here.cluster.refresh_all()
        row = InventoryRow("job", wanted.name, here.stored(wanted.name)["ID"], wanted.hash)
        with pytest.raises(TerminalError, match="somebody took our labels off"):
            await here.apply(here.key, Objects((wanted,)), (row,))
        assert iteration(here, wanted.name) == 2, "somebody's two runs"
        another = job(here, "crash", "0", run="2")
        await here.apply(here.key, Objects((another,)), (row,))
        assert iteration(here, wanted.name) == 3


async def test_a_job_in_the_place_of_a_service_is_made_anew(lab: Lab) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        wanted = Job.times(service.name, template(here, "crash", "0"), labels=owned(here))
        await here.apply(here.key, Objects((wanted,)))
        await becomes(here, wanted, "Succeeded")
        assert {(u.object_type, u.gone) for u in here.learned[-2:]} == {("service", True), ("job", False)}
        await here.apply(here.key, Objects((service,)))
        assert here.live(service.name).object_type == "service"
        assert here.cluster.live.owned("job", here.key) == []
