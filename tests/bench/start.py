"""How long a command takes from its start to its end, beside a process that imports what most of them need."""

from __future__ import annotations

import os
import subprocess
import sys
import time

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


def measure(place: BenchHarness, repeats: int) -> list[Measurement]:
    """The shortest of ``repeats`` of each, one after the other: others on the machine disturb all alike.

    The aim is a time, so it is shown without the floor beside it; the floor is a line of its own.
    """
    with place.database() as database:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "DATABASE_URL": database.dsn("controller"),
            "DOCKER_HOST": place.docker_host,
        }
        lines = {"pydantic and psycopg imported": _FLOOR}
        lines |= {command: [sys.executable, "-m", "controller", *command.split()] for command in _COMMANDS}
        shortest = dict.fromkeys(lines, float("inf"))
        for _ in range(repeats):
            for name, line in lines.items():
                began = time.perf_counter()
                subprocess.run(line, env=environment, check=False, capture_output=True, stdin=subprocess.DEVNULL)
                shortest[name] = min(shortest[name], time.perf_counter() - began)
    return [
        Measurement(f"start: {name}", seconds * 1000, "ms", aim=_COMMANDS.get(name))
        for name, seconds in shortest.items()
    ]
