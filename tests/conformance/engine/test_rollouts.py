"""Rolling updates: what restarts tasks, what the states say, and what a failure does."""

from __future__ import annotations

from functools import partial

import anyio
import pytest

from tests.conformance.engine.harness import ALIVE, MISSING, PAUSE, SECOND, Document, EngineHarness

pytestmark = pytest.mark.anyio


async def running(here: EngineHarness) -> dict[int, str]:
    return {t["Slot"]: t["ID"] for t in await here.tasks("web", "running")}


async def two_updated(here: EngineHarness, **changes: Document) -> tuple[set[str], Document, Document]:
    """Two tasks that were just replaced, and are still watched: ids of the old ones, and both new ones."""
    wanted: Document = {"replicas": 2, "update": {"Monitor": 5 * SECOND}, **changes}
    await here.create(**wanted)
    known = {t["ID"] for t in await here.runs(count=2)}
    await here.update(container={"Env": ["A=1"]})

    async def new() -> list[Document]:
        found = [t for t in await here.tasks("web", "running") if t["ID"] not in known]
        return found if [t["Status"]["State"] for t in found] == ["running"] * 2 else []

    first, last = await here.until(new, what="both new tasks")
    return known, first, last


async def kill_new(here: EngineHarness, known: set[str], slot: int | None = None) -> str:
    """Let the next task that is not known (of a slot) fail as soon as it runs; its id."""

    async def up() -> Document | None:
        found = [t for t in await here.tasks("web", "running") if t["ID"] not in known and slot in (None, t["Slot"])]
        return next((t for t in found if t["Status"]["State"] == "running"), None)

    task = await here.until(up, what="a new task that runs")
    assert task is not None
    await here.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    return str(task["ID"])


def environment(task: Document) -> list[str]:
    return list(task["Spec"]["ContainerSpec"].get("Env") or [])


# -- what restarts tasks -----------------------------------------------------------------------------------------------


async def test_what_is_not_about_tasks_restarts_none_and_sets_no_status(here: EngineHarness) -> None:
    node = (await here.get("/info"))["Swarm"]["NodeID"]
    await here.create(replicas=2)
    await here.runs(count=2)
    before = await running(here)
    writes: list[Document] = [
        {"labels": {"n": "1"}},
        {},
        {"update": {"Parallelism": 2}},
        {"rollback": {"FailureAction": "continue"}},
        {"template": {"Placement": {"Constraints": [f"node.id == {node}"]}}},
        {"replicas": 3},
    ]
    for changes in writes:
        assert (await here.update(**changes)).status == 200
    await here.runs(count=3)
    after = await running(here)
    assert {slot: after[slot] for slot in before} == before
    assert "UpdateStatus" not in await here.service()


async def test_a_write_without_any_change_restarts_nothing_and_takes_the_way_back(here: EngineHarness) -> None:
    """So does one of credentials alone: they are in a header, and not in the specification."""
    await here.create(replicas=1)
    await here.runs()
    nothing = await here.update(query={"registryAuthFrom": "previous-spec"})
    assert (nothing.status, nothing.text) == (500, "service does not have a previous spec")
    before, tasks = await here.service(), await running(here)
    assert (await here.update(query={"registryAuthFrom": "spec"})).status == 200
    assert (await here.update(query={"registryAuthFrom": "previous-spec"})).status == 200
    after = await here.service()
    assert after["Version"]["Index"] > before["Version"]["Index"] + 1
    assert after["PreviousSpec"] == before["Spec"]
    assert await running(here) == tasks
    assert "UpdateStatus" not in after


RESTARTING: dict[str, Document] = {
    "environment": {"container": {"Env": ["A=1"]}},
    "label": {"container": {"Labels": {"a": "1"}}},
    "force": {"template": {"ForceUpdate": 1}},
    "log": {"template": {"LogDriver": {"Name": "json-file", "Options": {"max-size": "10m"}}}},
    "endpoint": {"EndpointSpec": {"Mode": "vip"}},
}


