"""Tasks: from new to running, why they wait, how they end, and what replaces them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.conformance.engine.harness import ALIVE, MISSING, PAUSE, SECOND, WEB, Document, EngineHarness

pytestmark = pytest.mark.anyio

ORDER = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running")
CHECK: Document = {"Test": ["CMD", "/bin/web", "health"], "Interval": SECOND // 5, "Timeout": SECOND, "Retries": 2}
BIG = {"Resources": {"Reservations": {"NanoCPUs": 1000 * SECOND}}}


def states(tasks: list[Document]) -> list[tuple[str, str]]:
    return [(t["Status"]["State"], t["DesiredState"]) for t in tasks]


async def test_a_task_comes_up_in_steps_and_says_where_it_is(here: EngineHarness) -> None:
    await here.create(replicas=1)
    seen: list[str] = []

    async def up() -> bool:
        (task,) = await here.tasks() or [{"Status": {"State": "new"}}]
        if task["Status"]["State"] not in seen:
            seen.append(task["Status"]["State"])
        return bool(seen[-1] == "running")

    await here.until(up)
    assert seen == sorted(seen, key=ORDER.index)
    (task,) = await here.tasks()
    stored = await here.service()
    assert task["Spec"] == {k: v for k, v in stored["Spec"]["TaskTemplate"].items() if k != "Runtime"}
    assert (task["ServiceID"], task["Slot"], task["DesiredState"]) == (stored["ID"], 1, "running")
    assert task["Labels"] == {}
    status = task["Status"]
    assert (status["Message"], status["ContainerStatus"]["ExitCode"], "Err" in status) == ("started", 0, False)
    assert task["NodeID"] == (await here.get("/info"))["Swarm"]["NodeID"]
    assert task["Version"]["Index"] > stored["Version"]["Index"]
    assert stored["Version"] == (await here.service())["Version"], "tasks do not change the service"
    (container,) = await here.containers()
    assert container["Id"] == status["ContainerStatus"]["ContainerID"]


async def test_tasks_are_counted_with_the_services(here: EngineHarness) -> None:
    await here.create(replicas=2)

    async def counts(**query: Any) -> Document | None:
        (found,) = await here.get("/services", filters={"name": [here.name("web")]}, **query)
        return found.get("ServiceStatus")  # type: ignore[no-any-return] # a document

    assert await counts() is None
    assert (await counts(status="true") or {})["DesiredTasks"] == 2
    await here.runs(count=2)
    assert await counts(status="true") == {"RunningTasks": 2, "DesiredTasks": 2, "CompletedTasks": 0}


async def test_a_scale_touches_no_task_that_stays_and_sets_no_update_status(here: EngineHarness) -> None:
    await here.create(replicas=1)
    (first,) = await here.runs()
    await here.update(replicas=3)
    three = await here.runs(count=3)
    assert {t["Slot"] for t in three} == {1, 2, 3}
    assert first["ID"] in {t["ID"] for t in three}
    await here.update(replicas=1)
    (one,) = await here.runs(count=1)
    going = [t for t in await here.tasks() if t["ID"] != one["ID"]]
    assert {t["DesiredState"] for t in going} <= {"remove"}

    async def gone() -> bool:
        return len(await here.tasks()) == 1

    await here.until(gone, what="no history of what was scaled away")
    stored = await here.service()
    assert "UpdateStatus" not in stored
    assert stored["PreviousSpec"]["Mode"]["Replicated"]["Replicas"] == 3


async def test_a_task_that_ends_badly_says_how(here: EngineHarness) -> None:
    await here.create(replicas=1, container={"Args": ["crash", "3"]})
    (failed, *_) = await here.ends("failed")
    assert failed["Status"]["Err"] == "task: non-zero exit (3)"
    assert (failed["Status"]["Message"], failed["Status"]["ContainerStatus"]["ExitCode"]) == ("started", 3)


async def test_a_task_that_ends_is_replaced_for_ever_and_five_of_a_slot_are_kept(here: EngineHarness) -> None:
    policy = {"Condition": "any", "Delay": SECOND // 20}
    await here.create(replicas=1, container={"Image": MISSING}, template={"RestartPolicy": policy})
    ids: set[str] = set()

    async def many() -> bool:
        found = await here.tasks()
        ids.update(t["ID"] for t in found)
        return len(ids) > 8

    await here.until(many)
    assert len(await here.tasks()) <= 7, "the reaper comes a little later"
    assert "UpdateStatus" not in await here.service()


async def test_a_restart_takes_the_specification_of_now(here: EngineHarness) -> None:
    """Also while an update is paused: what fails comes back as the new one."""
    await here.create(replicas=1)
    (task,) = await here.runs()
    await here.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    (failed,) = await here.ends("failed")
    assert failed["Status"]["Err"] == "task: non-zero exit (137)"
    (heir,) = await here.runs()
    assert heir["ID"] != task["ID"]
    assert heir["Slot"] == task["Slot"]
    assert states([t for t in await here.tasks() if t["ID"] == task["ID"]]) == [("failed", "shutdown")]


@pytest.mark.parametrize(
    ("policy", "arguments", "end"),
    [
        ({"Condition": "none"}, ["crash"], "failed"),
        ({"Condition": "on-failure"}, ["crash", "0"], "complete"),
    ],
    ids=["never", "after a good end"],
)
async def test_a_task_that_must_not_come_back_does_not(
    here: EngineHarness, policy: Document, arguments: list[str], end: str
) -> None:
    await here.create(replicas=1, container={"Args": arguments}, template={"RestartPolicy": policy})
    await here.ends(end)
    await here.create("other", replicas=1)
    await here.runs("other")  # time enough for a restart
    assert states(await here.tasks()) == [(end, "shutdown")]


async def test_attempts_are_counted(here: EngineHarness) -> None:
    policy = {"Condition": "any", "Delay": SECOND // 20, "MaxAttempts": 2}
    await here.create(replicas=1, container={"Image": MISSING}, template={"RestartPolicy": policy})
    await here.ends("rejected", count=3)
    await here.create("other", replicas=1)
    await here.runs("other")
    assert states(await here.tasks()) == [("rejected", "shutdown")] * 3


async def test_an_image_that_cannot_be_had_is_a_rejection(here: EngineHarness) -> None:
    await here.create(replicas=1, container={"Image": MISSING})
    rejected, *_ = await here.ends("rejected", count=2)
    assert rejected["Status"]["Err"] == f"No such image: {MISSING}"
    assert rejected["Status"]["Message"] == "preparing"
    assert rejected["DesiredState"] == "shutdown"


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (BIG, "insufficient resources on 1 node"),
        ({"Placement": {"Constraints": ["node.labels.x == 1"]}}, "scheduling constraints not satisfied on 1 node"),
        ({"Placement": {"Constraints": ["node.role != manager"]}}, "scheduling constraints not satisfied on 1 node"),
    ],
    ids=["resources", "label", "role"],
)
async def test_a_task_without_a_node_is_pending_and_says_why(
    here: EngineHarness, template: Document, reason: str
) -> None:
    await here.create(replicas=1, template=template)

    async def explained() -> Document | None:
        (task,) = await here.tasks() or [{"Status": {}}]
        return task if task["Status"].get("Err") else None

    task = await here.until(explained)
    assert task is not None
    assert task["Status"]["Err"] == f"no suitable node ({reason})"
    assert (task["Status"]["State"], task["Status"]["Message"]) == ("pending", "pending task scheduling")
    assert "NodeID" not in task
    (listed,) = await here.get("/services", filters={"name": [here.name("web")]}, status="true")
    assert listed["ServiceStatus"] == {"RunningTasks": 0, "DesiredTasks": 1, "CompletedTasks": 0}


async def test_a_place_is_taken_as_soon_as_there_is_one(here: EngineHarness) -> None:
    node = (await here.get("/info"))["Swarm"]["NodeID"]
    constraints = {"Placement": {"Constraints": [f"node.id == {node}", "node.labels.conform == yes"]}}
    await here.create(replicas=1, template=constraints)

    async def waits() -> bool:
        return [t["Status"].get("Err") for t in await here.tasks()] != [None]

    await here.until(waits)
    await here.label_node({"conform": "yes"})
    await here.runs()
    await here.label_node({})
    rejected, *_ = await here.ends("rejected")
    assert rejected["Status"]["Err"] == "assigned node no longer meets constraints"
    assert rejected["Status"]["Message"] == "task rejected by constraint enforcer"

    async def waits_again() -> bool:
        return [t["Status"]["State"] for t in await here.tasks("web", *ALIVE)] == ["pending"]

    await here.until(waits_again)


async def test_labels_written_while_a_task_waits_let_swarm_forget_the_task(here: EngineHarness) -> None:
    """moby#53722: when the next look finds no node either, it is not looked at again; a restart helps."""
    constraints = {"Placement": {"Constraints": ["node.labels.conform == later"]}}
    await here.create(replicas=1, template=constraints)

    async def waits() -> bool:
        return [t["Status"].get("Err") for t in await here.tasks()] != [None]

    await here.until(waits)
    await here.update(labels={"n": "1"})
    await here.create("other", replicas=1)
    await here.runs("other")  # the scheduler looked
    await here.label_node({"conform": "later"})
    await here.create("third", replicas=1)
    await here.runs("third")  # and again, with a node that fits
    (task,) = await here.tasks()
    assert task["Status"]["State"] == "pending"
    await here.update(template={**constraints, "ForceUpdate": 1})
    await here.runs()
    await here.label_node({})


