"""What the edge says of its routers: asked once for all, told once, and never more than can be borne."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
import pytest

from controller.kit import clock
from controller.swarm.object_cache import OwnerKey
from controller.swarm.routers import EdgeRouters, EdgeSilent, traefik

pytestmark = pytest.mark.anyio

SHOP, BLOG = ("environment", "shop"), ("environment", "blog")
PASSWORD = "not-to-be-seen-4711"


class Edge:
    """An edge with a clock of its own, and who was told of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.has: dict[str, str] | None = {}
        self.asked = 0
        self.now = 1000.0
        self.told: list[set[OwnerKey]] = []
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)
        self.routers = EdgeRouters(self.read, lambda owners: self.told.append(set(owners)))

    async def read(self) -> Mapping[str, str]:
        self.asked += 1
        if self.has is None:
            raise EdgeSilent("it does not answer")
        return dict(self.has)

    async def after(self, seconds: float) -> list[set[OwnerKey]]:
        """Who is told by a look after some time."""
        self.told.clear()
        self.now += seconds
        await self.routers.look()
        return self.told


@pytest.fixture
def edge(monkeypatch: pytest.MonkeyPatch) -> Edge:
    return Edge(monkeypatch)


async def test_one_answer_is_for_all_who_ask_within_a_second(edge: Edge) -> None:
    edge.has = {"a@swarm": "", "b@swarm": "it is broken"}
    for number in range(100):
        found = await edge.routers.routers(("environment", str(number)), ["a@swarm"])
        assert (found.asked, found.problem, found.faults) == (True, "", edge.has)
    assert edge.asked == 1
    edge.now += 1.1
    await edge.routers.routers(SHOP, ["a@swarm"])
    assert edge.asked == 2


async def test_who_asked_is_told_when_one_of_its_routers_changes_and_nobody_else(edge: Edge) -> None:
    edge.has = {"b@swarm": ""}
    await edge.routers.routers(SHOP, ["a@swarm"])
    await edge.routers.routers(BLOG, ["b@swarm"])
    assert await edge.after(1) == []
    edge.has = {"a@swarm": "", "b@swarm": ""}
    assert await edge.after(1) == [{SHOP}]
    await edge.routers.routers(SHOP, ["a@swarm"])
    edge.has = {"a@swarm": "EntryPoint doesn't exist", "b@swarm": ""}
    assert await edge.after(1) == [{SHOP}]
    assert await edge.after(1) == [], "it did not ask again"


async def test_it_looks_often_only_while_somebody_waits(edge: Edge) -> None:
    assert not edge.routers.watched
    await edge.routers.routers(SHOP, ["a@swarm"])
    waiting = edge.routers.period
    edge.has = {"a@swarm": ""}
    await edge.after(1)
    await edge.routers.routers(SHOP, ["a@swarm"])
    assert waiting < edge.routers.period
    await edge.routers.routers(SHOP, [])
    asked = edge.asked
    await edge.after(60)
    assert edge.asked == asked, "nobody has a domain any more"


async def test_a_restarting_edge_is_no_news_and_a_silent_one_is(edge: Edge) -> None:
    edge.has = {"a@swarm": ""}
    await edge.routers.routers(SHOP, ["a@swarm"])
    edge.has = None
    assert await edge.after(5) == []
    assert (await edge.routers.routers(SHOP, ["a@swarm"])).faults == {"a@swarm": ""}
    assert await edge.after(15) == [{SHOP}]
    assert (await edge.routers.routers(SHOP, ["a@swarm"])).problem == "it does not answer"
    edge.has = {"a@swarm": ""}
    assert await edge.after(5) == [{SHOP}]
    assert (await edge.routers.routers(SHOP, ["a@swarm"])).problem == ""


async def test_what_was_found_is_part_of_what_an_environment_depends_on(edge: Edge) -> None:
    edge.has = {"a@swarm": ""}
    await edge.routers.routers(SHOP, ["a@swarm"])
    before = edge.routers.fingerprint(SHOP)
    edge.has = {"a@swarm": "broken"}
    await edge.after(1)
    assert edge.routers.fingerprint(SHOP) != before


async def test_without_an_api_nobody_is_asked() -> None:
    found = await EdgeRouters(None, lambda _: None).routers(SHOP, ["a@swarm"])
    assert (found.asked, found.faults) == (False, {})


# -- Traefik's API ---------------------------------------------------------------------------------------------------

Answer = Callable[[str], tuple[int, bytes, Mapping[str, str]]]


@contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The address, with user and password, of something that answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = "Basic " + base64.b64encode(f"skypanel:{PASSWORD}".encode()).decode()
            allowed = self.headers.get("Authorization") == wanted
            status, body, headers = answer(self.path) if allowed else (401, b"", {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://skypanel:{PASSWORD}@127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def page(*routers: Mapping[str, object], following: int = 1) -> tuple[int, bytes, Mapping[str, str]]:
    return 200, orjson.dumps(routers), {"X-Next-Page": str(following)}


async def test_routers_of_all_pages_are_read_with_what_is_wrong_with_them() -> None:
    def answer(path: str) -> tuple[int, bytes, Mapping[str, str]]:
        if "page=1" in path:
            return page({"name": "a@swarm", "status": "enabled"}, following=2)
        bad = {"name": "b@swarm", "status": "disabled", "error": ['EntryPoint "websecur" doesn\'t exist']}
        return page(bad, {"name": "c@swarm", "status": "warning"})

    with serving(answer) as url:
        found = await traefik(url)()
    assert found == {
        "a@swarm": "",
        "b@swarm": 'EntryPoint "websecur" doesn\'t exist',
        "c@swarm": "its status is warning",
    }


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, b"404 page not found", {}), "404"),
        ((200, b"<html>", {}), "not Traefik's"),
        ((200, b'{"a":1}', {}), "not Traefik's"),
        ((200, b"[1]", {}), "not Traefik's"),
    ],
)
async def test_what_is_no_answer_is_said_without_the_password(
    answer: tuple[int, bytes, Mapping[str, str]], said: str
) -> None:
    with serving(lambda _: answer) as url, pytest.raises(EdgeSilent, match=said) as raised:
        await traefik(url)()
    assert PASSWORD not in str(raised.value)


async def test_a_wrong_password_and_an_edge_that_is_away_are_told_apart() -> None:
    with serving(lambda _: page()) as url:
        with pytest.raises(EdgeSilent, match="user or password"):
            await traefik(url.replace(PASSWORD, "another"))()
        gone = url
    with pytest.raises(EdgeSilent, match="does not answer") as raised:
        await traefik(gone)()
    assert PASSWORD not in str(raised.value)
