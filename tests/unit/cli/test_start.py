"""A command loads what it needs and no more: that is nearly all of the time that it takes to start."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import pytest

from controller.cli.application import loaded
from controller.cli.commands import commands
from controller.cli.errors import EXPECTED

_LOADED = """
import json, sys
from controller.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""
HEAVY = {"psycopg", "pydantic", "rich", "ruamel", "anyio", "asyncio", "docker", "specs.kinds", "cryptography"}
PARSER = {"typer", "inspect", "dataclasses", "logging"}

KNOWN = {"reconcilers.options", "controller.loop.config", "reconcilers.outcomes", "reconcilers.conditions"}
"""What settings become, and the names of errors."""


def modules(*arguments: str, **more: str) -> set[str]:
    """What a process has loaded that ran one command."""
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "SKYPANEL_ENV_FILE"}}
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env=environment | more,
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["help"], []])
def test_the_list_of_commands_is_said_without_even_what_parses_a_line(arguments: list[str]) -> None:
    assert modules(*arguments) & (HEAVY | PARSER) == set()


@pytest.mark.parametrize("argument", ["--version", "-V", "-v"])
def test_the_version_is_said_without_anything_else(argument: str) -> None:
    assert modules(argument) & (HEAVY | {"typer"}) == set()


@pytest.mark.parametrize("arguments", [["gett"], ["--frobnicate"], ["--debug", "--help"]])
def test_a_typing_error_loads_no_command(arguments: list[str]) -> None:
    assert modules(*arguments) & (HEAVY - {"rich"}) == set()


def test_a_command_that_asks_nobody_loads_no_client() -> None:
    assert modules("version") & (HEAVY - {"pydantic"}) == set()  # typer reads values with pydantic


def test_files_are_checked_without_the_client_of_the_database() -> None:
    found = modules("validate", "-f", "specs/examples")
    assert "specs.loader" in found
    assert found & {"psycopg", "docker", "anyio", "structlog"} == set()


def test_a_list_loads_neither_the_engine_nor_a_reconciler_nor_the_parser_of_yaml() -> None:
    found = modules("get", "all")
    assert "psycopg" in found
    assert found & {"docker", "urllib3", "starlette", "uvicorn", "structlog", "anyio", "ruamel", "rich"} == set()
    assert found & {"controller.settings", "cryptography", "dotenv", "controller.vault"} == set()
    assert not [name for name in found if name.startswith(("reconcilers.", "controller.loop.")) and name not in KNOWN]


def answer(listening: socket.socket) -> None:
    """Once, that nobody is known."""
    said = b'{"type": "/problems/unauthenticated", "title": "No", "status": 401, "detail": "no"}'
    head = (
        b"HTTP/1.1 401 No\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    )
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(head % len(said) + said)


@pytest.mark.parametrize(
    "line",
    ["get all", "ps", "events", "releases a/b", "deploy a/b web:1", "config list a", "explain env a/b/c",
     "delete env a/b/c --yes", "open a/b"],
)  # fmt: skip
def test_a_command_that_asks_an_api_loads_no_client_of_the_database(line: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        answering = threading.Thread(target=answer, args=(listening,))
        answering.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        found = modules(*line.split(), SKYPANEL_API_URL=url, SKYPANEL_TOKEN="x", HOME=str(tmp_path))
        answering.join()
    assert "controller.client.client" in found
    heavy = {"psycopg", "docker", "urllib3", "starlette", "structlog", "anyio", "asyncio", "rich", "cryptography"}
    assert found & heavy == set()
    assert found & {"controller.settings", "controller.client.types", "controller.swarm"} == set()
    if line.split(maxsplit=1)[0] in ("get", "ps", "events", "releases", "config", "explain"):
        assert found & {"ruamel", "specs.loader"} == set()


def test_help_takes_little_more_than_the_interpreter_and_a_command_little_more_than_the_client_of_the_database() -> (
    None
):
    """Of the processor, in ratios to what is measured between them: 2.3, 5, 1.8 and 1.9 when this was written."""
    run = "from controller.cli import main; main({!r})"
    measured = {
        "nothing": "pass",
        "client": "import psycopg",
        "help": run.format(["--help"]),
        "version": run.format(["--version"]),
        "get": run.format(["get", "all"]),
        "config set": run.format(["config", "set", "acme/shop/production", "NAME"]),
    }
    least = dict.fromkeys(measured, float("inf"))
    for _ in range(7):  # the shortest of several: what else the machine does takes nothing away
        for name, code in measured.items():
            least[name] = min(least[name], processor_seconds(code))
    assert least["help"] < 4 * least["nothing"]
    assert least["version"] < 9 * least["nothing"]
    assert least["get"] < 2.4 * least["client"]
    assert least["config set"] < 2.6 * least["client"]


def processor_seconds(code: str) -> float:
    """What a process takes of the processor that runs ``code``, with compiled modules as an installation has them."""
    without = {"DATABASE_URL", "SKYPANEL_ENV_FILE", "PYTHONDONTWRITEBYTECODE"}
    environment = {name: value for name, value in os.environ.items() if name not in without}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code], env=environment, check=False, capture_output=True, stdin=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_list_of_commands_says_what_their_help_says_first() -> None:
    said = {name: " ".join(loaded(name).help.split("\n\n")[0].split()) for name in commands()}
    assert said == commands()


def test_every_error_that_is_said_by_its_name_has_that_name() -> None:
    for name in EXPECTED:
        module, _, cls = name.rpartition(".")
        assert issubclass(getattr(import_module(module), cls), BaseException)
