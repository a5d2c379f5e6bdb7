"""The API that `skypanel up` runs beside the controller: what it is told, that it comes again, and when it ends."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from controller.actions.doctor import http_api
from controller.actions.tokens import Asked, create
from controller.settings import Settings
from controller.vault.keyring import generate
from tests.docs.blocks import ROOT
from tests.labs import eventually, free_port
from tests.store.conftest import Database, make_tenant


@dataclass
class Up:
    """`skypanel up`, whose engine is away; the database is at an address of the network."""

    process: subprocess.Popen[bytes]
    log: Path
    health: str
    api: str
    database_url: str

    def said(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == event]

    def child(self) -> int:
        """Its only child, once it is that program and no copy of its parent any more."""
        pid = self.process.pid
        (found,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        assert b"--with-parent" in Path(f"/proc/{found}/cmdline").read_bytes()
        return int(found)


def answers(address: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
        return bool(answer.status == 200)
    return False


def is_there(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


class Forward(socketserver.BaseRequestHandler):
    """Leads to a server that has a socket alone."""

    path = ""

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as inner:
            inner.connect(self.path)
            pair = {self.request: inner, inner: self.request}
            while True:
                for source in select.select(list(pair), [], [])[0]:
                    if not (sent := source.recv(65536)):
                        return
                    pair[source].sendall(sent)


@contextmanager
def by_network(database: Database) -> Iterator[str]:
    """Connection string of the API's login without a socket of this machine."""
    handler = type("Handler", (Forward,), {"path": str(next(database.server.socket_dir.glob(".s.PGSQL.*[0-9]")))})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"postgresql://api@127.0.0.1:{server.server_address[1]}/{database.name}?sslmode=disable"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def running(database: Database, folder: Path, more: Mapping[str, str] | None = None) -> Iterator[Up]:
    with by_network(database) as url, started(database, url, folder, more or {}) as up:
        yield up


@contextmanager
def started(database: Database, url: str, folder: Path, more: Mapping[str, str]) -> Iterator[Up]:
    health, api = free_port(), free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SKYPANEL_")},
        "DATABASE_URL": database.dsn("controller"),
        "DOCKER_HOST": "tcp://127.0.0.1:1",
        "SKYPANEL_LISTEN": f"127.0.0.1:{health}",
        "SKYPANEL_API_LISTEN": f"127.0.0.1:{api}",
        "SKYPANEL_API_DATABASE_URL": url,
        "SKYPANEL_EDGE_API_URL": "http://skypanel:of-the-edge@127.0.0.1:8079",
        "SKYPANEL_KEYS": generate(),
        "SSH_CRED_SECRET": "of-the-panel",
        "SKYPANEL_LOG_FORMAT": "json",
        "SKYPANEL_ENV_FILE": os.devnull,
        **more,
    }
    log = folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "controller", "up"], cwd=ROOT, env=environment, stdout=stream, stderr=stream
        )
    up = Up(process, log, f"http://127.0.0.1:{health}", f"http://{environment['SKYPANEL_API_LISTEN']}", url)
    try:
        eventually(lambda: answers(f"{up.health}/healthz"), what="the controller")
        yield up
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        finally:
            process.kill()


@pytest.fixture
def up(database: Database, tmp_path: Path) -> Iterator[Up]:
    with running(database, tmp_path) as found:
        eventually(lambda: answers(f"{found.api}/readyz"), what="the API")
        yield found


def test_it_is_told_its_own_settings_and_may_reach_nothing_of_the_machine(up: Up, database: Database) -> None:
    told = dict(line.split("=", 1) for line in Path(f"/proc/{up.child()}/environ").read_text().rstrip("\0").split("\0"))
    assert told["SKYPANEL_API_DATABASE_URL"] == up.database_url
    assert told["SKYPANEL_KEYS"]
    assert not {"DATABASE_URL", "SKYPANEL_EDGE_API_URL", "SSH_CRED_SECRET", "PGPASSWORD"} & told.keys()
    assert told["DOCKER_HOST"] == "unix:///dev/null"
    assert not any(secret in str(told) for secret in (database.dsn("controller"), "of-the-edge", "of-the-panel"))
    status = Path(f"/proc/{up.child()}/status").read_text()
    assert "Seccomp:\t2\n" in status
    assert not up.said("api.not_confined")


