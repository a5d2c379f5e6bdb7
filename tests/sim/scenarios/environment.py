"""Environments: one service a process, with routes, rollouts and rollbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.records import Key
from reconcilers.routes import hostnames_of
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.organization import organization
from tests.sim.swarm.swarm import StaleReads
from tests.sim.world import MARKER

# Whoever never heard that a bad spec was taken, and finds the one before it, cannot know that it failed: it is tried
# once more.
_ONCE_MORE = ("update",)
WEB, WEB2, BROKEN, ABSENT = (f"127.0.0.1:5000/{image}" for image in ("web:1", "web:2", "web:crash", "web:missing"))


def environment(sim: Simulation, home: Key, app: str, *, row: str = "", name: str = "production", **fields: Any) -> Key:
    """An environment as the panel declares it, with the document that the view gives; ``row`` tells rows apart."""
    slug = sim.document(home)["slug"]
    full = f"{slug}-{app}-{name}"
    document = {
        "id": sim.identify("environment", row or full),
        "name": name,
        "swarm_name": full,
        "organization": {"id": home.id, "slug": slug},
        "app": {"id": sim.identify("app", app), "slug": app},
        "image_ref": WEB,
        "port": 8080,
        "instances": 1,
        "memory_mb": 32,
        "cpu_limit": 0.1,
        "suspended": False,
        "processes": [],
        "domains": [],
        "pinned": None,
        **fields,
    }
    return sim.put("environment", row or full, document, organization=home.id, depends_on=[home])


def process(sim: Simulation, environment: str, kind: str, **fields: Any) -> dict[str, Any]:
    """A process of an environment's document."""
    return {
        "id": sim.identify("process", f"{environment}-{kind}"),
        "type": kind,
        "instances": 1,
        "generation": 1,
    } | fields


def domain(sim: Simulation, hostname: str, **fields: Any) -> dict[str, Any]:
    """A domain of an environment's document."""
    found = {"id": sim.identify("domain", hostname), "hostname": hostname, "process_type": "web", "generation": 1}
    return found | fields


@scenario()
async def comes_scales_and_goes(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, instances=3)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    sim.delete(shop)
    await sim.settle()


@scenario()
async def has_processes_and_domains(sim: Simulation) -> None:
    home = organization(sim, "acme")
    web, worker = process(sim, "shop", "web", port=8080), process(sim, "shop", "worker", command=["work"])
    shop = environment(sim, home, "shop", processes=[web, worker], domains=[domain(sim, "shop.example.com")])
    await sim.settle()
    sim.change(shop, domains=[domain(sim, "www.example.com", generation=2)])
    await sim.settle()
    sim.change(shop, processes=[web])
    await sim.settle()


