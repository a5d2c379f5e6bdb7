"""What serves goes on: networks stay, no rollout loses a kept-alive request, and a domain says what the edge has."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.world import WEB, World, eventually

HEALTH = '{"command": ["/bin/web", "health"], "interval_seconds": 1, "timeout_seconds": 2, "retries": 5}'
ENOUGH = 20
"""Requests that show that something answers, and that others came after a change."""


def shop(world: World, **columns: Any) -> tuple[str, str, str]:
    """An environment with a domain: its id, the domain's, the host."""
    app = world.app(world.organization("acme"), "shop")
    environment = world.environment(app, **columns)
    host = f"shop.{world.name}.localhost"
    return environment, world.insert("paas_domains", environment_id=environment, hostname=host), host


def says(world: World, object_id: str, kind: str = "domain") -> str:
    """Reason of the object's Ready condition."""
    return str((world.status(kind, object_id) or {}).get("reason"))


@contextmanager
def requests(
    world: World, host: str, *, clients: int = 4, method: str = "GET", path: str = "/", pause: float = 0.02
) -> Iterator[Counter[str]]:
    """Clients that keep their connections; counts by what came of each request, filled while the block runs."""
    outcomes: Counter[str] = Counter()
    stop = threading.Event()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", world.http_port, timeout=10)
        while not stop.wait(pause):
            try:
                connection.request(method, path, body=b"x" * 200 if method == "POST" else None, headers={"Host": host})
                answer = connection.getresponse()
                said = answer.read().decode()
                outcomes[
                    f"image {said.partition('image ')[2][:1]}" if answer.status == 200 else str(answer.status)
                ] += 1
            except (OSError, http.client.HTTPException) as error:
                outcomes[type(error).__name__] += 1
                connection.close()
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield outcomes
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def test_a_lost_address_plan_costs_no_request_and_touches_no_network(here: World) -> None:
    here.controller().start()
    environment, _, host = shop(here)
    here.wait_ready(environment)
    eventually(lambda: here.curl(host)[0] == 200, what="it is routed")
    networks = {name: n["Id"] for name, n in here.networks().items()}
    (plan,) = here.root("SELECT organization_id, subnet FROM skypanel.subnets")
    with requests(here, host) as outcomes:
        here.root("DELETE FROM skypanel.subnets")
        here.root(
            "INSERT INTO skypanel.subnets (subnet, organization_id, state) VALUES ('10.79.9.0/24', %s, 'allocated')",
            plan["organization_id"],
        )
        here.skypanel("reconcile", "organization", here.slug("acme"))
        eventually(
            lambda: plan in here.root("SELECT organization_id, subnet FROM skypanel.subnets"),
            what="the plan says again what is live",
        )
        already = outcomes["image 1"]
        eventually(lambda: outcomes["image 1"] > already + ENOUGH, what="requests came after it")
    assert set(outcomes) == {"image 1"}
    assert {name: n["Id"] for name, n in here.networks().items()} == networks
    assert says(here, str(plan["organization_id"]), "organization") == "NetworkReady"


def test_kept_alive_posts_are_lost_by_no_rollout(here: World) -> None:
    here.controller().start()
    environment, _, host = shop(here, cmd=["keepalive"], instances=2, healthcheck=HEALTH)
    here.wait_ready(environment, seconds=60)
    eventually(lambda: here.curl(host)[0] == 200, what="it is routed")
    with requests(here, host, clients=8, method="POST") as outcomes:
        eventually(lambda: outcomes["image 1"] > ENOUGH, what="the old version answers")
        here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", environment)
        here.wait_ready(environment, seconds=120)
        eventually(lambda: outcomes["image 2"] > ENOUGH, what="the new version answers")
    assert set(outcomes) == {"image 1", "image 2"}, outcomes


def test_a_domain_says_whether_the_edge_took_its_route(here: World, edge_api: str) -> None:
    here.controller(SKYPANEL_EDGE_API_URL=edge_api).start()
    environment, domain, host = shop(here)
    here.wait_ready(environment)
    eventually(lambda: says(here, domain) == "Routed", what="the edge has it")
    eventually(lambda: here.curl(host)[0] == 200, seconds=30, what="what was said to be routed answers")
    here.sql("UPDATE paas_environments SET suspended = true WHERE id = %s", environment)
    eventually(lambda: says(here, domain) == "Suspended", what="nobody would answer")
    here.sql("UPDATE paas_environments SET suspended = false WHERE id = %s", environment)
    eventually(lambda: says(here, domain) == "Routed", what="the edge has it again")
    here.controllers[0].terminate()
    here.controller(SKYPANEL_EDGE_API_URL=edge_api, SKYPANEL_EDGE_ENTRYPOINTS="websecur").start()
    eventually(lambda: says(here, domain) == "EntryPointUnknown", what="the entry point is none")
    assert "of-the-edge" not in "".join(c.text() for c in here.controllers)


def test_without_a_task_of_the_edge_no_domain_is_routed_and_what_runs_is_ready(here: World) -> None:
    here.controller().start()
    environment, domain, _ = shop(here)
    here.wait_ready(environment)
    eventually(lambda: says(here, domain) == "RouteGiven", what="the edge is on the network")
    organization = here.sql("SELECT id FROM organizations")[0]["id"]
    try:
        here.change_by_hand("skypanel-edge", lambda spec: spec["Mode"]["Replicated"].update(Replicas=0))
        eventually(lambda: says(here, domain) == "NoEdge", what="the domain says that nobody routes it")
        eventually(lambda: says(here, organization, "organization") == "NoEdge", what="the organization says it too")
        assert says(here, environment, "environment") == "Deployed"
    finally:
        here.change_by_hand("skypanel-edge", lambda spec: spec["Mode"]["Replicated"].update(Replicas=1))
    eventually(lambda: says(here, domain) == "RouteGiven", seconds=60, what="the edge is back")


def test_a_program_that_ends_at_once_loses_no_long_request_where_its_task_drains(here: World) -> None:
    here.controller().start()
    quick = '{"tcp": true, "interval_seconds": 0.5, "retries": 5}'
    environment, _, host = shop(here, instances=2, healthcheck=quick, drain_seconds=6)
    here.wait_ready(environment)
    eventually(lambda: here.curl(host)[0] == 200, what="the edge routes it")
    with requests(here, host, clients=8, path="/slow/3") as outcomes:
        for grace in (1, 2):
            here.sql("UPDATE paas_environments SET stop_grace_seconds = %s WHERE id = %s", grace, environment)
            here.wait_ready(environment, seconds=120)
    assert outcomes.keys() == {"image 1"}, outcomes
    assert outcomes["image 1"] > ENOUGH
    task = here.engine.get(f"/services/{here.service()}")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert task["StopGracePeriod"] == 8_000_000_000
