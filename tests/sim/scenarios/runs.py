"""Runs: a command is run once in an environment, never twice, and leaves nothing, whatever goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from controller.kit import clock
from controller.records import Key
from specs.names import run_job_name
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import VALUE, configure
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization
from tests.sim.settings import INSTALLATION

WELL, BADLY, LONG = ["web", "crash", "0"], ["web", "crash", "3"], ["web", "worker"]


def run(sim: Simulation, shop: Key, name: str, command: list[str], **fields: Any) -> Key:
    """A run as somebody makes it."""
    of = sim.document(shop)
    document = {
        "id": sim.identify("run", name),
        "name": name,
        "command": command,
        "timeout_seconds": 3600,
        "stopped": False,
        "created_at": datetime.fromtimestamp(clock.wall(), UTC).isoformat(),
        "organization": of["organization"],
        "app": of["app"],
        "environment": {"id": shop.id},
        "plan": None,
        "paused": None,
        **fields,
    }
    return sim.put("run", name, document, organization=of["organization"]["id"], depends_on=[shop])


def job(key: Key) -> str:
    return run_job_name(installation=INSTALLATION, run=key.id)


def record(sim: Simulation, key: Key) -> tuple[object, object]:
    """Outcome and exit code, as they are on record."""
    found = sim.database.rows.get(("paas_run_records", (("run_id", key.id),)), {})
    return found.get("outcome"), found.get("exit_code")


def there(sim: Simulation, key: Key) -> list[str]:
    """Names of what it has on the Swarm."""
    owner = f"run/{key.id}"
    store = sim.swarm.store
    found: list[Any] = [*store.services.values(), *store.secrets.values(), *store.configs.values()]
    return [each.name for each in found if each.labels.get("io.skypanel.owner") == owner]


@scenario()
async def are_run_once_and_say_how_they_ended(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", files={"/etc/shop.conf": "a"})
    configure(sim, shop, {"TOKEN": f"{VALUE} 1"})
    await sim.settle()
    well, badly = run(sim, shop, "well", WELL), run(sim, shop, "badly", BADLY)
    await sim.settle()
    assert (sim.reason(well), record(sim, well)) == ("Succeeded", ("succeeded", 0))
    assert (sim.reason(badly), record(sim, badly)) == ("RunFailed", ("failed", 3))
    assert there(sim, well) == there(sim, badly) == []
    sim.database.ask(well, "again")
    await sim.settle()
    assert sorted(task.service.name for task in sim.swarm.once_begun) == sorted([job(well), job(badly)])


@scenario()
async def are_stopped_when_that_is_asked_or_their_time_is_over(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    one, late = run(sim, shop, "one", LONG), run(sim, shop, "late", LONG, timeout_seconds=600)
    await sim.settle()
    assert (sim.reason(one), sim.reason(late)) == ("Running", "Running")
    sim.change(one, stopped=True)
    await sim.settle()
    await sim.sleep(700.0)
    await sim.settle()
    assert (sim.reason(one), record(sim, one)) == ("Stopped", ("stopped", None))
    assert (sim.reason(late), record(sim, late)) == ("TimedOut", ("timed_out", None))
    assert there(sim, one) == there(sim, late) == []


@scenario()
async def wait_for_their_environment_and_go_with_it(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    well = run(sim, shop, "well", WELL)
    await sim.sleep(10.0)
    assert sim.reason(well) == "Suspended"
    sim.change(shop, suspended=False)
    await sim.sleep(20.0)
    await sim.settle()
    assert record(sim, well) == ("succeeded", 0)
    gone = run(sim, shop, "gone", LONG)
    await sim.settle()
    sim.delete(gone, shop)
    await sim.settle()
    await sim.sleep(10.0)
    assert there(sim, gone) == []


@scenario()
async def that_cannot_begin_say_why(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    never = run(sim, shop, "never", WELL, stopped=True)
    await sim.settle()
    assert record(sim, never) == ("stopped", None)
    early = run(sim, environment(sim, Key("organization", sim.identify("organization", "acme")), "new", instances=0,
                                 suspended=True), "early", WELL)  # fmt: skip
    await sim.sleep(3700.0)
    await sim.settle()
    assert record(sim, early) == ("not_started", None)
    assert there(sim, never) == there(sim, early) == []


@scenario(counts=False)
async def whose_job_somebody_removed_are_not_run_again(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    lost = run(sim, shop, "lost", LONG)
    await sim.settle()
    assert sim.reason(lost) == "Running"
    await sim.hands.remove_service(job(lost))
    await sim.sleep(30.0)
    await sim.settle()
    assert (sim.reason(lost), record(sim, lost)) == ("OutcomeUnknown", ("unknown", None))
    assert [task.service.name for task in sim.swarm.once_begun] == [job(lost)]


@scenario(counts=False)
async def whose_node_is_lost_are_waited_for_and_not_run_elsewhere(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    lost = run(sim, shop, "lost", LONG, timeout_seconds=600)
    await sim.settle()
    (task,) = sim.swarm.tasks(job(lost))
    assert task.node is not None
    sim.swarm.node_down(task.node.meta.id)
    await sim.sleep(60.0)
    assert sim.reason(lost) == "Running"
    await sim.sleep(700.0)
    assert (sim.reason(lost), record(sim, lost)) == ("OutcomeUnknown", ("unknown", None))
    assert [task.service.name for task in sim.swarm.once_begun] == [job(lost)]
    sim.swarm.node_up(task.node.meta.id)
    await sim.settle()
    assert there(sim, lost) == []
