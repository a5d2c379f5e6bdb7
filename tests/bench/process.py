"""The real controller as a process of its own, and what it says in its log."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.harness import BenchHarness, Database, wait_until
from tests.bench.workload import IMAGE

_LOOK_SECONDS, _QUIET_LOOKS = 0.5, 4


@dataclass(frozen=True, slots=True)
class Controller:
    """A controller that was started."""

    process: subprocess.Popen[bytes]
    log: Path
    began: float
    """Seconds since the epoch, right before the process was started."""

    def lines(self, event: str) -> list[dict[str, Any]]:
        """Lines of the log about ``event``."""
        found = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in found if line.get("event") == event]

    def wait_for(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until the log has ``times`` lines about ``event``.

        Raises:
            RuntimeError: the process ended before.
        """
        wait_until(lambda: self._alive() and len(self.lines(event)) >= times, f"the controller says {event}")
        return self.lines(event)

    def rest(self) -> None:
        """Wait until it has nothing to do: it takes less than a twentieth of a processor for two seconds."""
        quiet = 0
        while quiet < _QUIET_LOOKS:
            before = self._processor_seconds()
            time.sleep(_LOOK_SECONDS)
            quiet = quiet + 1 if self._processor_seconds() - before < _LOOK_SECONDS / 20 else 0
            self._alive()

    def _processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Resident bytes now."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def _alive(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"the controller ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        return True


@contextmanager
def controller(place: BenchHarness, database: Database, **settings: str) -> Iterator[Controller]:
    """Start one and end it; ``settings`` are names of settings in lower case, such as ``skypanel_resync_seconds``."""
    with tempfile.TemporaryDirectory(prefix="skypanel-bench-") as folder:
        log = Path(folder) / "controller.log"
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("SKYPANEL_", "DOCKER_", "DATABASE_"))},
            "DATABASE_URL": database.dsn("controller"),
            "DOCKER_HOST": place.docker_host,
            "SKYPANEL_LISTEN": f"127.0.0.1:{free_port()}",
            "SKYPANEL_LOG_FORMAT": "json",
            "SKYPANEL_PIN_IMAGE": IMAGE,
            "SKYPANEL_MIN_READY_SECONDS": "0",
            "SKYPANEL_ALLOWED_REGISTRIES": "127.0.0.1:5000",
            **{name.upper(): value for name, value in settings.items()},
        }
        with log.open("wb") as output:
            command = [sys.executable, "-m", "controller", "up"]
            began = time.time()
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        try:
            yield Controller(process, log, began)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
