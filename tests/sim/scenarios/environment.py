"""Environments: one service a process, with routes, rollouts and rollbacks."""

from __future__ import annotations

from typing import Any

from controller.records import Key
from reconcilers.routes import hostnames_of
from tests.sim.scenario import Desk, scenario
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.swarm import StaleReads
from tests.sim.world import MARKER

# Whoever never heard that a bad spec was taken, and finds the one before it, cannot know that it failed: it is tried
# once more.
_ONCE_MORE = ("update",)
WEB, WEB2, BROKEN, ABSENT = (f"127.0.0.1:5000/{image}" for image in ("web:1", "web:2", "web:crash", "web:missing"))


def environment(desk: Desk, home: Key, app: str, *, row: str = "", name: str = "production", **fields: Any) -> Key:
    """An environment as the panel declares it, with the document that the view gives; ``row`` tells rows apart."""
    slug = desk.document(home)["slug"]
    full = f"{slug}-{app}-{name}"
    document = {
        "id": desk.identify("environment", row or full),
        "name": name,
        "swarm_name": full,
        "organization": {"id": home.id, "slug": slug},
        "app": {"id": desk.identify("app", app), "slug": app},
        "image_ref": WEB,
        "port": 8080,
        "instances": 1,
        "memory_mb": 32,
        "cpu_limit": 0.1,
        "suspended": False,
        "processes": [],
        "domains": [],
        **fields,
    }
    return desk.put("environment", row or full, document, organization=home.id, depends_on=[home])


def process(desk: Desk, environment: str, kind: str, **fields: Any) -> dict[str, Any]:
    """A process of an environment's document."""
    return {
        "id": desk.identify("process", f"{environment}-{kind}"),
        "type": kind,
        "instances": 1,
        "generation": 1,
    } | fields


def domain(desk: Desk, hostname: str, **fields: Any) -> dict[str, Any]:
    """A domain of an environment's document."""
    found = {"id": desk.identify("domain", hostname), "hostname": hostname, "process_type": "web", "generation": 1}
    return found | fields


