"""Environment variables: of the `skypanel` processes that the demo starts, and for a person's shell afterwards."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from deploy import engine
from deploy.demo.paths import DemoPaths
from deploy.demo.platform import Edge
from deploy.engine import daemon
from deploy.postgres import Server
from deploy.postgres.binaries import find_bindir

# Settings of a person's own controller must not reach the demo's.
FOREIGN = ("SKYPANEL_", "DOCKER_", "PG", "DATABASE_URL")
KEY = b64encode(sha256(b"the key of a demo, which is no secret").digest()).decode()
KEPT = ("SKYPANEL_LAB", "SKYPANEL_LAB_CACHE", "PGBIN")


def settings(edge: Edge, server: Server, role: str, listen: str) -> dict[str, str]:
    """The settings of a `skypanel` process that works as a database role.

    Args:
        edge: the Swarm.
        server: the database.
        role: `skypanel_owner` migrates, `controller` runs the daemon, `panel` declares, `operator` is for people.
        listen: host:port of the daemon's metrics.
    """
    return {
        "DATABASE_URL": server.dsn_for(role),
        "DOCKER_HOST": edge.lab.docker_host,
        "SKYPANEL_LISTEN": listen,
        "SKYPANEL_PIN_IMAGE": f"{engine.IMAGE_PREFIX}/pause:1",
        "SKYPANEL_KEYS": KEY,
        "SKYPANEL_ALLOWED_REGISTRIES": engine.IMAGE_PREFIX.partition("/")[0],
    }


def environment(own: dict[str, str]) -> dict[str, str]:
    """This process's environment, with these settings and no others."""
    return {**{n: value for n, value in os.environ.items() if n in KEPT or not n.startswith(FOREIGN)}, **own}


def skypanel(*arguments: str) -> list[str]:
    """The command line of the project's program, in the environment that the demo runs in."""
    return [sys.executable, "-m", "controller", *arguments]


def write_for_shell(paths: DemoPaths, own: dict[str, str]) -> None:
    """Write the variables for a person's shell, and link the programs that the machine lacks."""
    _link_programs(paths)
    folders = [str(Path(sys.executable).parent), str(paths.programs)]
    lines = [
        f"# The demo `{paths.name}`, for a shell:  set -a; . .run/{paths.name}.env; set +a",
        *(f"{name}={shlex.quote(value)}" for name, value in own.items()),
        f'PATH={shlex.quote(":".join(folders))}:"$PATH"',
    ]
    new = paths.environment.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text("\n".join(lines) + "\n")
    new.replace(paths.environment)


def _link_programs(paths: DemoPaths) -> None:
    """The engine's client and the database's, unless the machine has its own."""
    paths.programs.mkdir(exist_ok=True)
    folders = {"docker": daemon.binaries(daemon.DEFAULT_SUITE) / "usr/bin", "psql": find_bindir()}
    for name, folder in folders.items():
        link = paths.programs / name
        link.unlink(missing_ok=True)
        if shutil.which(name) is None and (folder / name).exists():
            link.symlink_to(folder / name)