async def test_what_is_about_tasks_replaces_them_and_completes(here: EngineHarness) -> None:
    async def replaced(text: str, changes: Document) -> None:
        await here.create(text, replicas=1, container={"Image": PAUSE})
        (old,) = await here.runs(text)
        assert (await here.update(text, **changes)).status == 200
        stored = await here.reaches("completed", text)
        assert stored["UpdateStatus"].keys() == {"State", "StartedAt", "CompletedAt", "Message"}
        assert stored["UpdateStatus"]["Message"] == "update completed"
        (new,) = await here.runs(text)
        assert new["ID"] != old["ID"]
        assert new["Slot"] == old["Slot"]

    async with anyio.create_task_group() as tasks:
        for text, changes in RESTARTING.items():
            tasks.start_soon(replaced, text, changes)


# -- order and success -------------------------------------------------------------------------------------------------


async def test_start_first_never_has_fewer_than_wanted(here: EngineHarness) -> None:
    await here.create(replicas=2)
    await here.runs(count=2)
    version = (await here.service())["Version"]["Index"]
    await here.update(container={"Env": ["A=1"]})
    least, most, seen = 9, 0, set()

    async def done() -> bool:
        nonlocal least, most
        up = [t for t in await here.tasks() if t["Status"]["State"] == "running" and t["DesiredState"] == "running"]
        least, most = min(least, len(up)), max(most, len(up))
        stored = await here.service()
        seen.add((stored.get("UpdateStatus") or {}).get("State"))
        return bool((stored.get("UpdateStatus") or {}).get("State") == "completed")

    await here.until(done)
    assert least == 2
    assert most <= 3
    assert seen - {None} == {"updating", "completed"}
    assert all(t["Spec"]["ContainerSpec"].get("Env") == ["A=1"] for t in await here.runs(count=2))
    after = await here.service()
    assert after["Version"]["Index"] > version + 2, "the rollout changed the version itself"
    assert after["PreviousSpec"]["TaskTemplate"]["ContainerSpec"].get("Env") is None


async def test_stop_first_starts_nothing_before_the_old_one_has_ended(here: EngineHarness) -> None:
    await here.create(replicas=1, update={"Order": "stop-first"})
    (old,) = await here.runs()
    await here.update(container={"Env": ["A=1"]})

    async def new_runs() -> bool:
        found = await here.tasks()
        up = [t["ID"] for t in found if t["Status"]["State"] == "running"]
        assert len(up) <= 1
        return bool(up and up != [old["ID"]])

    await here.until(new_runs)
    await here.reaches("completed")


async def test_an_update_waits_for_ever_for_a_task_that_has_no_node(here: EngineHarness) -> None:
    """Nothing times out: neither a pause nor a rollback comes, and the old task serves on."""
    await here.create(replicas=1)
    (old,) = await here.runs()
    await here.update(template={"Resources": {"Reservations": {"NanoCPUs": 1000 * SECOND}}})
    await here.reaches("updating")
    await here.create("other", replicas=1)
    await here.runs("other")
    await here.update("other", container={"Env": ["A=1"]})
    await here.reaches("completed", "other")  # longer than the monitoring time
    assert (await here.service())["UpdateStatus"]["State"] == "updating"
    found = {t["ID"]: (t["Status"]["State"], t["DesiredState"]) for t in await here.tasks("web", *ALIVE)}
    assert found.pop(old["ID"]) == ("running", "running")
    assert list(found.values()) == [("pending", "running")]
    # Another write takes its here.
    await here.update(template={"Resources": None})
    await here.until(lambda: _is(here, old["ID"]), what="the first task again")


async def _is(here: EngineHarness, task_id: str) -> bool:
    found = await here.tasks("web", *ALIVE)
    return [t["ID"] for t in found] == [task_id]


async def test_start_first_on_a_node_that_may_have_one_only_is_never_placed(here: EngineHarness) -> None:
    await here.create(replicas=1, template={"Placement": {"MaxReplicas": 1}})
    await here.runs()
    await here.update(container={"Env": ["A=1"]})

    async def explained() -> str:
        return "".join(t["Status"].get("Err", "") for t in await here.tasks("web", *ALIVE))

    assert await here.until(explained) == "no suitable node (max replicas per node limit exceed)"
    assert (await here.service())["UpdateStatus"]["State"] == "updating"


# -- failure -----------------------------------------------------------------------------------------------------------