def test_a_plan_says_that_it_knows_no_swarm_and_what_is_declared_is_checked_all_the_same(
    up: Up, database: Database
) -> None:
    make_tenant(database)
    token = create(database.session("panel"), Asked(name="beside", organization="acme", role="admin")).token

    def ask(image: str) -> Any:
        asked = urllib.request.Request(
            f"{up.api}/api/paas/organizations/acme/apps/shop/environments/production?dryRun=true",
            json.dumps({"spec": {"image": image}}).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method="PATCH",
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.loads(answer.read())

    said = ask("registry.example.com/shop/web:2")
    assert said["changed"] is True
    assert said["unknown"]
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask("registry.internal:5000/shop/web:2")
    with refused.value as answer:
        assert b"SKYPANEL_ALLOWED_REGISTRIES" in answer.read()


def test_where_its_database_has_a_socket_alone_it_says_that_it_may_open_sockets(
    database: Database, tmp_path: Path
) -> None:
    with started(database, database.dsn("api"), tmp_path, {}) as up:
        eventually(lambda: answers(f"{up.api}/readyz"), what="the API")
        assert up.said("api.not_confined")


def test_it_ends_with_the_controller_and_open_streams_end_with_a_word(up: Up, database: Database) -> None:
    make_tenant(database)
    token = create(database.session("panel"), Asked(name="beside", organization="acme", role="viewer")).token
    asked = urllib.request.Request(f"{up.api}/api/stream", headers={"Authorization": f"Bearer {token}"})
    child = up.child()
    with urllib.request.urlopen(asked, timeout=30) as stream:
        while not stream.readline().startswith(b"id: "):
            pass
        up.process.send_signal(signal.SIGTERM)
        assert stream.read().decode().count("event: end\n") == 1
    assert up.process.wait(30) == 0
    assert not is_there(child)


def test_it_ends_with_a_controller_that_is_killed(up: Up) -> None:
    child = up.child()
    up.process.kill()
    eventually(lambda: not is_there(child), what="the API ends")


def test_it_comes_again_when_it_has_ended(up: Up) -> None:
    child = up.child()
    os.kill(child, signal.SIGKILL)
    eventually(lambda: up.said("api.ended"), what="it is said")
    eventually(lambda: answers(f"{up.api}/readyz"), what="the API is there again")
    assert up.child() != child
    assert answers(f"{up.health}/healthz")


def test_a_port_that_is_taken_stops_nothing_and_is_tried_again(database: Database, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        with running(database, tmp_path, {"SKYPANEL_API_LISTEN": taken}) as up:
            eventually(lambda: up.said("api.ended"), what="it is said")
            assert f"cannot listen on {taken} for the API" in up.log.read_text()
            assert answers(f"{up.health}/healthz")
            other.close()
            eventually(lambda: answers(f"{up.api}/readyz"), what="the API, once the port is free")


@pytest.mark.parametrize(
    ("more", "said"), [({"SKYPANEL_API_DATABASE_URL": ""}, 1), ({"SKYPANEL_SERVE_API": "false"}, 0)]
)
def test_without_a_login_or_where_it_is_not_wanted_it_is_not_started(
    database: Database, tmp_path: Path, more: dict[str, str], said: int
) -> None:
    with running(database, tmp_path, more) as up:
        eventually(lambda: up.said("engine.unavailable"), what="the controller waits")
        assert len(up.said("api.not_started")) == said
        pid = up.process.pid
        assert not Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_doctor_asks_it(up: Up) -> None:
    def finds(url: str, listen: str, *, serves: bool = True) -> tuple[str, str]:
        settings = Settings(
            skypanel_serve_api=serves, skypanel_api_listen=listen, skypanel_api_database_url=SecretStr(url)
        )
        (check,) = http_api.examine(settings)
        return check.level, check.message

    url, here = up.database_url, up.api.removeprefix("http://")
    assert finds(url, here) == ("ok", f"answers at {up.api}, and reaches the database")
    assert finds("", here)[0] == "warn"
    assert finds(url, f"127.0.0.1:{free_port()}")[0] == "warn"
    assert finds(url, up.health.removeprefix("http://"))[0] == "warn", "that is the controller's"
    assert finds("", here, serves=False)[0] == "ok"
