"""How long a command takes from its start to its end, beside a process that imports what most of them need."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.bench.harness import BenchHarness
from tests.bench.report import Measurement

_FLOOR = [sys.executable, "-c", "import pydantic, psycopg"]
_AIM_MS = 150.0
_AIM_OF_DOCTOR_MS = 1000.0
_COMMANDS = {
    "--version": _AIM_MS,
    "--help": _AIM_MS,
    "gett": _AIM_MS,
    "get all": _AIM_MS,
    "config set acme/shop/production NAME": _AIM_MS,
    "doctor": _AIM_OF_DOCTOR_MS,
}
_BY_AN_API = ("get all", "config set acme/shop/production NAME")
"""The same by an API that says that it does not know who asks: what a command takes by itself."""


def measure(place: BenchHarness, repeats: int) -> list[Measurement]:
    """The shortest of ``repeats`` of each, one after the other: others on the machine disturb all alike.

    The aim is a time, so it is shown without the floor beside it; the floor is a line of its own.
    """
    with ExitStack() as stack:
        database = stack.enter_context(place.database())
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "DATABASE_URL": database.dsn("controller"),
            "DOCKER_HOST": place.docker_host,
        }
        lines = {"pydantic and psycopg imported": _FLOOR}
        lines |= {command: [sys.executable, "-m", "controller", *command.split()] for command in _COMMANDS}
        url = stack.enter_context(answering())
        by_an_api = {f"{command}, by an API": command for command in _BY_AN_API}
        lines |= {name: [sys.executable, "-m", "controller", *line.split()] for name, line in by_an_api.items()}
        remote = {**environment, "SKYPANEL_API_URL": url, "SKYPANEL_TOKEN": "x"}
        shortest = dict.fromkeys(lines, float("inf"))
        for _ in range(repeats):
            for name, line in lines.items():
                began = time.perf_counter()
                given = remote if name in by_an_api else environment
                subprocess.run(line, env=given, check=False, capture_output=True, stdin=subprocess.DEVNULL)
                shortest[name] = min(shortest[name], time.perf_counter() - began)
    return [
        Measurement(
            f"start: {name}", seconds * 1000, "ms", aim=_COMMANDS.get(name, _AIM_MS if name in by_an_api else None)
        )
        for name, seconds in shortest.items()
    ]


@contextmanager
def answering() -> Iterator[str]:
    """The address of what answers so."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("Content-Type", "application/problem+json")
            self.end_headers()
            self.wfile.write(b'{"type": "/problems/unauthenticated", "detail": "nobody is known"}')

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()