async def test_a_failed_update_goes_back_and_forgets_what_it_was(here: EngineHarness) -> None:
    _, first, last = await two_updated(here, labels={"good": "1"})
    updated = await here.service()
    assert updated["PreviousSpec"]["TaskTemplate"]["ContainerSpec"].get("Env") is None
    await here.kill(first["Status"]["ContainerStatus"]["ContainerID"])
    started = await here.reaches("rollback_started")
    assert started["Spec"] == updated["PreviousSpec"]
    assert "PreviousSpec" not in started
    assert started["UpdateStatus"]["Message"] == (
        f"update rolled back due to failure or early termination of task {first['ID']}"
    )
    assert started["UpdateStatus"]["StartedAt"] == updated["UpdateStatus"]["StartedAt"]
    done = await here.reaches("rollback_completed")
    assert done["UpdateStatus"]["Message"] == "rollback completed"
    assert last["ID"] not in {t["ID"] for t in await here.tasks("web", *ALIVE)}
    assert "PreviousSpec" not in done
    manual = await here.update(query={"rollback": "previous"})
    assert (manual.status, manual.error) == (400, "Refused")
    text = f"service {done['ID']} does not have a previous spec"
    assert manual.text == f"rpc error: code = FailedPrecondition desc = {text}"


async def test_a_rejected_task_is_a_failed_update_too_and_the_old_one_serves_on(here: EngineHarness) -> None:
    await here.create(replicas=1)
    (old,) = await here.runs()
    await here.update(container={"Image": MISSING})
    await here.reaches("rollback_completed")
    await here.until(lambda: _is(here, old["ID"]))


async def test_after_a_rollback_its_state_may_become_completed(here: EngineHarness) -> None:
    """A task that fails during the rollback gets a successor beside the one that the rollback makes.

    A slot with two tasks makes another round follow, which knows nothing of the rollback. Who is faster decides whether
    there are two: it is tried until there are.
    """
    stored = None
    for _ in range(6):
        known, first, last = await two_updated(here)
        await here.kill(first["Status"]["ContainerStatus"]["ContainerID"])
        await here.reaches("rollback_started")
        await here.until(partial(_begun, here, known), what="the first task of the rollback")
        await here.kill(last["Status"]["ContainerStatus"]["ContainerID"])
        await here.reaches("rollback_completed")
        stored = await here.comes_to("completed", seconds=8.0)
        if stored is not None:
            break
        await here.ask("DELETE", f"/services/{here.name('web')}")
    assert stored is not None
    assert stored["UpdateStatus"]["Message"] == "update completed"
    assert "PreviousSpec" not in stored
    assert "Env" not in stored["Spec"]["TaskTemplate"]["ContainerSpec"]


async def _begun(here: EngineHarness, known: set[str]) -> bool:
    return any(t["ID"] not in known and not environment(t) for t in await here.tasks())


async def first_replaced(here: EngineHarness) -> tuple[set[str], Document]:
    """One of three tasks was just replaced, the others are left alone for a minute: the old ids, and the new task."""
    await here.create(replicas=3)
    known = {t["ID"] for t in await here.runs(count=3)}
    await here.update(container={"Env": ["A=1"]}, update={"Delay": 60 * SECOND, "Monitor": 60 * SECOND})

    async def new() -> list[Document]:
        found = await here.tasks("web", "running")
        up = [t for t in found if t["ID"] not in known and t["Status"]["State"] == "running"]
        return up if len(found) == 3 else []

    (first,) = await here.until(new, what="the first new task in the place of an old one")
    return known, first


async def test_the_first_task_of_a_rollout_that_rests_is_taken_back_when_it_fails(here: EngineHarness) -> None:
    known, first = await first_replaced(here)
    await here.kill(first["Status"]["ContainerStatus"]["ContainerID"])
    stored = await here.reaches("rollback_completed")
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env") is None
    assert len(known & {t["ID"] for t in await here.runs(count=3)}) == 2, "the others were never touched"


async def test_a_rollout_that_rests_goes_on_with_a_write_of_how_alone_which_takes_its_way_back(
    here: EngineHarness,
) -> None:
    """The task that is new already stays. What Swarm would go back to from then on is the new specification itself."""
    known, first = await first_replaced(here)
    assert (await here.update(update={"Delay": None, "Monitor": 5 * SECOND})).status == 200

    async def all_new() -> list[Document]:
        found = await here.tasks("web", "running")
        return [] if known & {t["ID"] for t in found} or len(found) != 3 else found

    found = await here.until(all_new, what="the rest")
    assert first["ID"] in {t["ID"] for t in found}
    stored = await here.service()
    assert stored["PreviousSpec"]["TaskTemplate"] == stored["Spec"]["TaskTemplate"]
    assert stored["PreviousSpec"]["UpdateConfig"]["Delay"] == 60 * SECOND


