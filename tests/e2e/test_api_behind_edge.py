"""The HTTP API behind the edge by its host name, which no tenant gets, and that knows whose request it is."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from controller.actions.tokens import Asked, create
from deploy.traefik.edge import HTTP_API_SERVICE, lead_to_api
from tests.e2e.world import Controller, World, eventually
from tests.labs import free_port

SPOOFED = "198.51.100.1"


@pytest.fixture
def behind(here: World, tmp_path: Path) -> Iterator[tuple[str, Controller]]:
    """The API's host, and the controller that runs the API."""
    host, folder = f"api.{here.name}.localhost", tmp_path / "a"
    folder.mkdir(mode=0o755)
    here.settings |= {
        "SKYPANEL_API_DATABASE_URL": here.server.dsn_for("api", here.database),
        "SKYPANEL_API_LISTEN": f"127.0.0.1:{free_port()}",
        "SKYPANEL_API_SOCKET": str(folder / "api.sock"),
        "SKYPANEL_API_HOST": host,
    }
    controller = here.controller().start()
    lead_to_api(here.engine, host, folder)
    try:
        yield host, controller
    finally:
        here.engine.delete(f"/services/{HTTP_API_SERVICE}")


def ask(here: World, host: str, path: str, **headers: str) -> tuple[int, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", here.http_port, timeout=20)) as connection:
        connection.request("GET", path, headers={"Host": host, **headers})
        with connection.getresponse() as answer:
            body = answer.read()
            return answer.status, json.loads(body) if answer.headers.get_content_type().endswith("json") else body


def test_the_api_answers_at_its_host_and_no_tenant_takes_that(here: World, behind: tuple[str, Controller]) -> None:
    host, controller = behind
    eventually(lambda: ask(here, host, "/readyz")[0] == 200, what="the edge leads to the API")
    organization = here.organization("acme")
    with here.server.connect("panel", here.database) as conn:
        token = create(conn, Asked(name="edge", organization=here.slug("acme"), role="viewer")).token
    assert ask(here, host, "/api/whoami")[0] == 401
    status, said = ask(here, host, "/api/whoami", Authorization=f"Bearer {token}", **{"X-Forwarded-For": SPOOFED})
    assert (status, said["organization"]["name"]) == (200, here.slug("acme"))
    ((used,),) = [tuple(row.values()) for row in here.root("SELECT address FROM skypanel.api_token_uses")]
    assert used
    assert used != SPOOFED

    app = here.app(organization, "shop")
    environment = here.environment(app)
    here.wait_ready(environment)
    here.insert("paas_domains", environment_id=environment, hostname=host)
    eventually(
        lambda: "SKYPANEL_API_HOST" in (here.status("environment", environment) or {}).get("message", ""),
        what="the domain is refused",
    )
    assert ask(here, host, "/readyz")[0] == 200
    assert not any(host in json.dumps(service["Spec"]["Labels"]) for service in here.services().values())
    assert controller.is_ready()


def test_a_stream_comes_through_the_edge_and_ends_with_a_word(here: World, behind: tuple[str, Controller]) -> None:
    host, controller = behind
    eventually(lambda: ask(here, host, "/readyz")[0] == 200, what="the edge leads to the API")
    here.organization("acme")
    with here.server.connect("panel", here.database) as conn:
        token = create(conn, Asked(name="edge", organization=here.slug("acme"), role="viewer")).token
    with closing(socket.create_connection(("127.0.0.1", here.http_port), timeout=30)) as stream:
        stream.sendall(f"GET /api/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        read = b""
        while b"event: controller" not in read:
            read += stream.recv(4096)
        assert controller.terminate() == 0
        while b"event: end" not in read:
            more = stream.recv(4096)
            assert more, read
            read += more
    controller.start()
    eventually(lambda: ask(here, host, "/readyz")[0] == 200, what="the API of the next one, at a new socket")
