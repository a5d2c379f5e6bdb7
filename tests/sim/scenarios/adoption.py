"""Services of somebody else's that were given labels: they serve on until the environment is resumed, and hand over."""

from __future__ import annotations

from controller.records import Key
from reconcilers import labels
from reconcilers.routes import traefik_labels
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import domain, environment
from tests.sim.scenarios.organization import organization
from tests.sim.settings import INSTALLATION

HOST = "blog.example.com"
LEGACY = "blog_web"


@scenario(counts=False)  # whether the labels are seen before the environment is resumed, is a matter of time
async def is_held_and_then_hands_over(sim: Simulation) -> None:
    home = organization(sim, "acme")
    await sim.settle()
    routes = traefik_labels(
        LEGACY, network="blog_default", port=8080, hostnames=[HOST], entrypoints=["web"], cert_resolver=None
    )
    await sim.hands.create_service(LEGACY, routes)
    before = await sim.hands.call("GET", f"/services/{LEGACY}")
    blog = Key("environment", sim.identify("environment", "acme-blog-production"))
    sim.database.pause("object", blog, reason="adopted")
    environment(sim, home, "blog", domains=[domain(sim, HOST)])
    await sim.settle()
    owned = labels.owned(INSTALLATION, blog.kind, blog.id, home.id)
    await sim.hands.change_service(LEGACY, lambda spec: spec["Labels"].update({**owned, labels.PROCESS: "web"}))
    await sim.settle()
    after = await sim.hands.call("GET", f"/services/{LEGACY}")
    assert after["Spec"]["TaskTemplate"] == before["Spec"]["TaskTemplate"]
    sim.database.resume("object", blog)
    await sim.settle()
    assert LEGACY not in sim.swarm.state()["services"]


@scenario(counts=False)
async def is_taken_back_and_runs_on(sim: Simulation) -> None:
    home = organization(sim, "acme")
    await sim.settle()
    await sim.hands.create_service(LEGACY, {})
    blog = Key("environment", sim.identify("environment", "acme-blog-production"))
    sim.database.pause("object", blog, reason="adopted")
    environment(sim, home, "blog", healthcheck={"disabled": True})
    await sim.settle()
    owned = labels.owned(INSTALLATION, blog.kind, blog.id, home.id)
    await sim.hands.change_service(LEGACY, lambda spec: spec["Labels"].update({**owned, labels.PROCESS: "web"}))
    await sim.settle()
    await sim.hands.change_service(LEGACY, lambda spec: spec["Labels"].clear())
    sim.database.resume("object", blog)
    sim.delete(blog)
    await sim.settle()
    assert LEGACY in sim.swarm.state()["services"], "what was let go runs on"
