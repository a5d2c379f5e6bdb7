"""Tasks: from new to running, why they wait, how they end, and what replaces them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.engine.place import ALIVE, MISSING, PAUSE, SECOND, WEB, Document, Place

pytestmark = pytest.mark.anyio

ORDER = ("new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running")
CHECK = {"Test": ["CMD", "/bin/web", "health"], "Interval": SECOND // 5, "Timeout": SECOND, "Retries": 2}
BIG = {"Resources": {"Reservations": {"NanoCPUs": 1000 * SECOND}}}


def states(tasks: list[Document]) -> list[tuple[str, str]]:
    return [(t["Status"]["State"], t["DesiredState"]) for t in tasks]


async def test_a_task_comes_up_in_steps_and_says_where_it_is(place: Place) -> None:
    await place.create(replicas=1)
    seen: list[str] = []

    async def up() -> bool:
        (task,) = await place.tasks() or [{"Status": {"State": "new"}}]
        if task["Status"]["State"] not in seen:
            seen.append(task["Status"]["State"])
        return bool(seen[-1] == "running")

    await place.until(up)
    assert seen == sorted(seen, key=ORDER.index)
    (task,) = await place.tasks()
    stored = await place.service()
    assert task["Spec"] == {k: v for k, v in stored["Spec"]["TaskTemplate"].items() if k != "Runtime"}
    assert (task["ServiceID"], task["Slot"], task["DesiredState"]) == (stored["ID"], 1, "running")
    assert task["Labels"] == {}
    status = task["Status"]
    assert (status["Message"], status["ContainerStatus"]["ExitCode"], "Err" in status) == ("started", 0, False)
    assert task["NodeID"] == (await place.get("/info"))["Swarm"]["NodeID"]
    assert task["Version"]["Index"] > stored["Version"]["Index"]
    assert stored["Version"] == (await place.service())["Version"], "tasks do not change the service"
    (container,) = await place.containers()
    assert container["Id"] == status["ContainerStatus"]["ContainerID"]


async def test_tasks_are_counted_with_the_services(place: Place) -> None:
    await place.create(replicas=2)

    async def counts(**query: Any) -> Document | None:
        (found,) = await place.get("/services", filters={"name": [place.name("web")]}, **query)
        return found.get("ServiceStatus")  # type: ignore[no-any-return] # a document

    assert await counts() is None
    assert (await counts(status="true") or {})["DesiredTasks"] == 2
    await place.runs(count=2)
    assert await counts(status="true") == {"RunningTasks": 2, "DesiredTasks": 2, "CompletedTasks": 0}


async def test_a_scale_touches_no_task_that_stays_and_sets_no_update_status(place: Place) -> None:
    await place.create(replicas=1)
    (first,) = await place.runs()
    await place.update(replicas=3)
    three = await place.runs(count=3)
    assert {t["Slot"] for t in three} == {1, 2, 3}
    assert first["ID"] in {t["ID"] for t in three}
    await place.update(replicas=1)
    (one,) = await place.runs(count=1)
    going = [t for t in await place.tasks() if t["ID"] != one["ID"]]
    assert {t["DesiredState"] for t in going} <= {"remove"}

    async def gone() -> bool:
        return len(await place.tasks()) == 1

    await place.until(gone, what="no history of what was scaled away")
    stored = await place.service()
    assert "UpdateStatus" not in stored
    assert stored["PreviousSpec"]["Mode"]["Replicated"]["Replicas"] == 3


async def test_a_task_that_ends_badly_says_how(place: Place) -> None:
    await place.create(replicas=1, container={"Args": ["crash", "3"]})
    (failed, *_) = await place.ends("failed")
    assert failed["Status"]["Err"] == "task: non-zero exit (3)"
    assert (failed["Status"]["Message"], failed["Status"]["ContainerStatus"]["ExitCode"]) == ("started", 3)


async def test_a_task_that_ends_is_replaced_for_ever_and_five_of_a_slot_are_kept(place: Place) -> None:
    policy = {"Condition": "any", "Delay": SECOND // 20}
    await place.create(replicas=1, container={"Image": MISSING}, template={"RestartPolicy": policy})
    ids: set[str] = set()

    async def many() -> bool:
        found = await place.tasks()
        ids.update(t["ID"] for t in found)
        return len(ids) > 8

    await place.until(many)
    assert len(await place.tasks()) <= 7, "the reaper comes a little later"
    assert "UpdateStatus" not in await place.service()


async def test_a_restart_takes_the_specification_of_now(place: Place) -> None:
    """Also while an update is paused: what fails comes back as the new one."""
    await place.create(replicas=1)
    (task,) = await place.runs()
    await place.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    (failed,) = await place.ends("failed")
    assert failed["Status"]["Err"] == "task: non-zero exit (137)"
    (heir,) = await place.runs()
    assert heir["ID"] != task["ID"]
    assert heir["Slot"] == task["Slot"]
    assert states([t for t in await place.tasks() if t["ID"] == task["ID"]]) == [("failed", "shutdown")]


@pytest.mark.parametrize(
    ("policy", "arguments", "end"),
    [
        ({"Condition": "none"}, ["crash"], "failed"),
        ({"Condition": "on-failure"}, ["crash", "0"], "complete"),
    ],
    ids=["never", "after a good end"],
)
async def test_a_task_that_must_not_come_back_does_not(
    place: Place, policy: Document, arguments: list[str], end: str
) -> None:
    await place.create(replicas=1, container={"Args": arguments}, template={"RestartPolicy": policy})
    await place.ends(end)
    await place.create("other", replicas=1)
    await place.runs("other")  # time enough for a restart
    assert states(await place.tasks()) == [(end, "shutdown")]


async def test_attempts_are_counted(place: Place) -> None:
    policy = {"Condition": "any", "Delay": SECOND // 20, "MaxAttempts": 2}
    await place.create(replicas=1, container={"Image": MISSING}, template={"RestartPolicy": policy})
    await place.ends("rejected", count=3)
    await place.create("other", replicas=1)
    await place.runs("other")
    assert states(await place.tasks()) == [("rejected", "shutdown")] * 3


async def test_an_image_that_cannot_be_had_is_a_rejection(place: Place) -> None:
    await place.create(replicas=1, container={"Image": MISSING})
    rejected, *_ = await place.ends("rejected", count=2)
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
async def test_a_task_without_a_node_is_pending_and_says_why(place: Place, template: Document, reason: str) -> None:
    await place.create(replicas=1, template=template)

    async def explained() -> Document | None:
        (task,) = await place.tasks() or [{"Status": {}}]
        return task if task["Status"].get("Err") else None

    task = await place.until(explained)
    assert task is not None
    assert task["Status"]["Err"] == f"no suitable node ({reason})"
    assert (task["Status"]["State"], task["Status"]["Message"]) == ("pending", "pending task scheduling")
    assert "NodeID" not in task
    (listed,) = await place.get("/services", filters={"name": [place.name("web")]}, status="true")
    assert listed["ServiceStatus"] == {"RunningTasks": 0, "DesiredTasks": 1, "CompletedTasks": 0}


async def test_a_place_is_taken_as_soon_as_there_is_one(place: Place) -> None:
    node = (await place.get("/info"))["Swarm"]["NodeID"]
    constraints = {"Placement": {"Constraints": [f"node.id == {node}", "node.labels.conform == yes"]}}
    await place.create(replicas=1, template=constraints)

    async def waits() -> bool:
        return [t["Status"].get("Err") for t in await place.tasks()] != [None]

    await place.until(waits)
    await place.label_node({"conform": "yes"})
    await place.runs()
    await place.label_node({})
    rejected, *_ = await place.ends("rejected")
    assert rejected["Status"]["Err"] == "assigned node no longer meets constraints"
    assert rejected["Status"]["Message"] == "task rejected by constraint enforcer"

    async def waits_again() -> bool:
        return [t["Status"]["State"] for t in await place.tasks("web", *ALIVE)] == ["pending"]

    await place.until(waits_again)


async def test_labels_written_while_a_task_waits_let_swarm_forget_the_task(place: Place) -> None:
    """moby#53722: when the next look finds no node either, it is not looked at again; a restart helps."""
    constraints = {"Placement": {"Constraints": ["node.labels.conform == later"]}}
    await place.create(replicas=1, template=constraints)

    async def waits() -> bool:
        return [t["Status"].get("Err") for t in await place.tasks()] != [None]

    await place.until(waits)
    await place.update(labels={"n": "1"})
    await place.create("other", replicas=1)
    await place.runs("other")  # the scheduler looked
    await place.label_node({"conform": "later"})
    await place.create("third", replicas=1)
    await place.runs("third")  # and again, with a node that fits
    (task,) = await place.tasks()
    assert task["Status"]["State"] == "pending"
    await place.update(template={**constraints, "ForceUpdate": 1})
    await place.runs()
    await place.label_node({})


