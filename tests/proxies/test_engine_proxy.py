"""What the engine's proxy does to a call, as a client and as the engine see it."""

from __future__ import annotations

import http.client
import json
import socket
import socketserver
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from tests.proxies.engine import EngineProxy, Rule


class Engine(socketserver.ThreadingUnixStreamServer):
    """Keeps what was made, and lists it."""

    daemon_threads = True

    def __init__(self, path: Path) -> None:
        self.made: list[str] = []
        super().__init__(str(path), Handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Engine

    def do_GET(self) -> None:
        self.say([{"ID": name, "Spec": {"Name": name}} for name in self.server.made])

    def do_POST(self) -> None:
        name = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["Name"]
        self.server.made.append(name)
        self.say({"ID": name}, status=201)

    def say(self, document: Any, *, status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


class Connection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("engine", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))

    def ask(self, method: str, path: str, document: Any = None) -> tuple[int, Any]:
        self.request(method, f"/v1.45{path}", body=json.dumps(document) if document else None)
        answer = self.getresponse()
        return answer.status, json.loads(answer.read())

    def create(self, name: str) -> int:
        return self.ask("POST", "/services/create", {"Name": name})[0]


@pytest.fixture
def engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory(prefix="sky-") as folder, Engine(Path(folder) / "engine.sock") as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def proxy(engine: Engine) -> Iterator[EngineProxy]:
    target = Path(str(engine.server_address))
    made = EngineProxy(target.with_name("proxy.sock"), target, writer="a").start()
    yield made
    made.stop()


@pytest.fixture
def client(proxy: EngineProxy) -> Iterator[Connection]:
    made = Connection(proxy.path)
    yield made
    made.close()


@pytest.mark.parametrize(("forward", "made"), [(True, ["web"]), (False, [])])
def test_a_call_that_is_cut_is_done_or_not_as_the_rule_says_and_is_written_down(
    engine: Engine, proxy: EngineProxy, client: Connection, forward: bool, made: list[str]
) -> None:
    proxy.add(Rule(path="/services/create", forward=forward, status=-1))
    with pytest.raises(ConnectionError):
        client.create("web")
    client.close()
    assert client.create("other") == 201
    assert engine.made == [*made, "other"]
    assert [(c.name, c.writer, c.forwarded, c.answered) for c in proxy.calls] == [
        ("web", "a", forward, False),
        ("other", "a", True, True),
    ]


@pytest.mark.parametrize(("forward", "made"), [(True, ["web"]), (False, [])])
def test_an_error_instead_of_the_engines_answer(
    engine: Engine, proxy: EngineProxy, client: Connection, forward: bool, made: list[str]
) -> None:
    proxy.add(Rule(path="/services/create", forward=forward, status=500))
    assert (client.create("web"), engine.made) == (500, made)


def test_an_old_answer_is_the_last_one_before_the_rule(engine: Engine, proxy: EngineProxy, client: Connection) -> None:
    client.create("web")
    old = client.ask("GET", "/services")
    rule = proxy.add(Rule(method="GET", stale=True))
    engine.made.clear()
    assert client.ask("GET", "/services") == old
    assert client.ask("GET", "/services") == (200, [])
    assert rule.hits == 1


def test_the_first_calls_pass_when_a_rule_skips_them(proxy: EngineProxy, client: Connection) -> None:
    proxy.add(Rule(skip=2, status=503))
    assert [client.create(name) for name in "abcd"] == [201, 201, 503, 201]
