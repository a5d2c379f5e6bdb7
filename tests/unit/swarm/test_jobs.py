"""Jobs: what makes another run, when one is written and when it is left alone, and how far one is."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.records import InventoryRow
from controller.swarm.job_progress import job_progress
from controller.swarm.plan import plan
from controller.swarm.service_cache import ServiceCache, service_of
from reconcilers import labels, references
from reconcilers.environment.service import render
from reconcilers.jobs import Job, JobProgress
from reconcilers.objects import Network, Objects, Secret, Service
from reconcilers.ports import LiveContent, LiveJob, LiveService
from tests.unit.reconcilers.documents import ENVIRONMENT_ID, HOME, OPTIONS, ORGANIZATION_ID, environment
from tests.unit.swarm.stored import View, live, live_job, live_network

OWNER = ("environment", str(ENVIRONMENT_ID))
LABELS = labels.owned("blue", *OWNER, str(ORGANIZATION_ID))
(SERVICE,) = render(environment(), OPTIONS, HOME).services


def job(*arguments: str, name: str = "acme-migrate", owned: dict[str, str] | None = None, **changes: Any) -> Job:
    """A job of the environment, with the container of its service."""
    template = SERVICE.spec["TaskTemplate"]
    container = {**template["ContainerSpec"], "Args": list(arguments)}
    if "Secrets" in changes:
        container["Secrets"] = changes.pop("Secrets")
    given = {**template, "ContainerSpec": container}
    owned = LABELS if owned is None else owned
    if changes.pop("everywhere", False):
        return Job.everywhere(name, given, labels=owned, **changes)
    return Job.times(name, given, labels=owned, **changes)


MIGRATE, OTHER = job("migrate"), job("migrate", "--all")


def row(wanted: Job, here: LiveService, **changes: Any) -> InventoryRow:
    return replace(InventoryRow("job", wanted.name, here.id, wanted.hash), **changes)


def by_hand(here: LiveJob, **container: Any) -> LiveJob:
    template = here.spec["TaskTemplate"]
    spec = {**here.spec, "TaskTemplate": {**template, "ContainerSpec": {**template["ContainerSpec"], **container}}}
    return replace(here, spec=spec, version=here.version + 1, iteration=here.iteration + 1)


def actions(changes: Any) -> list[tuple[str, str, str]]:
    return [(c.action, c.object_type, c.name) for c in changes.changes]


# -- what is wanted ----------------------------------------------------------------------------------------------------


def test_another_content_is_another_run_and_other_labels_are_not() -> None:
    assert MIGRATE.hash != OTHER.hash
    assert MIGRATE.hash != job("migrate", completions=2).hash
    assert MIGRATE.hash == job("migrate", owned={**LABELS, "team": "blue"}).hash


def test_a_run_that_has_a_name_is_another_when_the_name_is() -> None:
    named = job("migrate", run="release 7")
    assert named.hash == job("another", "command", run="release 7").hash
    assert named.hash != job("migrate", run="release 8").hash
    assert named.content == MIGRATE.content


def test_a_name_of_a_run_is_for_one_job() -> None:
    assert job(run="1").hash != job(run="1", name="acme-other").hash


@pytest.mark.parametrize("retries", [0, 3])
def test_retries_always_have_an_end(retries: int) -> None:
    policy = job(retries=retries, retry_seconds=1.5).spec["TaskTemplate"]["RestartPolicy"]
    if retries:
        assert policy == {"Condition": "on-failure", "Delay": 1_500_000_000, "MaxAttempts": retries}
    else:
        assert policy == {"Condition": "none"}


def test_no_more_tasks_run_at_a_time_than_there_are() -> None:
    assert job(completions=2, concurrency=5).spec["Mode"]["ReplicatedJob"] == {
        "MaxConcurrent": 2,
        "TotalCompletions": 2,
    }


@pytest.mark.parametrize("wrong", [{"completions": 0}, {"concurrency": 0}, {"retries": -1}])
def test_what_can_never_end_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="acme-migrate"):
        job(**wrong)


# -- made, run anew, left alone ----------------------------------------------------------------------------------------


def test_one_that_is_not_there_is_made() -> None:
    changes = plan(OWNER, Objects((MIGRATE,)), View(), ())
    assert actions(changes) == [("create", "job", "acme-migrate")]
    assert str(changes) == "+ job acme-migrate"
    assert changes.changes[0].cause == "Created"


def test_one_that_somebody_removed_is_made_again() -> None:
    (change,) = plan(OWNER, Objects((MIGRATE,)), View(), (row(MIGRATE, live_job(MIGRATE)),)).changes
    assert (change.action, change.cause) == ("create", "Repaired")


def test_one_that_ran_is_left_alone_and_taken_into_the_inventory() -> None:
    here = live_job(MIGRATE)
    changes = plan(OWNER, Objects((MIGRATE,)), View([here]), ())
    assert changes.changes == ()
    assert changes.kept == {}
    assert [(u.object_type, u.engine_id, u.spec_hash) for u in changes.seen] == [("job", here.id, MIGRATE.hash)]


def test_another_content_runs_it_anew_and_says_what_is_other() -> None:
    here = live_job(MIGRATE)
    wanted = job("migrate", retries=1)
    (change,) = plan(OWNER, Objects((wanted,)), View([here]), (row(MIGRATE, here),)).changes
    assert (change.action, change.cause) == ("update", "Updated")
    assert "TaskTemplate.RestartPolicy.MaxAttempts" in change.touched


def test_another_name_of_the_run_runs_the_same_again() -> None:
    first, second = job("migrate", run="1"), job("migrate", run="2")
    (change,) = plan(OWNER, Objects((second,)), View([live_job(first)]), ()).changes
    assert change.action == "update"


def test_another_content_of_a_run_that_has_a_name_is_no_reason() -> None:
    first, second = job("migrate", run="1"), job("migrate", "--all", run="1")
    changes = plan(OWNER, Objects((second,)), View([live_job(first)]), ())
    assert changes.changes == ()
    assert changes.kept == {}


def test_other_labels_are_no_reason() -> None:
    changes = plan(OWNER, Objects((job("migrate", owned={**LABELS, "team": "blue"}),)), View([live_job(MIGRATE)]), ())
    assert changes.changes == ()


def test_what_somebody_changed_by_hand_is_told_and_left_alone() -> None:
    here = by_hand(live_job(MIGRATE), Args=["something", "else"])
    changes = plan(OWNER, Objects((MIGRATE,)), View([here]), (row(MIGRATE, here),))
    assert changes.changes == ()
    assert changes.kept == {
        "acme-migrate": (
            "TaskTemplate.ContainerSpec.Args: changed; it is left as it is, as a job that is written to runs again"
        )
    }


@pytest.mark.parametrize("off", [labels.SPEC_HASH, labels.TEMPLATE_HASH])
def test_a_hash_that_somebody_took_off_does_not_run_what_is_on_record(off: str) -> None:
    here = live_job(MIGRATE)
    here = replace(here, spec={**here.spec, "Labels": {k: v for k, v in here.labels.items() if k != off}})
    assert plan(OWNER, Objects((MIGRATE,)), View([here]), (row(MIGRATE, here),)).changes == ()


def test_everywhere_and_so_often_is_another_mode_and_made_anew() -> None:
    (change,) = plan(OWNER, Objects((job("migrate", everywhere=True),)), View([live_job(MIGRATE)]), ()).changes
    assert (change.action, str(change)) == ("recreate", "± job acme-migrate: Mode: ReplicatedJob -> GlobalJob")


def test_a_service_in_its_place_is_made_anew_as_a_job_and_the_other_way_round() -> None:
    named = job("migrate", name=SERVICE.name)
    for wanted, here in ((named, live(SERVICE)), (SERVICE, live_job(named))):
        changes = plan(OWNER, Objects((wanted,)), View([here]), ())
        assert actions(changes) == [("recreate", wanted.object_type, SERVICE.name)]
        assert changes.changes[0].live is here
        assert changes.left == {(here.object_type, SERVICE.name)}, "it goes with that change, and is no stray before it"


def test_one_of_another_owner_keeps_its_name() -> None:
    others = job("migrate", owned=labels.owned("blue", "environment", "other", str(ORGANIZATION_ID)))
    (change,) = plan(OWNER, Objects((MIGRATE,)), View([live_job(others)]), ()).changes
    assert change.action == "create", "and the create waits for the name"


def test_one_that_is_not_wanted_goes_before_what_it_refers_to() -> None:
    secret = Secret.named("acme-token", b"x", key=b"key", labels=LABELS)
    wanted = job("migrate", Secrets=[secret.file("token")])
    found = LiveContent(f"id-of-{secret.name}", secret.name, 7, dict(secret.labels))
    here = live_job(wanted)
    here = replace(here, spec=references.filled(dict(here.spec), lambda *_: found.id))
    view = View([here], contents={"secret": [found]})
    assert actions(plan(OWNER, Objects((wanted, secret)), View(), ())) == [
        ("create", "secret", secret.name),
        ("create", "job", wanted.name),
    ]
    assert plan(OWNER, Objects((wanted,)), view, ()).left == {("secret", secret.name)}, "it refers to it"
    assert actions(plan(OWNER, Objects(), view, ())) == [
        ("delete", "job", wanted.name),
        ("delete", "secret", secret.name),
    ]


def test_a_network_is_not_made_anew_under_a_job_and_goes_with_it() -> None:
    network, here = Network("acme-net", "10.7.0.0/24", LABELS), live_job(MIGRATE)
    view = View([here], [live_network(network, attachable=True)])
    kept = plan(OWNER, Objects((MIGRATE, network)), view, ())
    assert kept.changes == ()
    assert kept.kept == {"acme-net": "Attachable: true -> false; acme-migrate is on it"}
    assert actions(plan(OWNER, Objects(), view, ())) == [
        ("delete", "job", "acme-migrate"),
        ("delete", "network", "acme-net"),
    ]


# -- what is live ------------------------------------------------------------------------------------------------------


def document(spec: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {"ID": "1", "Version": {"Index": 1}, "Spec": spec, **changes}


def test_a_job_is_known_by_its_mode_and_has_the_number_of_its_run() -> None:
    first = service_of(document(MIGRATE.spec, JobStatus={"JobIteration": {}}))
    third = service_of(document(job(everywhere=True).spec, JobStatus={"JobIteration": {"Index": 2}}))
    assert isinstance(first, LiveJob)
    assert isinstance(third, LiveJob)
    assert (first.iteration, third.iteration) == (0, 2)
    assert service_of(document(SERVICE.spec)).object_type == "service"


def test_its_owner_is_named_when_its_tasks_went_on_since_they_were_counted() -> None:
    cache = ServiceCache()
    cache.put(service_of(document(MIGRATE.spec)), OWNER, b"")
    counted = [(1, 1, 0), (1, 1, 0), (0, 1, 1), (0, 1, 1)]
    assert [cache.astir({"1": counts}, {}) for counts in counted] == [["1"], [], ["1"], []]
    assert cache.astir({"1": counted[-1]}, {"1": 1}) == ["1"], "one is on a node that is down"


# -- how far it is -----------------------------------------------------------------------------------------------------


def task(state: str, desired: str = "complete", *, iteration: int = 0, code: int | None = None, **more: Any) -> Any:
    status: dict[str, Any] = {"State": state, "Timestamp": f"2026-01-01T00:00:{more.pop('at', 0):02d}Z"}
    if code is not None:
        status |= {"ContainerStatus": {"ExitCode": code}, "Err": f"task: non-zero exit ({code})"}
    return {
        "Status": status,
        "DesiredState": desired,
        "JobIteration": {"Index": iteration} if iteration else {},
        "NodeID": "n1",
        "Spec": {},
        **more,
    }


def progress(*tasks: Any, wanted: Job = MIGRATE, iteration: int = 0, **changes: Any) -> JobProgress:
    return job_progress(wanted, live_job(wanted, iteration=iteration), tasks, **changes)


@pytest.mark.parametrize(
    ("tasks", "state"),
    [
        ([], "Waiting"),
        ([task("pending")], "Waiting"),
        ([task("running")], "Running"),
        ([task("complete")], "Succeeded"),
        ([task("failed", code=1)], "Waiting"),
        ([task("failed", "shutdown", code=1), task("ready", "ready")], "Waiting"),
        ([task("failed", "shutdown", code=1), task("running")], "Running"),
        ([task("failed", "shutdown", code=1)], "Failed"),
        ([task("rejected", "shutdown")], "Failed"),
        ([task("failed", "shutdown", code=1), task("complete")], "Succeeded"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(t["Status"]["State"] for t in value) or "none",
)
def test_the_state_of_a_job_is_what_its_tasks_say(tasks: list[Any], state: str) -> None:
    found = progress(*tasks)
    assert found.state == state
    assert found.over is (state in ("Succeeded", "Failed"))


def test_it_is_over_when_all_have_ended_well() -> None:
    two = job("migrate", completions=2)
    assert progress(task("complete"), wanted=two).state == "Waiting"
    assert progress(task("complete"), task("complete", Slot=1), wanted=two).state == "Succeeded"


def test_of_a_job_everywhere_as_many_are_wanted_as_there_are_nodes_with_it() -> None:
    everywhere = job("migrate", everywhere=True)
    found = progress(task("complete"), task("running", NodeID="n2"), wanted=everywhere)
    assert (found.wanted, found.completed, found.state) == (2, 1, "Running")
    assert progress(wanted=everywhere).state == "Waiting"


def test_tasks_of_an_earlier_run_say_nothing_but_that_they_stop() -> None:
    former = [task("complete"), task("failed", "shutdown", code=1), task("running", "remove")]
    found = progress(*former, task("pending", iteration=1), iteration=1)
    assert (found.state, found.completed, found.failed, found.stopping) == ("Waiting", 0, 0, 1)


def test_the_newest_failure_says_how_it_ended() -> None:
    found = progress(
        task("failed", "shutdown", code=3, at=2), task("failed", "shutdown", code=4, at=1), task("ready", "ready")
    )
    assert (found.failed, found.exit_code, found.problem) == (2, 3, "task: non-zero exit (3)")


def test_what_runs_on_a_node_that_is_down_is_lost() -> None:
    found = progress(task("running"), down={"n1"})
    assert (found.running, found.lost, found.state) == (1, 1, "Running")


@pytest.mark.parametrize(
    "here", [None, live(Service.seal({**SERVICE.spec, "Name": MIGRATE.name})), live_job(OTHER)], ids=str
)
def test_another_run_or_none_is_no_progress(here: LiveService | None) -> None:
    found = job_progress(MIGRATE, here, [task("complete")])
    assert (found.iteration, found.state, found.completed) == (None, "Missing", 0)