async def test_a_paused_update_stays_until_any_write_which_takes_it_up_again(here: EngineHarness) -> None:
    """Also one of labels alone: the tasks that were left are replaced by the new specification then."""
    await here.create(replicas=3, update={"FailureAction": "pause", "Monitor": 4 * SECOND})
    known = {t["ID"] for t in await here.runs(count=3)}
    await here.update(container={"Env": ["A=1"]})
    victim = await kill_new(here, known)
    paused = await here.reaches("paused")
    message = f"update paused due to failure or early termination of task {victim}"
    assert paused["UpdateStatus"]["Message"] == message
    assert "CompletedAt" not in paused["UpdateStatus"]
    assert paused["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]
    assert "PreviousSpec" in paused
    assert known & {t["ID"] for t in await here.tasks("web", "running")}, "some were not touched"
    assert (await here.update(labels={"n": "1"}, update={"Monitor": SECOND // 4})).status == 200
    done = await here.reaches("completed")
    assert done["UpdateStatus"]["StartedAt"] > paused["UpdateStatus"]["StartedAt"]
    assert not known & {t["ID"] for t in await here.tasks("web", "running")}


async def test_some_failures_may_be_allowed(here: EngineHarness) -> None:
    await here.create(replicas=1, update={"MaxFailureRatio": 1.0, "Monitor": SECOND})
    known = {t["ID"] for t in await here.runs()}
    await here.update(container={"Env": ["A=1"]})
    await kill_new(here, known)
    stored = await here.reaches("completed")
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]


async def test_a_rollback_that_fails_is_paused(here: EngineHarness) -> None:
    known, first, last = await two_updated(here, rollback={"Monitor": 5 * SECOND})
    await here.kill(first["Status"]["ContainerStatus"]["ContainerID"])
    await here.reaches("rollback_started")
    victim = await kill_new(here, known | {first["ID"], last["ID"]}, slot=last["Slot"])
    stored = await here.reaches("rollback_paused")
    message = f"update paused due to failure or early termination of task {victim}"
    assert stored["UpdateStatus"]["Message"] == message
    assert "Env" not in stored["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert "PreviousSpec" not in stored


async def test_a_failure_while_the_last_slot_is_on_its_way_may_count_for_nothing(here: EngineHarness) -> None:
    """Failures are looked at late, and those that lie further back than the monitoring time do not count."""
    check = {"Test": ["CMD", "/bin/web", "health"], "Interval": SECOND * 2 // 3, "Timeout": SECOND, "Retries": 9}
    await here.create(replicas=2, container={"Healthcheck": check})
    known = {t["ID"] for t in await here.runs(count=2)}
    await here.update(container={"Env": ["A=1"]})
    await kill_new(here, known)
    stored = await here.reaches("completed")
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]


async def test_a_rollback_by_hand_exchanges_both_specifications(here: EngineHarness) -> None:
    await here.create(replicas=1)
    await here.runs()
    old = (await here.service())["Spec"]
    await here.update(container={"Env": ["A=1"]})
    new = (await here.reaches("completed"))["Spec"]
    assert (await here.update(query={"rollback": "previous"})).status == 200
    stored = await here.reaches("rollback_completed")
    assert (stored["Spec"], stored["PreviousSpec"]) == (old, new)
    (task,) = await here.runs()
    assert "Env" not in task["Spec"]["ContainerSpec"]


async def test_a_second_update_takes_the_place_of_the_first(here: EngineHarness) -> None:
    await here.create(replicas=1)
    await here.runs()
    await here.update(container={"Env": ["A=1"], "Args": ["slow", "20"]})
    await here.reaches("updating")
    await here.update(container={"Env": ["A=2"], "Args": None})
    stored = await here.reaches("completed")
    assert stored["PreviousSpec"]["TaskTemplate"]["ContainerSpec"]["Env"] == ["A=1"]
    (task,) = await here.runs()
    assert task["Spec"]["ContainerSpec"]["Env"] == ["A=2"]
