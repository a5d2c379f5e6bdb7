"""Jobs: what the engine keeps of one, how its tasks come and end, what runs it again, and what is never done."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.conformance.engine.harness import MISSING, SECOND, Document, EngineHarness

pytestmark = pytest.mark.anyio

ONCE = {"ReplicatedJob": {"MaxConcurrent": 1, "TotalCompletions": 1}}
NEVER, TWICE = {"Condition": "none"}, {"Condition": "on-failure", "Delay": SECOND // 20, "MaxAttempts": 2}
BY_ITSELF = {"Args": ["crash", "0"]}
"""It ends well."""


def job(**changes: Any) -> Document:
    """Changes to the harness's service that make a job of it, which ends well at once."""
    made: Document = {
        "Mode": ONCE,
        "UpdateConfig": None,
        "RollbackConfig": None,
        "container": BY_ITSELF,
        "template": {"RestartPolicy": NEVER},
    }
    return made | changes


def times(completions: int, concurrency: int) -> Document:
    return {"ReplicatedJob": {"MaxConcurrent": concurrency, "TotalCompletions": completions}}


def states(tasks: list[Document]) -> list[tuple[str, str]]:
    return [(t["Status"]["State"], t["DesiredState"]) for t in tasks]


async def completes(here: EngineHarness, count: int = 1, text: str = "web") -> list[Document]:
    """Until so many tasks have ended well; they."""

    async def enough() -> list[Document]:
        found = [t for t in await here.tasks(text) if t["Status"]["State"] == "complete"]
        return found if len(found) >= count else []

    return await here.until(enough, what=f"{count} complete tasks")


async def counted(here: EngineHarness, text: str = "web") -> Document:
    (listed,) = await here.get("/services", filters={"name": [here.name(text)]}, status="true")
    return dict(listed["ServiceStatus"])


async def other_work(here: EngineHarness) -> None:
    """Time enough for what would be done by itself."""
    await here.create("other", replicas=1)
    await here.runs("other")


async def test_how_old_a_run_is_the_engine_s_own_clock_says(here: EngineHarness) -> None:
    await here.create(**job())
    (task,) = await completes(here)
    made, now = (datetime.fromisoformat(at) for at in (task["CreatedAt"], (await here.get("/info"))["SystemTime"]))
    assert timedelta() <= now - made < timedelta(minutes=2)


async def test_a_job_runs_once_and_stays_as_it_ended(here: EngineHarness) -> None:
    created = await here.create(**job())
    (task,) = await completes(here)
    assert (task["DesiredState"], task["JobIteration"]) == ("complete", {})
    assert "Slot" not in task, "the first one's is 0"
    await other_work(here)
    stored = await here.service()
    assert stored["ID"] == created
    assert stored["Spec"]["Mode"] == ONCE
    assert stored["JobStatus"].keys() == {"JobIteration", "LastExecution"}
    assert stored["JobStatus"]["JobIteration"] == {}
    assert "UpdateStatus" not in stored
    assert states(await here.tasks()) == [("complete", "complete")]
    assert await counted(here) == {"RunningTasks": 0, "DesiredTasks": 1, "CompletedTasks": 1}


async def test_what_is_left_out_of_its_mode_is_filled_in(here: EngineHarness) -> None:
    await here.create(**job(Mode={"ReplicatedJob": {}}, template={"RestartPolicy": None}))
    await here.create("many", **job(Mode={"ReplicatedJob": {"MaxConcurrent": 3}}))
    await here.create("each", **job(Mode={"GlobalJob": {}}))
    stored = [(await here.service(text))["Spec"]["Mode"] for text in ("web", "many", "each")]
    assert stored == [ONCE, times(3, 3), {"GlobalJob": {}}]
    assert "RestartPolicy" not in (await here.service())["Spec"]["TaskTemplate"]


async def test_a_job_is_listed_with_services_by_its_mode(here: EngineHarness) -> None:
    await here.create(**job())
    await here.create("each", **job(Mode={"GlobalJob": {}}))
    await here.create("other")

    async def found(mode: str) -> set[str]:
        label = [f"conform={here.name('')}"]
        listed = await here.get("/services", filters={"mode": [mode], "label": label})
        return {each["Spec"]["Name"] for each in listed}

    assert await found("replicated-job") == {here.name("web")}
    assert await found("global-job") == {here.name("each")}
    assert await found("replicated") == {here.name("other")}