@scenario()
async def comes_scales_and_goes(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.change(shop, instances=3)
    await desk.settle()
    desk.change(shop, image_ref=WEB2)
    await desk.settle()
    desk.delete(shop)
    await desk.settle()


@scenario()
async def has_processes_and_domains(desk: Desk) -> None:
    home = organization(desk, "acme")
    web, worker = process(desk, "shop", "web", port=8080), process(desk, "shop", "worker", command=["work"])
    shop = environment(desk, home, "shop", processes=[web, worker], domains=[domain(desk, "shop.example.com")])
    await desk.settle()
    desk.change(shop, domains=[domain(desk, "www.example.com", generation=2)])
    await desk.settle()
    desk.change(shop, processes=[web])
    await desk.settle()


@scenario()
async def goes_with_its_processes_and_domains(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(
        desk, home, "shop", processes=[process(desk, "shop", "web")], domains=[domain(desk, "shop.example.com")]
    )
    await desk.settle()
    desk.delete(shop)
    await desk.settle()


@scenario()
async def is_renamed(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop", instances=2, domains=[domain(desk, "shop.example.com")])
    await desk.settle()
    desk.change(shop, swarm_name="acme-store-production", app={"id": desk.identify("app", "shop"), "slug": "store"})
    await desk.settle()


@scenario()
async def is_suspended_and_comes_back(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop", instances=2)
    await desk.settle()
    desk.change(shop, suspended=True)
    await desk.settle()
    desk.change(shop, suspended=False)
    await desk.settle()


@scenario()
async def keeps_the_last_good_while_the_row_is_wrong(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    before = desk.swarm.state()
    desk.change(shop, image_ref="not an image")
    await desk.settle()
    assert desk.reason(shop) == "InvalidSpec"
    assert desk.swarm.state() == before, "a row that is wrong changed what runs"
    await desk.hands.remove_service(desk.service(shop))
    await desk.settle()
    assert desk.swarm.state() == before, "the last good service did not come back"
    desk.change(shop, image_ref=WEB)
    await desk.settle()
    assert desk.swarm.state() == before, "back, and not as it was before"


@scenario(extra=_ONCE_MORE)
async def goes_back_when_the_new_image_does_not_start(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.change(shop, image_ref=BROKEN)
    await desk.settle()
    assert desk.reason(shop) == "RolledBack"
    desk.change(shop, image_ref=WEB2)
    await desk.settle()
    assert desk.reason(shop) == "Deployed"


@scenario()
async def is_repaired(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop", domains=[domain(desk, "shop.example.com")])
    await desk.settle()
    name = desk.service(shop)
    await desk.hands.remove_service(name)
    await desk.settle()
    await desk.hands.scale(name, 5)
    await desk.settle()
    container = ("TaskTemplate", "ContainerSpec")
    await desk.hands.change_service(name, lambda s: s[container[0]][container[1]]["Env"].append(f"TOKEN={MARKER}"))
    await desk.settle()
    await desk.hands.change_service(name, lambda s: s["Labels"].pop("io.skypanel.owner"))
    await desk.settle()
    await desk.hands.change_service(name, lambda s: s.update(Labels={}))
    await desk.settle()


@scenario()
async def is_recreated_with_the_same_name(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.delete(shop)
    environment(desk, home, "shop", row="shop again", image_ref=WEB2)
    await desk.settle()


@scenario()
async def goes_with_its_organization(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    other = environment(desk, home, "blog", instances=0)
    await desk.settle()
    desk.delete(home, shop, other)
    await desk.settle()


@scenario(counts=False)
async def is_changed_while_it_rolls_out(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop", instances=2)
    await desk.sleep(0.6)
    desk.change(shop, image_ref=WEB2)
    await desk.sleep(0.3)
    desk.change(shop, instances=1)
    await desk.sleep(1.0)
    desk.change(shop, image_ref=WEB)
    await desk.settle()


@scenario(counts=False)
async def comes_and_goes_in_one_breath(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.sleep(0.4)
    desk.delete(shop)
    await desk.sleep(0.1)
    environment(desk, home, "blog")
    await desk.settle()


@scenario()
async def loses_its_node(desk: Desk) -> None:
    home = organization(desk, "acme")
    environment(desk, home, "shop", instances=2)
    await desk.settle()
    desk.swarm.node_down(desk.swarm.node_ids()[1])
    await desk.settle()
    desk.swarm.node_up(desk.swarm.node_ids()[1])
    await desk.settle()


@scenario()
async def does_not_mind_the_clock(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.sleep(0.3)
    desk.jump(3600.0)
    await desk.settle()
    desk.change(shop, instances=2)
    await desk.sleep(0.1)
    desk.jump(-7200.0)
    await desk.settle()


@scenario(extra=_ONCE_MORE)
async def is_shown_late_by_the_engine(desk: Desk) -> None:
    desk.swarm.stale_reads = StaleReads(reads=2)
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.change(shop, image_ref=BROKEN)
    await desk.settle()
    assert desk.reason(shop) == "RolledBack"
    desk.change(shop, image_ref=WEB2)
    await desk.settle()
    assert desk.reason(shop) == "Deployed"
    desk.delete(shop)
    await desk.settle()


@scenario(counts=False)
async def waits_for_an_image_that_is_not_there(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop", image_ref=ABSENT)
    await desk.sleep(5.0)
    desk.change(shop, image_ref=WEB)
    await desk.settle()


# -- what fails is the task template; routes, scale and suspension do not wait for it ----------------------------------


def runs(desk: Desk, key: Key) -> tuple[int, str]:
    """Tasks of an environment's web that are running, and the image that is wanted of it."""
    name = desk.service(key)
    spec = desk.swarm.state()["services"][name]
    running = [t for t in desk.swarm.tasks(name) if t.state == "running" and t.desired == "running"]
    return len(running), spec["TaskTemplate"]["ContainerSpec"]["Image"]


def routed(desk: Desk, key: Key) -> set[str]:
    """Host names that an environment's web has a live rule for."""
    return set(hostnames_of(desk.swarm.state()["services"][desk.service(key)]["Labels"]))


def attempts(desk: Desk, key: Key, image: str) -> int:
    """How many tasks there were of an image, as far as the engine remembers."""
    return sum(t.spec["ContainerSpec"]["Image"] == image for t in desk.swarm.tasks(desk.service(key)))


@scenario(extra=_ONCE_MORE)
async def changes_all_but_the_template_while_that_is_held(desk: Desk) -> None:
    home, other = organization(desk, "acme"), organization(desk, "beta")
    shop = environment(desk, home, "shop", domains=[domain(desk, "www.example.com")])
    blog = environment(desk, other, "blog")
    await desk.settle()
    desk.change(shop, image_ref=BROKEN)
    await desk.settle()
    assert (desk.reason(shop), runs(desk, shop)) == ("RolledBack", (1, WEB))
    failed = attempts(desk, shop, BROKEN)
    desk.change(shop, domains=[])
    desk.change(blog, domains=[domain(desk, "www.example.com", generation=2)])
    await desk.settle()
    assert routed(desk, shop) == set(), "a domain that was taken off is still routed"
    assert routed(desk, blog) == {"www.example.com"}
    desk.change(shop, instances=3)
    await desk.settle()
    assert (desk.reason(shop), runs(desk, shop)) == ("RolledBack", (3, WEB)), "the last good one is not scaled"
    desk.change(shop, suspended=True)
    await desk.settle()
    assert runs(desk, shop) == (0, WEB), "suspended, and it runs on"
    desk.change(shop, suspended=False)
    await desk.settle()
    assert runs(desk, shop) == (3, WEB)
    assert attempts(desk, shop, BROKEN) <= failed, "what failed was tried again because something else changed"


@scenario()
async def is_suspended_while_its_row_is_wrong(desk: Desk) -> None:
    home = organization(desk, "acme")
    web, worker = process(desk, "shop", "web", port=8080), process(desk, "shop", "worker", command=["work"])
    hosts = [domain(desk, "shop.example.com"), domain(desk, "www.example.com")]
    shop = environment(desk, home, "shop", instances=2, processes=[web, worker], domains=hosts)
    await desk.settle()
    desk.change(shop, domains=[hosts[1], domain(desk, "x.example.com", process_type="nope")])
    await desk.settle()
    assert desk.reason(shop) == "InvalidSpec"
    assert (runs(desk, shop), routed(desk, shop)) == ((1, WEB), {"www.example.com"}), (
        "a domain that is gone is still routed"
    )
    desk.change(shop, suspended=True)
    await desk.settle()
    assert (desk.reason(shop), runs(desk, shop)) == ("InvalidSpec", (0, WEB)), (
        "a wrong row keeps what is suspended running"
    )
    desk.change(shop, suspended=False, processes=[web | {"instances": 2}])
    await desk.settle()
    assert runs(desk, shop) == (2, WEB)
    assert desk.service(shop, "worker") not in desk.swarm.state()["services"], "a process that is gone runs on"
    desk.change(shop, domains=[], deploy_mode="buildpack", image_ref=None)
    await desk.settle()
    assert (desk.reason(shop), runs(desk, shop), routed(desk, shop)) == ("NoImage", (2, WEB), set())
    desk.change(shop, suspended=True)
    await desk.settle()
    assert runs(desk, shop) == (0, WEB), "nothing to run keeps what is suspended running"


@scenario(counts=False)
async def is_scaled_while_its_tasks_start(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop", instances=2)
    await desk.settle()
    desk.swarm.orchestrator.forgets = 3
    desk.change(shop, instances=5)
    await desk.sleep(0.2)
    desk.change(shop, suspended=True)
    await desk.settle()
    await desk.sleep(20)
    desk.change(shop, suspended=False)
    await desk.settle()
    desk.swarm.orchestrator.forgets = 3
    await desk.hands.scale(desk.service(shop), 9)
    await desk.settle()
    desk.change(shop, suspended=True)
    await desk.settle()
    desk.swarm.orchestrator.forgets = 3
    desk.change(shop, suspended=False)
    await desk.sleep(0.2)
    desk.change(shop, suspended=True, domains=[domain(desk, "x.example.com", process_type="nope")])
    await desk.settle()
    assert (desk.reason(shop), runs(desk, shop)) == ("InvalidSpec", (0, WEB))
    desk.change(shop, suspended=False, domains=[])
    await desk.settle()


@scenario()
async def is_rolled_back_by_hand(desk: Desk) -> None:
    home = organization(desk, "acme")
    shop = environment(desk, home, "shop")
    await desk.settle()
    desk.change(shop, image_ref=WEB2)
    await desk.settle()
    await desk.hands.roll_back(desk.service(shop))
    await desk.settle()
    assert (desk.reason(shop), runs(desk, shop)) == ("Deployed", (1, WEB2))
