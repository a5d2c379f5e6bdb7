"""Suspended where there are several edges, over TLS: each has the page, and each has the app again without a gap."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from reconcilers.routes import paged
from tests.e2e.two_nodes.acme import authority
from tests.e2e.two_nodes.certificates import Certificate
from tests.e2e.two_nodes.edges import ENTRY_POINT, Edge, edges, with_certificate, with_resolver
from tests.e2e.two_nodes.nodes import identity, running
from tests.e2e.world import World, eventually

PATIENCE = 120
"""Seconds: a node that misses what another one told it of a network asks for all of it after half a minute."""
pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]


@contextmanager
def watched(every: Sequence[Edge], host: str) -> Iterator[list[list[int]]]:
    """Status of the answer to one visitor after the other, as they change; a list for each edge."""
    seen: list[list[int]] = [[] for _ in every]
    stop = threading.Event()

    def look(edge: Edge, changes: list[int]) -> None:
        while not stop.wait(0.02):
            status = edge.ask(host).status
            if not changes or changes[-1] != status:
                changes.append(status)

    threads = [threading.Thread(target=look, args=pair) for pair in zip(every, seen, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def answers(status: int, every: Sequence[Edge], host: str) -> Callable[[], bool]:
    """Whether each edge answers with it."""

    def check() -> bool:
        found = [edge.ask(host) for edge in every]
        if all(one.status == status for one in found):
            return True
        raise LookupError(found)

    return check


def test_every_edge_has_the_page_over_tls_and_the_app_again_without_a_gap(here: World, tmp_path: Path) -> None:
    first, second = here.lab.nodes
    host, late, other = (f"{name}.{here.name}.localhost" for name in ("shop", "late", "other"))
    own = Certificate.of(tmp_path, host, late, other)
    has = with_certificate(own)
    with edges(here.lab, has, own.trust, [(first, 8443), (first, 8444)]) as both:
        here.settings["SKYPANEL_EDGE_ENTRYPOINTS"] = ENTRY_POINT
        here.controller().start()
        shop = here.environment(here.app(here.organization("acme"), "shop"), instances=2)
        here.insert("paas_domains", environment_id=shop, hostname=host)
        neighbour = here.environment(here.app(here.organization("beta"), "site"))
        here.insert("paas_domains", environment_id=neighbour, hostname=other)
        for environment in (shop, neighbour):
            here.wait_ready(environment)
        service = here.service()
        assert set(running(here, service).values()) == {identity(node) for node in here.lab.nodes}
        for name in (host, other):
            eventually(answers(200, both, name), seconds=PATIENCE, what="it is served by both")

        here.sql("UPDATE paas_environments SET suspended = true WHERE id = %s", shop)
        eventually(answers(503, both, host), what="each edge has the page")
        eventually(lambda: not _containers(here, service), what="nothing of it runs on either node")
        here.insert("paas_domains", environment_id=shop, hostname=late)
        eventually(answers(503, both, late), what="a host that comes later has the page, too")
        with edges(here.lab, has, own.trust, [(second, 8443)]) as elsewhere:
            eventually(answers(503, elsewhere, late), what="and an edge that comes later, on another node")
            for edge in (*both, *elsewhere):
                for method, path in (("GET", "/"), ("POST", "/any/path"), ("HEAD", "/")):
                    said = edge.ask(host, method, path)
                    assert (said.status, said.headers["retry-after"]) == (503, "3600")
                    assert ("This site is suspended" in said.text) == (method != "HEAD")
        assert answers(200, both, other)(), "the neighbour is as it was"

        with watched(both, host) as seen:
            here.sql("UPDATE paas_environments SET suspended = false WHERE id = %s", shop)
            here.wait_ready(shop)
            eventually(lambda: not paged(here.services()[here.pin()]["Spec"]["Labels"]), what="the page is taken back")
            eventually(answers(200, both, late), what="both edges have looked again")
        assert seen == [[503, 200], [503, 200]], "there was an answer at any moment, by each edge"
        assert answers(200, both, other)()


def test_the_page_gets_certificates_as_the_app_does(here: World, tmp_path: Path) -> None:
    first, _ = here.lab.nodes
    host, late = (f"{name}.{here.name}.example.com" for name in ("shop", "late"))
    here.settings |= {"SKYPANEL_EDGE_ENTRYPOINTS": ENTRY_POINT, "SKYPANEL_EDGE_CERT_RESOLVER": "pebble"}
    with (
        authority(first, tmp_path, http_port=8081) as by,
        edges(here.lab, with_resolver("pebble", by, plain=8081), by.trust, [(first, 8443)]) as one,
    ):
        here.controller().start()
        shop = here.environment(here.app(here.organization("acme"), "shop"))
        here.insert("paas_domains", environment_id=shop, hostname=host)
        here.wait_ready(shop)
        eventually(answers(200, one, host), seconds=PATIENCE, what="it has a certificate")
        here.sql("UPDATE paas_environments SET suspended = true WHERE id = %s", shop)
        here.insert("paas_domains", environment_id=shop, hostname=late)
        for name in (host, late):
            eventually(answers(503, one, name), what="the page is there, with a certificate")
        here.sql("UPDATE paas_environments SET suspended = false WHERE id = %s", shop)
        here.wait_ready(shop)
        for name in (host, late):
            eventually(answers(200, one, name), seconds=PATIENCE, what="it is back")


def _containers(here: World, service: str) -> list[str]:
    """Ids of the service's containers that run, on whichever node."""
    wanted = {"label": [f"com.docker.swarm.service.name={service}"], "status": ["running"]}
    return [str(found["Id"]) for node in here.lab.nodes for found in node.api().get("/containers/json", filters=wanted)]
