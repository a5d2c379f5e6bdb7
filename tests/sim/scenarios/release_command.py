"""Release commands: run once before a new release is, whatever goes wrong, while what worked last serves."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from specs.names import release_job_name
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import VALUE, configure, container, service
from tests.sim.scenarios.environment import WEB, WEB2, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.scenarios.releases import runs, versions
from tests.sim.settings import INSTALLATION

WELL, BADLY, LONG = ["crash", "0"], ["crash", "3"], ["worker"]


def command(sim: Simulation, args: list[str]) -> dict[str, Any]:
    """The process ``release``, whose program is the image's."""
    return process(sim, "shop", "release", args=args)


def job(shop: Key) -> str:
    return release_job_name(installation=INSTALLATION, environment=shop.id)


def began(sim: Simulation, shop: Key) -> list[int]:
    """Releases whose command began, once for each time."""
    begun = [(task.service.spec, beside) for task, beside in sim.swarm.jobs_begun if task.service.name == job(shop)]
    assert not any(beside for _, beside in begun), "two ran at once"
    return [int(spec["Labels"]["io.skypanel.release"].partition(".")[0]) for spec, _ in begun]


def there(sim: Simulation, shop: Key) -> bool:
    """Whether there is a job, or a program of one that still runs."""
    services = (service.name for service in sim.swarm.store.services.values())
    tasks = (task.service.name for task in sim.swarm.store.tasks.values())
    return job(shop) in {*services, *tasks}


def ended(sim: Simulation, shop: Key) -> list[tuple[int | None, str | None]]:
    """Of each release, what is on record of its command."""
    kept = sim.database.releases[shop.id]
    return [(each.command.exit_code, each.command.failure) for each in kept]


def image(sim: Simulation, shop: Key) -> str:
    """What its tasks run."""
    return str(service(sim, shop)["TaskTemplate"]["ContainerSpec"]["Image"]).partition("@")[0]


@scenario()
async def is_run_once_before_each_release(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[command(sim, WELL)])
    await sim.settle()
    assert ended(sim, shop) == [(0, None)]
    assert versions(sim, shop) == [(1, True)]
    sim.change(shop, instances=3)
    sim.database.ask(shop, "once")
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    sim.change(shop, suspended=False)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert ended(sim, shop) == [(0, None)] * 2
    runs(sim, shop, 1)
    await sim.settle()
    assert ended(sim, shop) == [(0, None)] * 3, "going back is a new release, and has its command run"
    assert began(sim, shop) == [1, 2, 3]
    assert not there(sim, shop), "the job goes when all tasks run the release"
    assert image(sim, shop) == WEB


@scenario()
async def leaves_all_as_it_is_when_it_fails_until_it_does_not(sim: Simulation) -> None:
    web, worker = process(sim, "shop", "web"), process(sim, "shop", "worker")
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[web, worker])
    configure(sim, shop, {"TOKEN": f"{VALUE} 1"})
    await sim.settle()
    before = container(sim, sim.service(shop))
    configure(sim, shop, {"TOKEN": f"{VALUE} 2"}, image_ref=WEB2, processes=[web, command(sim, BADLY)])
    await sim.settle()
    assert sim.reason(shop) == "ReleaseCommandFailed"
    assert container(sim, sim.service(shop)) == before
    assert container(sim, sim.service(shop, "worker")), "what the new release lacks serves until that runs"
    assert (began(sim, shop), ended(sim, shop)[-1][0]) == ([2], 3)
    sim.change(shop, processes=[{**web, "instances": 2}, command(sim, BADLY)])
    await sim.settle()
    assert began(sim, shop) == [2], "the scale is no release"
    assert service(sim, shop)["Mode"]["Replicated"]["Replicas"] == 2
    sim.change(shop, processes=[web, command(sim, WELL)])
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), began(sim, shop)) == ("Deployed", WEB2, [2, 3])


@scenario()
async def is_run_once_more_when_somebody_asks(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[command(sim, BADLY)])
    await sim.settle()
    assert sim.reason(shop) == "ReleaseCommandFailed"
    names = {found.name for found in sim.swarm.store.services.values()}
    assert sim.service(shop) not in names, "no task runs before it has ended well"
    sim.database.ask(shop, "again")
    await sim.settle()
    assert (sim.reason(shop), began(sim, shop)) == ("ReleaseCommandFailed", [1, 1])


@scenario()
async def is_waited_for_when_a_newer_release_comes_and_stopped_when_late(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, processes=[command(sim, LONG)])
    await sim.settle()
    sim.change(shop, processes=[command(sim, WELL)])
    await sim.settle()
    assert (sim.reason(shop), began(sim, shop)) == ("ReleaseCommandRunning", [2])
    await sim.sleep(150.0)
    await sim.settle()
    assert (sim.reason(shop), began(sim, shop)) == ("Deployed", [2, 3])
    assert "was stopped" in str(ended(sim, shop)[1][1])


@scenario()
async def is_stopped_at_its_time_also_when_others_lead_meanwhile(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_ref=WEB2, processes=[command(sim, LONG)])
    for _ in range(2):  # after each of which it would begin anew
        await sim.sleep(55.0)
        assert sim.reason(shop) == "ReleaseCommandRunning"
        sim.take_over()
    await sim.sleep(100.0)
    assert sim.reason(shop) == "ReleaseCommandFailed"
    await sim.settle()
    assert "was stopped" in str(ended(sim, shop)[1][1])


@scenario()
async def is_stopped_with_what_is_suspended_and_run_when_that_comes_back(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_ref=WEB2, processes=[command(sim, LONG)])
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    assert sim.reason(shop) == "Suspended"
    assert not there(sim, shop)
    sim.change(shop, suspended=False, processes=[command(sim, WELL)])
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", WEB2)


@scenario()
async def is_looked_after_when_its_environment_is_renamed(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", processes=[command(sim, LONG)])
    await sim.settle()
    sim.change(shop, swarm_name="acme-store-production")
    await sim.settle()
    assert began(sim, shop) == [1]
    sim.delete(shop)
    await sim.settle()
    await sim.sleep(10.0)
    assert not there(sim, shop)