async def test_its_events_are_a_services(here: EngineHarness) -> None:
    async with here.events() as heard:
        created = await here.create(**job())
        await completes(here)
        await here.update(labels={"n": "1"})
        await completes(here, 2)
        await here.ask("DELETE", f"/services/{created}")

        async def told() -> bool:
            return "remove" in [e["Action"] for e in heard]

        await here.until(told)
    mine = [(e["Type"], e["Action"]) for e in heard if e["Actor"]["ID"] == created]
    assert mine == [("service", "create"), ("service", "update"), ("service", "remove")]


async def test_so_many_tasks_run_at_a_time_until_so_many_have_ended(here: EngineHarness) -> None:
    await here.create(**job(Mode=times(3, 2), container={"Args": ["worker"]}))

    async def two() -> bool:
        return [t["Status"]["State"] for t in await here.tasks()] == ["running"] * 2

    await here.until(two)
    assert await counted(here) == {"RunningTasks": 2, "DesiredTasks": 2, "CompletedTasks": 0}
    assert sorted(t.get("Slot", 0) for t in await here.tasks()) == [0, 1]
    await here.create("short", **job(Mode=times(3, 2)))
    ended = await completes(here, 3, "short")
    assert sorted(t.get("Slot", 0) for t in ended) == [0, 1, 2]
    await other_work(here)
    assert len(await here.tasks("short")) == 3
    assert await counted(here, "short") == {"RunningTasks": 0, "DesiredTasks": 2, "CompletedTasks": 3}


async def test_a_task_that_ends_badly_and_must_not_be_tried_again_is_given_up(here: EngineHarness) -> None:
    await here.create(**job(container={"Args": ["crash", "3"]}))
    (failed,) = await here.ends("failed")
    assert failed["Status"]["ContainerStatus"]["ExitCode"] == 3
    await other_work(here)
    assert states(await here.tasks()) == [("failed", "shutdown")]
    assert await counted(here) == {"RunningTasks": 0, "DesiredTasks": 1, "CompletedTasks": 0}


@pytest.mark.parametrize("condition", ["on-failure", "any"])
async def test_it_is_tried_again_so_often_and_then_given_up(here: EngineHarness, condition: str) -> None:
    policy = {**TWICE, "Condition": condition}
    await here.create(**job(container={"Args": ["crash"]}, template={"RestartPolicy": policy}))
    await here.ends("failed", count=3)
    await other_work(here)
    found = await here.tasks()
    assert states(found) == [("failed", "shutdown")] * 3
    assert {t.get("Slot", 0) for t in found} == {0}
    assert {str(t["JobIteration"]) for t in found} == {"{}"}


async def test_an_image_that_cannot_be_had_is_tried_again_like_any_failure(here: EngineHarness) -> None:
    await here.create(**job(container={"Image": MISSING}, template={"RestartPolicy": TWICE}))
    await here.ends("rejected", count=3)
    await other_work(here)
    assert states(await here.tasks()) == [("rejected", "shutdown")] * 3