@scenario()
async def goes_with_its_processes_and_domains(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(
        sim, home, "shop", processes=[process(sim, "shop", "web")], domains=[domain(sim, "shop.example.com")]
    )
    await sim.settle()
    sim.delete(shop)
    await sim.settle()


@scenario()
async def is_renamed(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", instances=2, domains=[domain(sim, "shop.example.com")])
    await sim.settle()
    sim.change(shop, swarm_name="acme-store-production", app={"id": sim.identify("app", "shop"), "slug": "store"})
    await sim.settle()


@scenario()
async def is_suspended_and_comes_back(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", instances=2)
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    sim.change(shop, suspended=False)
    await sim.settle()


@scenario()
async def keeps_the_last_good_while_the_row_is_wrong(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    before = sim.swarm.state()
    sim.change(shop, image_ref="not an image")
    await sim.settle()
    assert sim.reason(shop) == "InvalidSpec"
    assert sim.swarm.state() == before, "a row that is wrong changed what runs"
    await sim.hands.remove_service(sim.service(shop))
    await sim.settle()
    assert sim.swarm.state() == before, "the last good service did not come back"
    sim.change(shop, image_ref=WEB)
    await sim.settle()
    assert sim.swarm.state() == before, "back, and not as it was before"


@scenario(extra=_ONCE_MORE)
async def goes_back_when_the_new_image_does_not_start(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, image_ref=BROKEN)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario()
async def is_repaired(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", domains=[domain(sim, "shop.example.com")])
    await sim.settle()
    name = sim.service(shop)
    await sim.hands.remove_service(name)
    await sim.settle()
    await sim.hands.scale(name, 5)
    await sim.settle()
    container = ("TaskTemplate", "ContainerSpec")
    await sim.hands.change_service(name, lambda s: s[container[0]][container[1]]["Env"].append(f"TOKEN={MARKER}"))
    await sim.settle()
    await sim.hands.change_service(name, lambda s: s["Labels"].pop("io.skypanel.owner"))
    await sim.settle()
    await sim.hands.change_service(name, lambda s: s.update(Labels={}))
    await sim.settle()


@scenario()
async def is_recreated_with_the_same_name(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.delete(shop)
    environment(sim, home, "shop", row="shop again", image_ref=WEB2)
    await sim.settle()


@scenario()
async def goes_with_its_organization(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    other = environment(sim, home, "blog", instances=0)
    await sim.settle()
    sim.delete(home, shop, other)
    await sim.settle()


@scenario(counts=False)
async def is_changed_while_it_rolls_out(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", instances=2)
    await sim.sleep(0.6)
    sim.change(shop, image_ref=WEB2)
    await sim.sleep(0.3)
    sim.change(shop, instances=1)
    await sim.sleep(1.0)
    sim.change(shop, image_ref=WEB)
    await sim.settle()


@scenario(counts=False)
async def comes_and_goes_in_one_breath(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.sleep(0.4)
    sim.delete(shop)
    await sim.sleep(0.1)
    environment(sim, home, "blog")
    await sim.settle()


@scenario()
async def loses_its_node(sim: Simulation) -> None:
    home = organization(sim, "acme")
    environment(sim, home, "shop", instances=2)
    await sim.settle()
    sim.swarm.node_down(sim.swarm.node_ids()[1])
    await sim.settle()
    sim.swarm.node_up(sim.swarm.node_ids()[1])
    await sim.settle()


@scenario()
async def does_not_mind_the_clock(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.sleep(0.3)
    sim.jump(3600.0)
    await sim.settle()
    sim.change(shop, instances=2)
    await sim.sleep(0.1)
    sim.jump(-7200.0)
    await sim.settle()


@scenario(
    counts=False
)  # whether an old list hides what was just made, so that it is written once more, is a matter of time
async def is_shown_late_by_the_engine(sim: Simulation) -> None:
    sim.swarm.stale_reads = StaleReads(reads=2)
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, image_ref=BROKEN)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"
    sim.delete(shop)
    await sim.settle()


@scenario(counts=False)
async def waits_for_an_image_that_is_not_there(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=ABSENT)
    await sim.sleep(5.0)
    sim.change(shop, image_ref=WEB)
    await sim.settle()


# -- what fails is the task template; routes, scale and suspension do not wait for it ----------------------------------


def as_declared(template: Mapping[str, Any]) -> str:
    """The image of a task template, without the digest that was found for it."""
    return str(template["ContainerSpec"]["Image"]).partition("@")[0]


def runs(sim: Simulation, key: Key) -> tuple[int, str]:
    """Tasks of an environment's web that are running, and the image that is wanted of it."""
    name = sim.service(key)
    spec = sim.swarm.state()["services"][name]
    running = [t for t in sim.swarm.tasks(name) if t.state == "running" and t.desired == "running"]
    return len(running), as_declared(spec["TaskTemplate"])


def routed(sim: Simulation, key: Key) -> set[str]:
    """Host names that an environment's web has a live rule for."""
    return set(hostnames_of(sim.swarm.state()["services"][sim.service(key)]["Labels"]))


def attempts(sim: Simulation, key: Key, image: str) -> int:
    """How many tasks there were of an image, as far as the engine remembers."""
    return sum(as_declared(t.spec) == image for t in sim.swarm.tasks(sim.service(key)))


@scenario(extra=_ONCE_MORE)
async def changes_all_but_the_template_while_that_is_held(sim: Simulation) -> None:
    home, other = organization(sim, "acme"), organization(sim, "beta")
    shop = environment(sim, home, "shop", domains=[domain(sim, "www.example.com")])
    blog = environment(sim, other, "blog")
    await sim.settle()
    sim.change(shop, image_ref=BROKEN)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("RolledBack", (1, WEB))
    failed = attempts(sim, shop, BROKEN)
    sim.change(shop, domains=[])
    sim.change(blog, domains=[domain(sim, "www.example.com", generation=2)])
    await sim.settle()
    assert routed(sim, shop) == set(), "a domain that was taken off is still routed"
    assert routed(sim, blog) == {"www.example.com"}
    sim.change(shop, instances=3)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("RolledBack", (3, WEB)), "the last good one is not scaled"
    sim.change(shop, suspended=True)
    await sim.settle()
    assert runs(sim, shop) == (0, WEB), "suspended, and it runs on"
    sim.change(shop, suspended=False)
    await sim.settle()
    assert runs(sim, shop) == (3, WEB)
    assert attempts(sim, shop, BROKEN) <= failed, "what failed was tried again because something else changed"


@scenario()
async def is_suspended_while_its_row_is_wrong(sim: Simulation) -> None:
    home = organization(sim, "acme")
    web, worker = process(sim, "shop", "web", port=8080), process(sim, "shop", "worker", command=["work"])
    hosts = [domain(sim, "shop.example.com"), domain(sim, "www.example.com")]
    shop = environment(sim, home, "shop", instances=2, processes=[web, worker], domains=hosts)
    await sim.settle()
    sim.change(shop, domains=[hosts[1], domain(sim, "x.example.com", process_type="nope")])
    await sim.settle()
    assert sim.reason(shop) == "InvalidSpec"
    assert (runs(sim, shop), routed(sim, shop)) == ((1, WEB), {"www.example.com"}), (
        "a domain that is gone is still routed"
    )
    sim.change(shop, suspended=True)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("InvalidSpec", (0, WEB)), (
        "a wrong row keeps what is suspended running"
    )
    sim.change(shop, suspended=False, processes=[web | {"instances": 2}])
    await sim.settle()
    assert runs(sim, shop) == (2, WEB)
    assert sim.service(shop, "worker") not in sim.swarm.state()["services"], "a process that is gone runs on"
    sim.change(shop, domains=[], deploy_mode="buildpack", image_ref=None)
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop), routed(sim, shop)) == ("NoImage", (2, WEB), set())
    sim.change(shop, suspended=True)
    await sim.settle()
    assert runs(sim, shop) == (0, WEB), "nothing to run keeps what is suspended running"


@scenario(counts=False)
async def is_scaled_while_its_tasks_start(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", instances=2)
    await sim.settle()
    sim.swarm.orchestrator.forgets = 3
    sim.change(shop, instances=5)
    await sim.sleep(0.2)
    sim.change(shop, suspended=True)
    await sim.settle()
    await sim.sleep(20)
    sim.change(shop, suspended=False)
    await sim.settle()
    sim.swarm.orchestrator.forgets = 3
    await sim.hands.scale(sim.service(shop), 9)
    await sim.settle()
    sim.change(shop, suspended=True)
    await sim.settle()
    sim.swarm.orchestrator.forgets = 3
    sim.change(shop, suspended=False)
    await sim.sleep(0.2)
    sim.change(shop, suspended=True, domains=[domain(sim, "x.example.com", process_type="nope")])
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("InvalidSpec", (0, WEB))
    sim.change(shop, suspended=False, domains=[])
    await sim.settle()


@scenario()
async def is_rolled_back_by_hand(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    await sim.hands.roll_back(sim.service(shop))
    await sim.settle()
    assert (sim.reason(shop), runs(sim, shop)) == ("Deployed", (1, WEB2))
