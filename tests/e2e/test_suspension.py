"""Suspended: nothing of the tenant's runs, a page says so, everything is kept, and it comes back as it was."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from reconcilers.routes import paged
from tests.e2e.world import World, eventually


def page(world: World, host: str, method: str = "GET", path: str = "/") -> tuple[int, dict[str, str], str]:
    """Status, headers and body of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", world.http_port, timeout=5)
    try:
        connection.request(method, path, body=b"x" * 200 if method == "POST" else None, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
    finally:
        connection.close()


def running(world: World) -> list[str]:
    """Services that have a running container, but the pins."""
    label = [f"io.skypanel.installation={world.name}"]
    found = world.engine.get("/containers/json", filters={"label": label, "status": ["running"]})
    return sorted(container["Labels"]["com.docker.swarm.service.name"] for container in found)


def kept(world: World) -> dict[str, Any]:
    """What is declared, and how it is written to the engine."""
    documents = world.root("SELECT id, doc - 'suspended' AS doc FROM skypanel.snapshot_environment ORDER BY id")
    services = {
        name: {part: service["Spec"][part] for part in ("Labels", "TaskTemplate", "Mode")}
        for name, service in world.services().items()
    }
    return {"documents": documents, "services": services, "networks": set(world.networks())}


@contextmanager
def watched(world: World, host: str) -> Iterator[list[int | str]]:
    """Status of the answer to one request after the other, or the error, as they change."""
    seen: list[int | str] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            status: int | str
            try:
                status = page(world, host)[0]
            except (OSError, http.client.HTTPException) as error:
                status = repr(error)
            if not seen or seen[-1] != status:
                seen.append(status)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


STATEMENTS = {
    "environment": "UPDATE paas_environments SET suspended = %s WHERE name = 'production'",
    "app": "UPDATE paas_apps SET suspended = %s WHERE slug = 'shop'",
    "organization": "UPDATE paas_organizations SET suspended = %s WHERE organization_id = "
    "(SELECT id FROM organizations WHERE slug LIKE '%%-acme')",
}


@pytest.mark.parametrize("whole", STATEMENTS)
def test_what_is_suspended_answers_with_a_page_and_comes_back_as_it_was(here: World, whole: str) -> None:
    controller = here.controller().start()
    acme, hosts = here.organization("acme"), [f"{n}.{whole}.localhost" for n in ("one", "two")]
    other, after = f"other.{whole}.localhost", f"after.{whole}.localhost"
    shop = here.environment(here.app(acme, "shop"), instances=2)
    for host in hosts:
        here.insert("paas_domains", environment_id=shop, hostname=host)
    neighbour = here.environment(here.app(here.organization("beta"), "site"), "site")
    here.insert("paas_domains", environment_id=neighbour, hostname=other)
    for environment in (shop, neighbour):
        here.wait_ready(environment)
    eventually(lambda: [here.curl(host)[0] for host in (*hosts, other)] == [200] * 3, what="all are routed")
    before = kept(here)

    here.sql(STATEMENTS[whole], True)
    eventually(lambda: [here.curl(host)[0] for host in hosts] == [503] * 2, what="each host has the page")
    eventually(lambda: here.service() not in running(here), what="no task runs")
    for method, path in (("GET", "/"), ("POST", "/any/path"), ("HEAD", "/")):
        status, headers, text = page(here, hosts[0], method, path)
        assert (status, headers["retry-after"], headers["cache-control"]) == (503, "3600", "no-store")
        assert ("This site is suspended" in text) == (method != "HEAD")
    late = f"late.{whole}.localhost"
    domain = here.insert("paas_domains", environment_id=shop, hostname=late)
    eventually(lambda: here.curl(late)[0] == 503, what="a host that comes later has the page, too")
    here.sql("DELETE FROM paas_domains WHERE id = %s", domain)
    eventually(lambda: here.curl(late)[0] == 404, what="and one that goes has none")
    controller.kill()
    assert [here.curl(host)[0] for host in (*hosts, other)] == [503, 503, 200], "nothing of it needs the controller"

    here.controller().start()
    with watched(here, hosts[0]) as seen:
        here.sql(STATEMENTS[whole], False)
        here.wait_ready(shop)
        eventually(lambda: not paged(here.services()[here.pin()]["Spec"]["Labels"]), what="the page is taken back")
        domain = here.insert("paas_domains", environment_id=neighbour, hostname=after)
        eventually(lambda: here.curl(after)[0] == 200, what="the edge has looked again since")
        eventually(lambda: seen[-1] == 200, what="it serves again")
    assert seen == [503, 200], "there was an answer at any moment"
    here.sql("DELETE FROM paas_domains WHERE id = %s", domain)
    eventually(lambda: here.curl(after)[0] == 404, what="the neighbour is as it was")
    here.wait_ready(neighbour)
    assert kept(here) == before
    assert here.curl(other)[0] == 200


def test_what_has_no_instances_is_not_suspended_and_has_no_page(here: World) -> None:
    here.controller().start()
    shop = here.environment(here.app(here.organization("acme"), "shop"), instances=0)
    here.insert("paas_domains", environment_id=shop, hostname="none.localhost")
    here.wait_ready(shop)
    assert here.curl("none.localhost")[0] == 404
    assert not paged(here.services()[here.pin()]["Spec"]["Labels"])