async def test_what_ended_well_is_not_run_again_whatever_the_policy_says(here: EngineHarness) -> None:
    await here.create(**job(template={"RestartPolicy": {"Condition": "any", "Delay": SECOND // 20}}))
    await completes(here)
    await other_work(here)
    assert states(await here.tasks()) == [("complete", "complete")]


async def test_while_a_task_waits_to_be_tried_again_it_is_ready(here: EngineHarness) -> None:
    policy = {"Condition": "on-failure", "Delay": 60 * SECOND, "MaxAttempts": 1}
    await here.create(**job(container={"Args": ["crash"]}, template={"RestartPolicy": policy}))
    await here.ends("failed")

    async def waits() -> bool:
        return ("ready", "ready") in states(await here.tasks())

    await here.until(waits)


async def test_a_task_that_was_given_up_is_tried_again_when_a_manager_begins_to_lead(here: EngineHarness) -> None:
    """Once more than its policy says, with each new leader; what ended well is not."""
    await here.create(**job(container={"Args": ["crash"]}))
    await here.create("well", **job())
    await here.ends("failed")
    await completes(here, text="well")
    await here.restart()
    await here.ends("failed", count=2)
    await other_work(here)
    assert states(await here.tasks()) == [("failed", "shutdown")] * 2
    assert states(await here.tasks("well")) == [("complete", "complete")]


async def test_a_task_that_was_given_up_is_tried_again_when_another_one_ends(here: EngineHarness) -> None:
    """The retries of a policy are no limit where a job has several tasks."""
    await here.create(**job(Mode=times(2, 2), container={"Args": ["worker"]}))

    async def two() -> list[Document]:
        found = await here.tasks()
        return found if [t["Status"]["State"] for t in found] == ["running"] * 2 else []

    first, second = await here.until(two)
    await here.kill(first["Status"]["ContainerStatus"]["ContainerID"])
    await here.ends("failed")
    await other_work(here)
    assert len(await here.tasks()) == 2
    await here.kill(second["Status"]["ContainerStatus"]["ContainerID"])

    async def more() -> bool:
        return len(await here.tasks()) > 2

    await here.until(more)
    found = await here.tasks()
    assert found[2].get("Slot", 0) == first.get("Slot", 0)


@pytest.mark.parametrize("what", ["labels", "the same", "another spec"])
async def test_whatever_is_written_to_a_job_runs_it_again(here: EngineHarness, what: str) -> None:
    await here.create(**job())
    (first,) = await completes(here)
    changes: dict[str, dict[str, Any]] = {
        "labels": {"labels": {"n": "1"}},
        "the same": {},
        "another spec": {"container": {**BY_ITSELF, "Env": ["A=1"]}},
    }
    answer = await here.update(**changes[what])
    assert answer.status == 200
    stored = await here.service()
    assert stored["JobStatus"]["JobIteration"] == {"Index": 1}
    assert "PreviousSpec" in stored
    assert "UpdateStatus" not in stored
    found = await completes(here, 2)
    assert first["ID"] in {t["ID"] for t in found}, "its tasks are kept"
    assert sorted(str(t["JobIteration"]) for t in found) == ["{'Index': 1}", "{}"]
    assert await counted(here) == {"RunningTasks": 0, "DesiredTasks": 1, "CompletedTasks": 1}


async def test_a_write_that_is_sent_twice_runs_it_again_once(here: EngineHarness) -> None:
    await here.create(**job())
    await completes(here)
    stored = await here.service()
    path, version = f"/services/{stored['ID']}/update", stored["Version"]["Index"]
    await here.post(path, stored["Spec"], version=version)
    again = await here.ask("POST", path, stored["Spec"], version=version)
    assert (again.status, again.error) == (500, "OutOfSequence")
    assert (await here.service())["JobStatus"]["JobIteration"] == {"Index": 1}


async def test_what_runs_when_it_is_run_again_is_stopped(here: EngineHarness) -> None:
    await here.create(**job(container={"Args": ["worker"]}))

    async def runs() -> list[Document]:
        found = await here.tasks()
        return found if [t["Status"]["State"] for t in found] == ["running"] else []

    (former,) = await here.until(runs)
    await here.update(container={"Args": ["worker"], "Env": ["A=1"]})

    async def replaced() -> bool:
        found = await here.tasks()
        return [t["Status"]["State"] for t in found if t["ID"] != former["ID"]] == ["running"] and len(found) == 1

    await here.until(replaced, what="the former one is gone")


async def test_it_can_be_rolled_back_which_runs_it_again(here: EngineHarness) -> None:
    await here.create(**job())
    await completes(here)
    await here.update(container={**BY_ITSELF, "Env": ["A=1"]})
    await completes(here, 2)
    answer = await here.update(query={"rollback": "previous"})
    assert answer.status == 200
    stored = await here.service()
    assert "Env" not in stored["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert stored["JobStatus"]["JobIteration"] == {"Index": 2}
    assert stored["UpdateStatus"]["State"] == "rollback_started"
    await completes(here, 3)
    await other_work(here)
    assert (await here.service())["UpdateStatus"]["State"] == "rollback_started", "nothing ever ends it"


async def test_its_mode_cannot_be_changed(here: EngineHarness) -> None:
    await here.create(**job())
    await here.create("other")
    for text, mode in (("web", {"GlobalJob": {}}), ("web", {"Replicated": {"Replicas": 1}}), ("other", ONCE)):
        answer = await here.update(text, Mode=mode, UpdateConfig=None, RollbackConfig=None)
        assert (answer.status, answer.error) == (501, "Refused")
        assert "service mode change is not allowed" in answer.text


async def test_it_has_no_update_config(here: EngineHarness) -> None:
    refused = job()
    del refused["UpdateConfig"]
    answer = await here.ask("POST", "/services/create", here.spec(**refused))
    assert (answer.status, answer.error) == (400, "Refused")
    assert "Jobs may not have an update config" in answer.text


async def test_services_and_jobs_share_their_names(here: EngineHarness) -> None:
    await here.create(**job())
    answer = await here.ask("POST", "/services/create", here.spec())
    assert (answer.status, answer.error) == (409, "NameTaken")


async def test_a_job_everywhere_has_a_task_a_node(here: EngineHarness) -> None:
    await here.create(**job(Mode={"GlobalJob": {}}))
    (task,) = await completes(here)
    assert (task["DesiredState"], task["NodeID"]) == ("complete", (await here.get("/info"))["Swarm"]["NodeID"])
    assert await counted(here) == {"RunningTasks": 0, "DesiredTasks": 0, "CompletedTasks": 1}
    await here.update(labels={"n": "1"})

    async def again() -> bool:
        found = await here.tasks()
        return [(t["Status"]["State"], t["JobIteration"]) for t in found] == [("complete", {"Index": 1})]

    await here.until(again, what="a second run, and no task of the first")


async def test_attempts_of_a_job_everywhere_are_not_counted(here: EngineHarness) -> None:
    await here.create(**job(Mode={"GlobalJob": {}}, container={"Args": ["crash"]}, template={"RestartPolicy": TWICE}))
    await here.ends("failed", count=4)
    await here.create("never", **job(Mode={"GlobalJob": {}}, container={"Args": ["crash"]}))
    await here.ends("failed", "never")
    await other_work(here)
    assert states(await here.tasks("never")) == [("failed", "shutdown")]
    assert await counted(here, "never") == {"RunningTasks": 0, "DesiredTasks": 0, "CompletedTasks": 0}


async def test_a_job_that_ended_holds_what_it_refers_to_and_no_addresses(here: EngineHarness) -> None:
    network = await here.network()
    document = {"Name": here.name("secret"), "Data": "eA==", "Labels": {}}
    secret = (await here.post("/secrets/create", document))["ID"]
    reference = {
        "SecretID": secret,
        "SecretName": here.name("secret"),
        "File": {"Name": "x", "UID": "0", "GID": "0", "Mode": 0o400},
    }
    template = {"RestartPolicy": NEVER, "Networks": [{"Target": network}]}
    created = await here.create(**job(container={**BY_ITSELF, "Secrets": [reference]}, template=template))
    await completes(here)
    used = await here.ask("DELETE", f"/secrets/{secret}")
    assert (used.status, used.error) == (400, "InUse")
    held = await here.ask("DELETE", f"/networks/{network}")
    assert (held.status, held.error) == (400, "InUse")
    await here.ask("DELETE", f"/services/{created}")
    freed = await here.ask("DELETE", f"/secrets/{secret}")
    assert freed.status == 204


async def test_tasks_of_a_removed_job_go_with_it(here: EngineHarness) -> None:
    service = await here.create(**job())
    await completes(here)
    await here.ask("DELETE", f"/services/{service}")

    async def gone() -> bool:
        return all(t["ServiceID"] != service for t in await here.get("/tasks"))

    await here.until(gone)


def once(**changes: Any) -> Document:
    """Changes to the harness's service that make of it what is run once, and has not begun."""
    return {"replicas": 0, "container": BY_ITSELF, "template": {"RestartPolicy": NEVER}} | changes


@pytest.mark.parametrize(("code", "ends"), [("0", "complete"), ("3", "failed")])
async def test_a_service_of_one_task_that_is_never_started_again_is_not_when_a_manager_begins_to_lead(
    here: EngineHarness, code: str, ends: str
) -> None:
    """Unlike what a job gives up: the task that has ended stands for its slot."""
    await here.create(**once(container={"Args": ["crash", code]}))
    await other_work(here)
    assert await here.tasks() == []
    await here.update(replicas=1, container={"Args": ["crash", code]}, template={"RestartPolicy": NEVER})

    async def ended() -> list[Document]:
        return [t for t in await here.tasks() if t["Status"]["State"] == ends and t["DesiredState"] == "shutdown"]

    (task,) = await here.until(ended)
    assert (task["Status"]["ContainerStatus"].get("ExitCode") or 0) == int(code)
    await here.restart()
    await here.create("after", replicas=1)
    await here.runs("after")
    assert [(t["ID"], t["Status"]["State"]) for t in await here.tasks()] == [(task["ID"], ends)]


async def test_what_runs_once_is_not_started_again_when_it_is_killed_and_its_engine_with_it(
    here: EngineHarness,
) -> None:
    await here.create(**once(container={"Args": ["worker"]}))
    await here.update(replicas=1, container={"Args": ["worker"]}, template={"RestartPolicy": NEVER})

    async def runs() -> list[Document]:
        return [t for t in await here.tasks() if t["Status"]["State"] == "running"]

    (task,) = await here.until(runs)
    await here.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    await here.restart()

    async def over() -> bool:
        (found,) = await here.tasks()
        assert found["ID"] == task["ID"]
        return found["Status"]["State"] not in ("running", "starting") and found["DesiredState"] == "shutdown"

    await here.until(over)
    await here.create("after", replicas=1)
    await here.runs("after")
    assert [t["ID"] for t in await here.tasks()] == [task["ID"]]