async def test_a_health_check_decides_when_a_task_runs(place: Place) -> None:
    await place.create(replicas=1, container={"Healthcheck": {**CHECK, "Interval": SECOND}})

    async def starting() -> bool:
        return states(await place.tasks()) == [("starting", "running")]

    await place.until(starting)
    (container,) = await place.until(place.containers)
    assert container["State"] == "running", "long before its task does"
    assert states(await place.tasks()) == [("starting", "running")]
    await place.runs()


async def test_a_container_that_is_never_healthy_is_stopped_and_its_exit_code_says_how_it_ended(place: Place) -> None:
    """A server that ends well on SIGTERM makes a "complete" of it, with no word about health."""
    await place.create(replicas=1, container={"Args": ["unhealthy"], "Healthcheck": CHECK})
    (ended, *_) = await place.ends("complete")
    assert (ended["Status"]["Message"], ended["Status"].get("Err")) == ("finished", None)
    assert ended["DesiredState"] == "shutdown"


async def test_tasks_of_a_removed_service_are_listed_until_they_have_ended(place: Place) -> None:
    service = await place.create(replicas=1)
    (task,) = await place.runs()
    await place.ask("DELETE", f"/services/{service}")
    answer = await place.ask("GET", "/tasks", filters={"service": [place.name("web")]})
    assert (answer.status, answer.error) == (404, "NotFound")
    assert answer.text == f"service {place.name('web')} not found"
    again = await place.create(replicas=1)
    assert again != service
    still = [t for t in await place.get("/tasks") if t["ServiceID"] == service]
    assert {t["DesiredState"] for t in still} <= {"remove"}

    async def gone() -> bool:
        return all(t["ServiceID"] != service for t in await place.get("/tasks"))

    await place.until(gone)
    (heir,) = await place.runs()
    assert heir["ID"] != task["ID"]


