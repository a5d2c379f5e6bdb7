"""A command loads what it needs and no more: that is nearly all of the time that it takes to start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module

import pytest

from controller.cli.application import commands, loaded
from controller.cli.errors import EXPECTED

_LOADED = """
import json, sys
from controller.cli import main
code = main(sys.argv[1:])
sys.stdout.flush()
sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""
HEAVY = {"psycopg", "pydantic", "rich", "ruamel", "anyio", "asyncio", "docker", "specs.kinds"}

KNOWN = {"reconcilers.options", "controller.loop.config", "reconcilers.outcomes", "reconcilers.conditions"}
"""What settings become, and the names of errors."""


def modules(*arguments: str) -> set[str]:
    """What a process has loaded that ran one command."""
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "SKYPANEL_ENV_FILE"}}
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    return set(json.loads(done.stderr.splitlines()[-1]))


def test_the_version_is_said_without_anything_else() -> None:
    assert modules("--version") & HEAVY == set()


@pytest.mark.parametrize("arguments", [["--help"], [], ["gett"], ["--frobnicate"]])
def test_help_and_a_typing_error_load_no_command(arguments: list[str]) -> None:
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
    assert found & {"docker", "urllib3", "starlette", "uvicorn", "structlog", "anyio", "ruamel", "rich.live"} == set()
    assert not [name for name in found if name.startswith(("reconcilers.", "controller.loop.")) and name not in KNOWN]


def test_the_list_of_commands_says_what_their_help_says_first() -> None:
    said = {name: " ".join(loaded(name).help.split("\n\n")[0].split()) for name in commands()}
    assert said == commands()


def test_every_error_that_is_said_by_its_name_has_that_name() -> None:
    for name in EXPECTED:
        module, _, cls = name.rpartition(".")
        assert issubclass(getattr(import_module(module), cls), BaseException)
