"""Nothing is lost by accident: what is absent, what is too much at once, what bleeds away slice by slice."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from reconcilers import labels
from tests.sim.faults import Plan
from tests.sim.run import execute
from tests.sim.scenario import Body, Scenario, Simulation
from tests.sim.scenarios.environment import WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.settings import RESYNC_SECONDS

MANY = 12
"""More than may always go."""


def run(body: Body) -> None:
    assert execute(Scenario(f"losses.{body.__name__}", body, counts=False), Plan(body.__name__)).problems == ()


def shops(sim: Simulation, home: Key, count: int = MANY) -> list[Key]:
    return [environment(sim, home, f"shop{number}") for number in range(count)]


def found(sim: Simulation, owner: Key | None = None) -> list[dict[str, Any]]:
    """Services of environments, or of one."""
    every = [s for s in sim.swarm.state()["services"].values() if labels.PROCESS in s["Labels"]]
    return [s for s in every if owner is None or s["Labels"][labels.OWNER] == str(owner)]


def services(sim: Simulation) -> set[str]:
    return {service["Name"] for service in found(sim)}


def routed(sim: Simulation) -> int:
    return sum(any(label.endswith(".rule") for label in service["Labels"]) for service in found(sim))


def running(sim: Simulation) -> int:
    return sum(service["tasks"]["running"] for service in found(sim))


def test_a_row_that_is_merely_absent_waits_however_little_it_is_and_goes_when_it_is_confirmed() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        shop, blog = shops(sim, home, 2)
        await sim.settle()
        before = services(sim)
        sim.database.lose(shop)
        await sim.sleep(3 * RESYNC_SECONDS)
        assert services(sim) == before
        assert sim.reason(shop) == "FuseTripped"
        sim.delete(blog)  # an explained loss goes on meanwhile
        await sim.sleep(10.0)
        assert len(services(sim)) == len(before) - 1
        sim.database.confirm_fuse()
        await sim.settle()
        assert services(sim) == set()

    run(body)


def test_a_row_that_comes_back_takes_its_service_up_again_untouched() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        shops(sim, home, 2)
        await sim.settle()
        before = sim.swarm.state()
        rows = dict(sim.database.objects)
        sim.database.lose(*rows)
        await sim.sleep(3 * RESYNC_SECONDS)
        assert sim.swarm.state() == before
        for key, row in rows.items():
            sim.database.objects[key] = row
        await sim.sleep(3 * RESYNC_SECONDS)
        await sim.settle()
        assert sim.swarm.state() == before
        assert not sim.database.losses

    run(body)


def test_a_fuse_that_has_tripped_lets_nothing_go_but_what_was_confirmed_until_nothing_waits() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        all_ = shops(sim, home, MANY + 2)
        await sim.settle()
        before = services(sim)
        sim.delete(*all_)
        await sim.sleep(10.0)
        assert services(sim) == before
        assert sim.reason(all_[0]) == "FuseTripped"
        for shop in all_[2:]:
            sim.database.take_back(shop)
        await sim.sleep(3 * RESYNC_SECONDS)
        assert services(sim) == before, "two are few, and the fuse has tripped all the same"
        sim.database.confirm_fuse(all_[0])
        sim.database.touch(all_[1])  # asks at the same moment
        await sim.sleep(10.0)
        assert len(services(sim)) == len(before) - 1
        sim.delete(all_[2])  # joins what waits; what was confirmed is not asked for anew
        await sim.sleep(10.0)
        assert len(services(sim)) == len(before) - 1
        sim.database.confirm_fuse()
        await sim.settle()
        assert len(services(sim)) == len(before) - 3
        assert sim.database.fuse is not None
        assert sim.database.fuse.tripped_at is None

    run(body)


def test_processes_and_routes_of_wanted_environments_are_not_lost_at_once_and_other_work_goes_on() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        every = []
        for number in range(4):
            name = f"shop{number}"
            processes = [process(sim, name, kind, port=8080) for kind in ("web", "workera", "workerb", "workerc")]
            hosts = [domain(sim, f"{name}.example.com")]
            every.append(environment(sim, home, name, processes=processes, domains=hosts))
        await sim.settle()
        before = services(sim), routed(sim), running(sim)
        full = [sim.document(shop) for shop in every]
        for shop in every:
            sim.change(shop, processes=[], domains=[], image_ref=WEB2)
        await sim.sleep(30.0)
        assert (services(sim), running(sim)) == (before[0], before[2])
        assert sim.reason(every[0]) == "FuseTripped"
        images = {
            s["Labels"][labels.PROCESS]: s["TaskTemplate"]["ContainerSpec"]["Image"].partition("@")[0]
            for s in found(sim, every[0])
        }
        assert images["web"] == WEB2, "an image is no loss, and is not held back"
        for shop, document in zip(every, full, strict=True):
            sim.change(shop, **document)
        await sim.settle()
        assert (services(sim), routed(sim), running(sim)) == before
        assert sim.reason(every[0]) == "Deployed"

    run(body)


def test_host_names_of_a_few_environments_are_not_lost_at_once_though_all_goes_on_running() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        every = [
            environment(sim, home, name, domains=[domain(sim, f"h{number}.{name}.example.com") for number in range(4)])
            for name in ("shop0", "shop1", "shop2")
        ]
        await sim.settle()
        before = {name: service["Labels"] for name, service in sim.swarm.state()["services"].items()}
        full = [sim.document(shop) for shop in every]
        for shop in every:
            sim.change(shop, domains=[])
        await sim.sleep(30.0)
        after = {name: service["Labels"] for name, service in sim.swarm.state()["services"].items()}
        rules = {name: _rules(found) for name, found in before.items()}
        assert {name: _rules(found) for name, found in after.items()} == rules
        assert [sim.reason(shop) for shop in every] == ["FuseTripped"] * 3
        for shop, document in zip(every[1:], full[1:], strict=True):
            sim.change(shop, **document)
        await sim.sleep(3 * RESYNC_SECONDS)
        assert sim.reason(every[0]) == "FuseTripped", "few are left, and the fuse has tripped all the same"
        assert routed(sim) == 3
        sim.database.confirm_fuse()
        await sim.settle()
        assert routed(sim) == 2

    run(body)


def _rules(found: dict[str, str]) -> dict[str, str]:
    return {label: value for label, value in found.items() if label.endswith(".rule")}


def test_the_suspension_of_many_at_once_waits_and_that_of_one_does_not() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        all_ = shops(sim, home)
        await sim.settle()
        sim.change(all_[0], suspended=True)
        await sim.settle()
        assert sim.reason(all_[0]) == "Suspended"
        before = running(sim)
        for shop in all_[1:]:
            sim.change(shop, suspended=True)
        await sim.sleep(10.0)
        assert running(sim) == before == MANY - 1
        sim.database.confirm_fuse()
        await sim.settle()
        assert running(sim) == 0

    run(body)


def test_what_bleeds_away_slice_by_slice_counts_together() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        all_ = shops(sim, home, 2 * MANY)
        await sim.settle()
        before = len(services(sim))
        for shop in all_:
            sim.delete(shop)
            await sim.sleep(5.0)
        assert before - len(services(sim)) == 10
        sim.database.confirm_fuse()
        await sim.settle()

    run(body)


def test_a_rename_of_many_is_no_loss_also_of_what_goes_after_it() -> None:
    async def body(sim: Simulation) -> None:
        home = organization(sim, "acme")
        all_ = shops(sim, home)
        await sim.settle()
        for shop in all_:
            document = sim.document(shop)
            sim.change(shop, name="live", swarm_name=document["swarm_name"].replace("production", "live"))
        await sim.settle()
        assert {name.split("_")[0] for name in services(sim)} == {f"acme-shop{n}-live-web" for n in range(MANY)}
        sim.delete(all_[0])
        sim.change(all_[1], instances=0)
        await sim.settle()
        assert len(services(sim)) == running(sim) + 1 == MANY - 1

    run(body)