async def test_a_health_check_decides_when_a_task_runs(here: EngineHarness) -> None:
    await here.create(replicas=1, container={"Healthcheck": {**CHECK, "Interval": SECOND}})

    async def starting() -> bool:
        return states(await here.tasks()) == [("starting", "running")]

    await here.until(starting)
    (container,) = await here.until(here.containers)
    assert container["State"] == "running", "long before its task does"
    (task,) = await here.tasks()
    assert states([task]) == [("starting", "running")]
    now = datetime.fromisoformat((await here.get("/info"))["SystemTime"])
    began = datetime.fromisoformat(task["UpdatedAt"])
    assert datetime.fromisoformat(task["CreatedAt"]) < began <= now, "when that was written down, by a manager's clock"
    await here.runs()


async def test_a_container_that_is_never_healthy_is_stopped_and_its_exit_code_says_how_it_ended(
    here: EngineHarness,
) -> None:
    """A server that ends well on SIGTERM makes a "complete" of it, with no word about health."""
    await here.create(replicas=1, container={"Args": ["unhealthy"], "Healthcheck": CHECK})
    (ended, *_) = await here.ends("complete")
    assert (ended["Status"]["Message"], ended["Status"].get("Err")) == ("finished", None)
    assert ended["DesiredState"] == "shutdown"