async def test_tasks_of_a_removed_service_are_found_by_a_label_until_they_have_ended(place: Place) -> None:
    """One that the service had when the task was made; the service itself cannot be asked for any more."""
    owner = {"conform-owner": place.name("owner")}
    await place.create("other", replicas=1, container={"Labels": owner})
    service = await place.create(replicas=1, labels=owner)
    (task,) = await place.runs()
    await place.ask("DELETE", f"/services/{service}")
    wanted = [f"conform-owner={place.name('owner')}"]

    async def found() -> list[Document]:
        return list(await place.get("/tasks", filters={"label": wanted}))

    async def asked() -> bool:
        return [t["DesiredState"] for t in await found()] == ["remove"]

    await place.until(asked)
    (still,) = await found()
    assert (still["ID"], still["Status"]["State"]) == (task["ID"], "running")

    async def gone() -> bool:
        return not await found()

    await place.until(gone)


async def test_tasks_that_are_too_many_are_listed_until_they_have_ended(place: Place) -> None:
    await place.create(replicas=1)
    (task,) = await place.runs()
    await place.update(replicas=0)

    async def asked() -> bool:
        return [t["DesiredState"] for t in await place.tasks()] == ["remove"]

    await place.until(asked)
    (still,) = await place.tasks()
    assert (still["ID"], still["Status"]["State"]) == (task["ID"], "running")

    async def gone() -> bool:
        return not await place.tasks()

    await place.until(gone)


async def test_a_global_service_has_a_task_a_node(place: Place) -> None:
    await place.create(Mode={"Global": {}}, container={"Image": PAUSE})
    (task,) = await place.runs()
    assert "Slot" not in task
    stored = await place.service()
    assert stored["Spec"]["Mode"] == {"Global": {}}
    (listed,) = await place.get("/services", filters={"name": [place.name("web")]}, status="true")
    assert listed["ServiceStatus"] == {"RunningTasks": 1, "DesiredTasks": 1, "CompletedTasks": 0}
    (container,) = await place.containers()
    assert container["Names"] == [f"/{place.name('web')}.{task['NodeID']}.{task['ID']}"]


async def test_tasks_are_filtered(place: Place) -> None:
    service = await place.create(replicas=1, container={"Image": WEB})
    (task,) = await place.runs()
    await place.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    await place.ends("failed")
    (heir,) = await place.runs()

    async def found(**filters: list[str]) -> list[str]:
        return [t["ID"] for t in await place.get("/tasks", filters={"service": [service], **filters})]

    assert set(await found()) == {task["ID"], heir["ID"]}
    assert await found(**{"desired-state": ["running"]}) == [heir["ID"]]
    assert await found(**{"desired-state": ["shutdown"]}) == [task["ID"]]
    assert set(await found(node=[task["NodeID"]])) == {task["ID"], heir["ID"]}
    nowhere = await place.ask("GET", "/tasks", filters={"node": ["nonesuch"]})
    assert (nowhere.status, nowhere.text) == (404, "node nonesuch not found")
    assert await found(id=[heir["ID"]]) == [heir["ID"]]
    wrong = await place.ask("GET", "/tasks", filters={"desired-state": ["nonesuch"]})
    assert (wrong.status, wrong.text) == (500, "Invalid desired-state filter: 'nonesuch'")
    unknown = await place.ask("GET", "/tasks", filters={"nonesuch": ["x"]})
    assert (unknown.status, unknown.text) == (400, "invalid filter 'nonesuch'")
