"""A machine as a stranger has it: a checkout in /opt/skypanel, an engine without a registry; each step is timed."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from deploy.engine.images import PREFIX, load
from deploy.machine.machine import Done, Machine, booted
from tests.labs import eventually

ROOT = Path(__file__).parents[2]
NOT_OF_IT = (
    ".venv",
    ".git",
    ".run",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
    "bench.json",
)
OFFLINE = "/etc/systemd/system/docker.service.d/offline.conf"
PUBLIC = {"traefik:3": "traefik:v3", "socket-proxy:2": "haproxy:2.8", "pause:1": "rancher/mirrored-pause:3.10"}
"""What the edge and the controller would pull, and which of our images stands for it."""


@dataclass
class Stranger:
    """Somebody at the machine: what is typed, and how long each thing took."""

    machine: Machine
    times: list[tuple[str, float]] = field(default_factory=list)

    def types(self, what: str, script: str, *, code: int = 0) -> str:
        """The output of commands as root, in its home; they must end with the code.

        Args:
            what: name of the step, in the table of times.
            script: ends at the first command that fails.
            code: of the exit.
        """
        done: Done = self.machine.run(f"set -e\n{script}", check=False)
        self.times.append((what, done.seconds))
        assert done.code == code, f"{what}: ended with {done.code}:\n{done.output}"
        return done.output

    def sees(self, script: str, *, stdin: Path | None = None) -> str:
        """The output of a question; nobody counts its time."""
        return self.machine.run(script, stdin=stdin).output.strip()

    def next_step(self) -> str:
        """What doctor says is next, such as ``4 Edge``; empty when all is there."""
        checks = json.loads(self.machine.run("skypanel doctor -o json", check=False).output)
        found = next((check["message"] for check in checks if check["name"] == "next step"), "")
        return found.partition(":")[0]

    def will_say_next(self, wanted: str) -> None:
        """Waits until doctor says it: an engine takes a moment to start tasks, a controller to lead."""
        said = ""

        def is_said() -> bool:
            nonlocal said
            said = self.next_step()
            return said == wanted

        try:
            eventually(is_said, seconds=60)
        except AssertionError:
            raise AssertionError(f"next is {said!r}, not {wanted!r}:\n{self.sees('skypanel doctor || true')}") from None

    def images(self) -> None:
        """Gives the engine what it would pull; stands for the registries."""
        self.machine.load(*(image.tar for image in load(["traefik", "socket-proxy", "pause", "web"])))
        self.sees("\n".join(f"docker tag {PREFIX}/{own} {public}" for own, public in PUBLIC.items()))

    def allows_the_local_registry(self) -> None:
        """Our images are of a private host; an operator says that they may be used."""
        self.sees("echo SKYPANEL_ALLOWED_REGISTRIES=127.0.0.1:5000 >>/etc/skypanel/env")

    def asks(self, host: str, *, wanted: str, tls: bool) -> None:
        """Until the edge answers with it."""
        port, scheme = (443, "https") if tls else (80, "http")
        line = f"curl -sk -m 5 --resolve {host}:{port}:127.0.0.1 {scheme}://{host}/"
        begun = time.monotonic()
        eventually(
            lambda: wanted in self.machine.run(line, check=False).output, seconds=30, what=f"{wanted!r} from {host}"
        )
        self.times.append((f"first answer of {host}", time.monotonic() - begun))

    def table(self) -> str:
        """The times, one step a line."""
        total = sum(seconds for _, seconds in self.times)
        lines = [f"{seconds:7.1f} s  {what}" for what, seconds in [*self.times, ("in all", total)]]
        return "\n".join([f"{self.machine.name} ({self.machine.suite})", *lines])


@contextlib.contextmanager
def arrives(name: str, suite: str) -> Iterator[Stranger]:
    """At a bare machine, with a fresh checkout."""
    begun = time.monotonic()
    with booted(name, suite) as machine:
        stranger = Stranger(machine, [("boot a bare machine", time.monotonic() - begun)])
        _check_out(machine)
        stranger.sees(f"mkdir -p {OFFLINE.rpartition('/')[0]}; echo '[Service]' >{OFFLINE}")
        stranger.sees(f"echo Environment=DOCKER_SERVICE_PREFER_OFFLINE_IMAGE=1 >>{OFFLINE}")
        yield stranger


def _check_out(machine: Machine) -> None:
    left_out = [f"--exclude={name}" for name in NOT_OF_IT]
    packed = subprocess.run(["tar", "-C", ROOT, *left_out, "-c", "."], capture_output=True, check=True).stdout
    into = machine.command("sh", "-c", "mkdir -p /opt/skypanel && tar -C /opt/skypanel -x --no-same-owner")
    subprocess.run(into, input=packed, env={"PATH": "/usr/bin:/bin"}, check=True)
