"""Rolling updates: what restarts tasks, what the states say, and what a failure does."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from tests.conformance.engine.place import ALIVE, MISSING, PAUSE, SECOND, Document, Place

pytestmark = pytest.mark.anyio


async def running(place: Place) -> dict[int, str]:
    return {t["Slot"]: t["ID"] for t in await place.tasks("web", "running")}


async def two_updated(place: Place, **changes: Document) -> tuple[set[str], Document, Document]:
    """Two tasks that were just replaced, and are still watched: ids of the old ones, and both new ones."""
    wanted: Document = {"replicas": 2, "update": {"Monitor": 5 * SECOND}, **changes}
    await place.create(**wanted)
    known = {t["ID"] for t in await place.runs(count=2)}
    await place.update(container={"Env": ["A=1"]})

    async def new() -> list[Document]:
        found = [t for t in await place.tasks("web", "running") if t["ID"] not in known]
        return found if [t["Status"]["State"] for t in found] == ["running"] * 2 else []

    first, last = await place.until(new, what="both new tasks")
    return known, first, last


async def kill_new(place: Place, known: set[str], slot: int | None = None) -> str:
    """Let the next task that is not known (of a slot) fail as soon as it runs; its id."""

    async def up() -> Document | None:
        found = [t for t in await place.tasks("web", "running") if t["ID"] not in known and slot in (None, t["Slot"])]
        return next((t for t in found if t["Status"]["State"] == "running"), None)

    task = await place.until(up, what="a new task that runs")
    assert task is not None
    await place.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    return str(task["ID"])


def environment(task: Document) -> list[str]:
    return list(task["Spec"]["ContainerSpec"].get("Env") or [])


# -- what restarts tasks -----------------------------------------------------------------------------------------------


async def test_what_is_not_about_tasks_restarts_none_and_sets_no_status(place: Place) -> None:
    node = (await place.get("/info"))["Swarm"]["NodeID"]
    await place.create(replicas=2)
    await place.runs(count=2)
    before = await running(place)
    writes: list[Document] = [
        {"labels": {"n": "1"}},
        {},
        {"update": {"Parallelism": 2}},
        {"rollback": {"FailureAction": "continue"}},
        {"template": {"Placement": {"Constraints": [f"node.id == {node}"]}}},
        {"replicas": 3},
    ]
    for changes in writes:
        assert (await place.update(**changes)).status == 200
    await place.runs(count=3)
    after = await running(place)
    assert {slot: after[slot] for slot in before} == before
    assert "UpdateStatus" not in await place.service()


async def test_a_write_without_any_change_restarts_nothing_and_takes_the_way_back(place: Place) -> None:
    """So does one of credentials alone: they are in a header, and not in the specification."""
    await place.create(replicas=1)
    await place.runs()
    nothing = await place.update(query={"registryAuthFrom": "previous-spec"})
    assert (nothing.status, nothing.text) == (500, "service does not have a previous spec")
    before, tasks = await place.service(), await running(place)
    assert (await place.update(query={"registryAuthFrom": "spec"})).status == 200
    assert (await place.update(query={"registryAuthFrom": "previous-spec"})).status == 200
    after = await place.service()
    assert after["Version"]["Index"] > before["Version"]["Index"] + 1
    assert after["PreviousSpec"] == before["Spec"]
    assert await running(place) == tasks
    assert "UpdateStatus" not in after


RESTARTING: dict[str, Document] = {
    "environment": {"container": {"Env": ["A=1"]}},
    "label": {"container": {"Labels": {"a": "1"}}},
    "force": {"template": {"ForceUpdate": 1}},
    "log": {"template": {"LogDriver": {"Name": "json-file", "Options": {"max-size": "10m"}}}},
    "endpoint": {"EndpointSpec": {"Mode": "vip"}},
}


async def test_what_is_about_tasks_replaces_them_and_completes(place: Place) -> None:
    async def replaced(text: str, changes: Document) -> None:
        await place.create(text, replicas=1, container={"Image": PAUSE})
        (old,) = await place.runs(text)
        assert (await place.update(text, **changes)).status == 200
        stored = await place.reaches("completed", text)
        assert stored["UpdateStatus"].keys() == {"State", "StartedAt", "CompletedAt", "Message"}
        assert stored["UpdateStatus"]["Message"] == "update completed"
        (new,) = await place.runs(text)
        assert new["ID"] != old["ID"]
        assert new["Slot"] == old["Slot"]

    async with anyio.create_task_group() as tasks:
        for text, changes in RESTARTING.items():
            tasks.start_soon(replaced, text, changes)


# -- order and success -------------------------------------------------------------------------------------------------


async def test_start_first_never_has_fewer_than_wanted(place: Place) -> None:
    await place.create(replicas=2)
    await place.runs(count=2)
    version = (await place.service())["Version"]["Index"]
    await place.update(container={"Env": ["A=1"]})
    least, most, seen = 9, 0, set()

    async def done() -> bool:
        nonlocal least, most
        up = [t for t in await place.tasks() if t["Status"]["State"] == "running" and t["DesiredState"] == "running"]
        least, most = min(least, len(up)), max(most, len(up))
        stored = await place.service()
        seen.add((stored.get("UpdateStatus") or {}).get("State"))
        return bool((stored.get("UpdateStatus") or {}).get("State") == "completed")

    await place.until(done)
    assert least == 2
    assert most <= 3
    assert seen - {None} == {"updating", "completed"}
    assert all(t["Spec"]["ContainerSpec"].get("Env") == ["A=1"] for t in await place.runs(count=2))
    after = await place.service()
    assert after["Version"]["Index"] > version + 2, "the rollout changed the version itself"
    assert after["PreviousSpec"]["TaskTemplate"]["ContainerSpec"].get("Env") is None


async def test_stop_first_starts_nothing_before_the_old_one_has_ended(place: Place) -> None:
    await place.create(replicas=1, update={"Order": "stop-first"})
    (old,) = await place.runs()
    await place.update(container={"Env": ["A=1"]})

    async def new_runs() -> bool:
        found = await place.tasks()
        up = [t["ID"] for t in found if t["Status"]["State"] == "running"]
        assert len(up) <= 1
        return bool(up and up != [old["ID"]])

    await place.until(new_runs)
    await place.reaches("completed")


async def test_an_update_waits_for_ever_for_a_task_that_has_no_node(place: Place) -> None:
    """Nothing times out: neither a pause nor a rollback comes, and the old task serves on."""
    await place.create(replicas=1)
    (old,) = await place.runs()
    await place.update(template={"Resources": {"Reservations": {"NanoCPUs": 1000 * SECOND}}})
    await place.reaches("updating")
    await place.create("other", replicas=1)
    await place.runs("other")
    await place.update("other", container={"Env": ["A=1"]})
    await place.reaches("completed", "other")  # longer than the monitoring time
    assert (await place.service())["UpdateStatus"]["State"] == "updating"
    found = {t["ID"]: (t["Status"]["State"], t["DesiredState"]) for t in await place.tasks("web", *ALIVE)}
    assert found.pop(old["ID"]) == ("running", "running")
    assert list(found.values()) == [("pending", "running")]
    # Another write takes its place.
    await place.update(template={"Resources": None})
    await place.until(lambda: _is(place, old["ID"]), what="the first task again")


async def _is(place: Place, task_id: str) -> bool:
    found = await place.tasks("web", *ALIVE)
    return [t["ID"] for t in found] == [task_id]


async def test_start_first_on_a_node_that_may_have_one_only_is_never_placed(place: Place) -> None:
    await place.create(replicas=1, template={"Placement": {"MaxReplicas": 1}})
    await place.runs()
    await place.update(container={"Env": ["A=1"]})

    async def explained() -> str:
        return "".join(t["Status"].get("Err", "") for t in await place.tasks("web", *ALIVE))

    assert await place.until(explained) == "no suitable node (max replicas per node limit exceed)"
    assert (await place.service())["UpdateStatus"]["State"] == "updating"


# -- failure -----------------------------------------------------------------------------------------------------------


async def test_a_failed_update_goes_back_and_forgets_what_it_was(place: Place) -> None:
    _, first, last = await two_updated(place, labels={"good": "1"})
    updated = await place.service()
    assert updated["PreviousSpec"]["TaskTemplate"]["ContainerSpec"].get("Env") is None
    await place.kill(first["Status"]["ContainerStatus"]["ContainerID"])
    started = await place.reaches("rollback_started")
    assert started["Spec"] == updated["PreviousSpec"]
    assert "PreviousSpec" not in started
    assert started["UpdateStatus"]["Message"] == (
        f"update rolled back due to failure or early termination of task {first['ID']}"
    )
    assert started["UpdateStatus"]["StartedAt"] == updated["UpdateStatus"]["StartedAt"]
    done = await place.reaches("rollback_completed")
    assert done["UpdateStatus"]["Message"] == "rollback completed"
    assert last["ID"] not in {t["ID"] for t in await place.tasks("web", *ALIVE)}
    assert "PreviousSpec" not in done
    manual = await place.update(query={"rollback": "previous"})
    assert (manual.status, manual.error) == (400, "Refused")
    text = f"service {done['ID']} does not have a previous spec"
    assert manual.text == f"rpc error: code = FailedPrecondition desc = {text}"


async def test_a_rejected_task_is_a_failed_update_too_and_the_old_one_serves_on(place: Place) -> None:
    await place.create(replicas=1)
    (old,) = await place.runs()
    await place.update(container={"Image": MISSING})
    await place.reaches("rollback_completed")
    await place.until(lambda: _is(place, old["ID"]))


async def test_after_a_rollback_its_state_may_become_completed(place: Place) -> None:
    """A task that fails during the rollback gets a successor beside the one that the rollback makes.

    A slot with two tasks makes another round follow, which knows nothing of the rollback. Who is faster decides whether
    there are two: it is tried until there are.
    """
    stored = None
    for _ in range(6):
        known, first, last = await two_updated(place)
        await place.kill(first["Status"]["ContainerStatus"]["ContainerID"])
        await place.reaches("rollback_started")
        await place.until(partial(_begun, place, known), what="the first task of the rollback")
        await place.kill(last["Status"]["ContainerStatus"]["ContainerID"])
        await place.reaches("rollback_completed")
        stored = await place.comes_to("completed", seconds=8.0)
        if stored is not None:
            break
        await place.ask("DELETE", f"/services/{place.name('web')}")
    assert stored is not None
    assert stored["UpdateStatus"]["Message"] == "update completed"
    assert "PreviousSpec" not in stored
    assert "Env" not in stored["Spec"]["TaskTemplate"]["ContainerSpec"]


async def _begun(place: Place, known: set[str]) -> bool:
    return any(t["ID"] not in known and not environment(t) for t in await place.tasks())


async def test_a_paused_update_stays_until_any_write_which_takes_it_up_again(place: Place) -> None:
    """Also one of labels alone: the tasks that were left are replaced by the new specification then."""
    await place.create(replicas=3, update={"FailureAction": "pause", "Monitor": 4 * SECOND})
    known = {t["ID"] for t in await place.runs(count=3)}
    await place.update(container={"Env": ["A=1"]})
    victim = await kill_new(place, known)
    paused = await place.reaches("paused")
    message = f"update paused due to failure or early termination of task {victim}"
    assert paused["UpdateStatus"]["Message"] == message
    assert "CompletedAt" not in paused["UpdateStatus"]
    assert paused["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]
    assert "PreviousSpec" in paused
    assert known & {t["ID"] for t in await place.tasks("web", "running")}, "some were not touched"
    assert (await place.update(labels={"n": "1"}, update={"Monitor": SECOND // 4})).status == 200
    done = await place.reaches("completed")
    assert done["UpdateStatus"]["StartedAt"] > paused["UpdateStatus"]["StartedAt"]
    assert not known & {t["ID"] for t in await place.tasks("web", "running")}


async def test_some_failures_may_be_allowed(place: Place) -> None:
    await place.create(replicas=1, update={"MaxFailureRatio": 1.0, "Monitor": SECOND})
    known = {t["ID"] for t in await place.runs()}
    await place.update(container={"Env": ["A=1"]})
    await kill_new(place, known)
    stored = await place.reaches("completed")
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]


async def test_a_rollback_that_fails_is_paused(place: Place) -> None:
    known, first, last = await two_updated(place, rollback={"Monitor": 2 * SECOND})
    await place.kill(first["Status"]["ContainerStatus"]["ContainerID"])
    await place.reaches("rollback_started")
    victim = await kill_new(place, known | {first["ID"], last["ID"]}, slot=last["Slot"])
    stored = await place.reaches("rollback_paused")
    message = f"update paused due to failure or early termination of task {victim}"
    assert stored["UpdateStatus"]["Message"] == message
    assert "Env" not in stored["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert "PreviousSpec" not in stored


async def test_a_failure_while_the_last_slot_is_on_its_way_may_count_for_nothing(place: Place) -> None:
    """Failures are looked at late, and those that lie further back than the monitoring time do not count."""
    check = {"Test": ["CMD", "/bin/web", "health"], "Interval": SECOND * 2 // 3, "Timeout": SECOND, "Retries": 9}
    await place.create(replicas=2, container={"Healthcheck": check})
    known = {t["ID"] for t in await place.runs(count=2)}
    await place.update(container={"Env": ["A=1"]})
    await kill_new(place, known)
    stored = await place.reaches("completed")
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]


async def test_a_rollback_by_hand_exchanges_both_specifications(place: Place) -> None:
    await place.create(replicas=1)
    await place.runs()
    old = (await place.service())["Spec"]
    await place.update(container={"Env": ["A=1"]})
    new = (await place.reaches("completed"))["Spec"]
    assert (await place.update(query={"rollback": "previous"})).status == 200
    stored = await place.reaches("rollback_completed")
    assert (stored["Spec"], stored["PreviousSpec"]) == (old, new)
    (task,) = await place.runs()
    assert "Env" not in task["Spec"]["ContainerSpec"]


async def test_a_second_update_takes_the_place_of_the_first(place: Place) -> None:
    await place.create(replicas=1)
    await place.runs()
    await place.update(container={"Env": ["A=1"], "Args": ["slow", "20"]})
    await place.reaches("updating")
    await place.update(container={"Env": ["A=2"], "Args": None})
    stored = await place.reaches("completed")
    assert stored["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]
    (task,) = await place.runs()
    assert task["Spec"]["ContainerSpec"]["Env"] == ["A=2"]
