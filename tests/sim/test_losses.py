"""Nothing is lost by accident: what is absent, what is too much at once, what bleeds away slice by slice."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from reconcilers import labels
from tests.sim.faults import Plan
from tests.sim.place import RESYNC_SECONDS
from tests.sim.run import execute
from tests.sim.scenario import Body, Desk, Scenario
from tests.sim.scenarios.environment import WEB2, domain, environment, process
from tests.sim.scenarios.organization import organization

MANY = 12
"""More than may always go."""


def run(body: Body) -> None:
    assert execute(Scenario(f"losses.{body.__name__}", body, counts=False), Plan(body.__name__)).problems == ()


def shops(desk: Desk, home: Key, count: int = MANY) -> list[Key]:
    return [environment(desk, home, f"shop{number}") for number in range(count)]


def found(desk: Desk, owner: Key | None = None) -> list[dict[str, Any]]:
    """Services of environments, or of one."""
    every = [s for s in desk.swarm.state()["services"].values() if labels.PROCESS in s["Labels"]]
    return [s for s in every if owner is None or s["Labels"][labels.OWNER] == str(owner)]


def services(desk: Desk) -> set[str]:
    return {service["Name"] for service in found(desk)}


def routed(desk: Desk) -> int:
    return sum(any(label.endswith(".rule") for label in service["Labels"]) for service in found(desk))


def running(desk: Desk) -> int:
    return sum(service["tasks"]["running"] for service in found(desk))


def test_a_row_that_is_merely_absent_waits_however_little_it_is_and_goes_when_it_is_confirmed() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        shop, blog = shops(desk, home, 2)
        await desk.settle()
        before = services(desk)
        desk.database.lose(shop)
        await desk.sleep(3 * RESYNC_SECONDS)
        assert services(desk) == before
        assert desk.reason(shop) == "FuseTripped"
        desk.delete(blog)  # an explained loss goes on meanwhile
        await desk.sleep(10.0)
        assert len(services(desk)) == len(before) - 1
        desk.database.confirm_fuse()
        await desk.settle()
        assert services(desk) == set()

    run(body)


def test_a_row_that_comes_back_takes_its_service_up_again_untouched() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        shops(desk, home, 2)
        await desk.settle()
        before = desk.swarm.state()
        rows = dict(desk.database.objects)
        desk.database.lose(*rows)
        await desk.sleep(3 * RESYNC_SECONDS)
        assert desk.swarm.state() == before
        for key, row in rows.items():
            desk.database.objects[key] = row
        await desk.sleep(3 * RESYNC_SECONDS)
        await desk.settle()
        assert desk.swarm.state() == before
        assert not desk.database.losses

    run(body)


def test_a_fuse_that_has_tripped_lets_nothing_go_but_what_was_confirmed_until_nothing_waits() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        all_ = shops(desk, home, MANY + 2)
        await desk.settle()
        before = services(desk)
        desk.delete(*all_)
        await desk.sleep(10.0)
        assert services(desk) == before
        assert desk.reason(all_[0]) == "FuseTripped"
        for shop in all_[2:]:
            desk.database.take_back(shop)
        await desk.sleep(3 * RESYNC_SECONDS)
        assert services(desk) == before, "two are few, and the fuse has tripped all the same"
        desk.database.confirm_fuse(all_[0])
        desk.database.touch(all_[1])  # asks at the same moment
        await desk.sleep(10.0)
        assert len(services(desk)) == len(before) - 1
        desk.delete(all_[2])  # joins what waits; what was confirmed is not asked for anew
        await desk.sleep(10.0)
        assert len(services(desk)) == len(before) - 1
        desk.database.confirm_fuse()
        await desk.settle()
        assert len(services(desk)) == len(before) - 3
        assert desk.database.fuse is not None
        assert desk.database.fuse.tripped_at is None

    run(body)


def test_processes_and_routes_of_wanted_environments_are_not_lost_at_once_and_other_work_goes_on() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        every = []
        for number in range(4):
            name = f"shop{number}"
            processes = [process(desk, name, kind, port=8080) for kind in ("web", "workera", "workerb", "workerc")]
            hosts = [domain(desk, f"{name}.example.com")]
            every.append(environment(desk, home, name, processes=processes, domains=hosts))
        await desk.settle()
        before = services(desk), routed(desk), running(desk)
        full = [desk.document(shop) for shop in every]
        for shop in every:
            desk.change(shop, processes=[], domains=[], image_ref=WEB2)
        await desk.sleep(30.0)
        assert (services(desk), running(desk)) == (before[0], before[2])
        assert desk.reason(every[0]) == "FuseTripped"
        images = {
            s["Labels"][labels.PROCESS]: s["TaskTemplate"]["ContainerSpec"]["Image"] for s in found(desk, every[0])
        }
        assert images["web"] == WEB2, "an image is no loss, and is not held back"
        for shop, document in zip(every, full, strict=True):
            desk.change(shop, **document)
        await desk.settle()
        assert (services(desk), routed(desk), running(desk)) == before
        assert desk.reason(every[0]) == "Deployed"

    run(body)


def test_host_names_of_a_few_environments_are_not_lost_at_once_though_all_goes_on_running() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        every = [
            environment(
                desk, home, name, domains=[domain(desk, f"h{number}.{name}.example.com") for number in range(4)]
            )
            for name in ("shop0", "shop1", "shop2")
        ]
        await desk.settle()
        before = {name: service["Labels"] for name, service in desk.swarm.state()["services"].items()}
        full = [desk.document(shop) for shop in every]
        for shop in every:
            desk.change(shop, domains=[])
        await desk.sleep(30.0)
        after = {name: service["Labels"] for name, service in desk.swarm.state()["services"].items()}
        rules = {name: _rules(found) for name, found in before.items()}
        assert {name: _rules(found) for name, found in after.items()} == rules
        assert [desk.reason(shop) for shop in every] == ["FuseTripped"] * 3
        for shop, document in zip(every[1:], full[1:], strict=True):
            desk.change(shop, **document)
        await desk.sleep(3 * RESYNC_SECONDS)
        assert desk.reason(every[0]) == "FuseTripped", "few are left, and the fuse has tripped all the same"
        assert routed(desk) == 3
        desk.database.confirm_fuse()
        await desk.settle()
        assert routed(desk) == 2

    run(body)


def _rules(found: dict[str, str]) -> dict[str, str]:
    return {label: value for label, value in found.items() if label.endswith(".rule")}


def test_the_suspension_of_many_at_once_waits_and_that_of_one_does_not() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        all_ = shops(desk, home)
        await desk.settle()
        desk.change(all_[0], suspended=True)
        await desk.settle()
        assert desk.reason(all_[0]) == "Suspended"
        before = running(desk)
        for shop in all_[1:]:
            desk.change(shop, suspended=True)
        await desk.sleep(10.0)
        assert running(desk) == before == MANY - 1
        desk.database.confirm_fuse()
        await desk.settle()
        assert running(desk) == 0

    run(body)


def test_what_bleeds_away_slice_by_slice_counts_together() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        all_ = shops(desk, home, 2 * MANY)
        await desk.settle()
        before = len(services(desk))
        for shop in all_:
            desk.delete(shop)
            await desk.sleep(5.0)
        assert before - len(services(desk)) == 10
        desk.database.confirm_fuse()
        await desk.settle()

    run(body)


def test_a_rename_of_many_is_no_loss_also_of_what_goes_after_it() -> None:
    async def body(desk: Desk) -> None:
        home = organization(desk, "acme")
        all_ = shops(desk, home)
        await desk.settle()
        for shop in all_:
            document = desk.document(shop)
            desk.change(shop, name="live", swarm_name=document["swarm_name"].replace("production", "live"))
        await desk.settle()
        assert {name.split("_")[0] for name in services(desk)} == {f"acme-shop{n}-live-web" for n in range(MANY)}
        desk.delete(all_[0])
        desk.change(all_[1], instances=0)
        await desk.settle()
        assert len(services(desk)) == running(desk) + 1 == MANY - 1

    run(body)