async def test_what_is_never_healthy_and_ends_well_is_seen_to_run_for_a_moment(here: EngineHarness) -> None:
    """Each of them runs to its engine, until that has reported the end, too; not each time is it seen in between."""
    await here.create(replicas=15, container={"Args": ["unhealthy"], "Healthcheck": CHECK})

    async def runs() -> bool:
        return any(state == "running" for state, _ in states(await here.tasks()))

    await here.until(runs, what="a task that is said to run")


PATIENT = {"StartPeriod": 3600 * SECOND, "StartInterval": SECOND // 5}


async def test_what_ends_well_before_it_is_healthy_is_seen_to_run_for_a_moment_too(here: EngineHarness) -> None:
    """Nobody has stopped it, and nothing has failed: that it started, and that it ended, are two reports."""
    policy = {"RestartPolicy": {"Condition": "any", "Delay": SECOND // 20}}
    container = {"Args": ["crash", "0"], "Healthcheck": {**CHECK, "Interval": 60 * SECOND}}
    await here.create(replicas=5, container=container, template=policy)

    async def runs() -> bool:
        return any(state == "running" for state, _ in states(await here.tasks()))

    await here.until(runs, what="a task that is said to run")


async def test_within_its_start_period_a_container_is_given_up_by_nobody_and_goes_when_it_is_not_wanted(
    here: EngineHarness,
) -> None:
    """The task of before is left alone: what is stopped on request has never run, however it ends."""
    await here.create(replicas=1)
    (before,) = await here.runs()
    await here.update(container={"Args": ["unhealthy"], "Healthcheck": {**CHECK, **PATIENT}})

    async def asked() -> Document | None:
        found = [t for t in await here.tasks() if t["Status"]["State"] == "starting"]
        if not found:
            return None
        container = await here.get(f"/containers/{found[0]['Status']['ContainerStatus']['ContainerID']}/json")
        health = container["State"]["Health"]
        often = len(health["Log"]) > CHECK["Retries"] or not here.real
        return container if health["Log"] and often else None

    container = await here.until(asked, what="more failures than it may have")
    assert container is not None
    assert (container["State"]["Health"]["Status"], container["State"]["Health"]["FailingStreak"]) == ("starting", 0)
    assert container["State"]["Health"]["Log"][-1]["Start"] > container["State"]["StartedAt"][:19]
    await here.update(container={"Args": None, "Healthcheck": None})
    (after,) = await here.runs()
    assert after["ID"] == before["ID"]
    (gone,) = await here.ends("shutdown")
    assert gone["ID"] != before["ID"]


async def test_the_first_check_that_passes_ends_the_start_period(here: EngineHarness) -> None:
    """However long it is: what gets sick later is given up after as many failures as ever."""
    container = {"Args": ["sickens", "2"], "Healthcheck": {**CHECK, **PATIENT}}
    await here.create(replicas=1, container=container, template={"RestartPolicy": {"Condition": "none"}})
    await here.runs()
    await here.ends("complete")


async def test_a_container_that_has_ended_still_tells_what_its_health_check_said_last(here: EngineHarness) -> None:
    await here.create(replicas=1, container={"Args": ["unhealthy"], "Healthcheck": CHECK})
    (ended, *_) = await here.ends("complete")
    container = await here.get(f"/containers/{ended['Status']['ContainerStatus']['ContainerID']}/json")
    assert container["State"]["Running"] is False
    assert container["State"]["Health"]["Status"] == "unhealthy"
    last = container["State"]["Health"]["Log"][-1]
    assert (last["ExitCode"], last["Output"]) == (1, "")
    declared = container["Config"]["Healthcheck"]
    assert (declared["Test"], declared["Interval"]) == (CHECK["Test"], CHECK["Interval"])


async def test_a_container_without_a_health_check_tells_of_none(here: EngineHarness) -> None:
    await here.create(replicas=1, container={"Args": ["crash"]})
    (ended, *_) = await here.ends("failed")
    container = await here.get(f"/containers/{ended['Status']['ContainerStatus']['ContainerID']}/json")
    assert "Health" not in container["State"]
    assert not container["Config"].get("Healthcheck")
    answer = await here.ask("GET", "/containers/0123456789ab/json")
    assert (answer.status, answer.error) == (404, "NotFound")


async def test_tasks_of_a_removed_service_are_listed_until_they_have_ended(here: EngineHarness) -> None:
    service = await here.create(replicas=1)
    (task,) = await here.runs()
    await here.ask("DELETE", f"/services/{service}")
    answer = await here.ask("GET", "/tasks", filters={"service": [here.name("web")]})
    assert (answer.status, answer.error) == (404, "NotFound")
    assert answer.text == f"service {here.name('web')} not found"
    again = await here.create(replicas=1)
    assert again != service
    still = [t for t in await here.get("/tasks") if t["ServiceID"] == service]
    assert {t["DesiredState"] for t in still} <= {"remove"}

    async def gone() -> bool:
        return all(t["ServiceID"] != service for t in await here.get("/tasks"))

    await here.until(gone)
    (heir,) = await here.runs()
    assert heir["ID"] != task["ID"]


async def test_tasks_of_a_removed_service_are_found_by_a_label_until_they_have_ended(here: EngineHarness) -> None:
    """One that the service had when the task was made; the service itself cannot be asked for any more."""
    owner = {"conform-owner": here.name("owner")}
    await here.create("other", replicas=1, container={"Labels": owner})
    service = await here.create(replicas=1, labels=owner)
    (task,) = await here.runs()
    await here.ask("DELETE", f"/services/{service}")
    wanted = [f"conform-owner={here.name('owner')}"]

    async def found() -> list[Document]:
        return list(await here.get("/tasks", filters={"label": wanted}))

    async def asked() -> bool:
        return [t["DesiredState"] for t in await found()] == ["remove"]

    await here.until(asked)
    (still,) = await found()
    assert (still["ID"], still["Status"]["State"]) == (task["ID"], "running")

    async def gone() -> bool:
        return not await found()

    await here.until(gone)


async def test_tasks_that_are_too_many_are_listed_until_they_have_ended(here: EngineHarness) -> None:
    await here.create(replicas=1)
    (task,) = await here.runs()
    await here.update(replicas=0)

    async def asked() -> bool:
        return [t["DesiredState"] for t in await here.tasks()] == ["remove"]

    await here.until(asked)
    (still,) = await here.tasks()
    assert (still["ID"], still["Status"]["State"]) == (task["ID"], "running")

    async def gone() -> bool:
        return not await here.tasks()

    await here.until(gone)


async def test_a_global_service_has_a_task_a_node(here: EngineHarness) -> None:
    await here.create(Mode={"Global": {}}, container={"Image": PAUSE})
    (task,) = await here.runs()
    assert "Slot" not in task
    stored = await here.service()
    assert stored["Spec"]["Mode"] == {"Global": {}}
    (listed,) = await here.get("/services", filters={"name": [here.name("web")]}, status="true")
    assert listed["ServiceStatus"] == {"RunningTasks": 1, "DesiredTasks": 1, "CompletedTasks": 0}
    (container,) = await here.containers()
    assert container["Names"] == [f"/{here.name('web')}.{task['NodeID']}.{task['ID']}"]


async def test_tasks_are_filtered(here: EngineHarness) -> None:
    service = await here.create(replicas=1, container={"Image": WEB})
    (task,) = await here.runs()
    await here.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    await here.ends("failed")
    (heir,) = await here.runs()

    async def found(**filters: list[str]) -> list[str]:
        return [t["ID"] for t in await here.get("/tasks", filters={"service": [service], **filters})]

    assert set(await found()) == {task["ID"], heir["ID"]}
    assert await found(**{"desired-state": ["running"]}) == [heir["ID"]]
    assert await found(**{"desired-state": ["shutdown"]}) == [task["ID"]]
    assert set(await found(node=[task["NodeID"]])) == {task["ID"], heir["ID"]}
    nowhere = await here.ask("GET", "/tasks", filters={"node": ["nonesuch"]})
    assert (nowhere.status, nowhere.text) == (404, "node nonesuch not found")
    assert await found(id=[heir["ID"]]) == [heir["ID"]]
    wrong = await here.ask("GET", "/tasks", filters={"desired-state": ["nonesuch"]})
    assert (wrong.status, wrong.text) == (500, "Invalid desired-state filter: 'nonesuch'")
    unknown = await here.ask("GET", "/tasks", filters={"nonesuch": ["x"]})
    assert (unknown.status, unknown.text) == (400, "invalid filter 'nonesuch'")


ENDS = {"RestartPolicy": {"Condition": "on-failure", "Delay": SECOND // 5, "MaxAttempts": 0}}


async def test_what_ended_well_is_done_on_failure_and_stands_for_its_slot(here: EngineHarness) -> None:
    well = {"Args": ["crash", "0"]}
    await here.create(replicas=1, template=ENDS, container=well)
    (done,) = await here.ends("complete")
    assert done["DesiredState"] == "shutdown"
    await here.update(labels={"another": "label"})
    await here.update(replicas=2)
    both = await here.ends("complete", count=2)
    assert {task["Slot"] for task in both} == {1, 2}
    assert done["ID"] in {task["ID"] for task in await here.tasks()}
    assert len(await here.tasks()) == 2, "the one that is done is not started again"


async def test_what_ended_well_counts_as_failed_in_an_update_unless_that_goes_on(here: EngineHarness) -> None:
    goes_on = {"FailureAction": "continue"}
    await here.create(replicas=1, template=ENDS, container={"Args": ["crash", "0"]}, update=goes_on)
    (first,) = await here.ends("complete")
    await here.update(container={"Args": ["crash", "0"], "Env": ["A=1"]})
    await here.ends("complete", count=2)
    await here.comes_to("completed")
    assert (await here.service())["UpdateStatus"]["State"] == "completed"
    newest = max(await here.tasks(), key=lambda task: str(task["CreatedAt"]))
    assert (newest["Slot"], newest["Status"]["State"]) == (first["Slot"], "complete")
