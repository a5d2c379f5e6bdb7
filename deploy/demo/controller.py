"""The controller as a process in the background that outlives the demo's program.

It is found again by a mark in its environment, never by a number in a file alone: numbers are used again. It is
started anew when its settings or the code have changed since; a controller that ends and begins again disturbs
nothing, which is a thing to see as well.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from deploy.demo.environment import skypanel
from deploy.demo.errors import DemoError
from deploy.demo.paths import DEFAULT_LISTEN_PORT, ROOT, DemoPaths, free_port
from deploy.engine import sandbox

MARK = "SKYPANEL_DEMO"
SOURCES = ("controller", "reconcilers", "specs", "migrations")
START_SECONDS = 30.0
STOP_SECONDS = 40.0


def listen_address(paths: DemoPaths) -> str:
    """host:port of the running controller's metrics, else of one to start."""
    for pid in find(paths):
        if address := _environment(pid).get("SKYPANEL_LISTEN"):
            return address
    return f"127.0.0.1:{free_port(DEFAULT_LISTEN_PORT, 'the metrics')}"


def find(paths: DemoPaths) -> list[int]:
    """Processes of this demo's controller."""
    return sandbox.find_marked(MARK, paths.mark)


def ensure(paths: DemoPaths, environment: dict[str, str]) -> str:
    """Have it running with these variables and today's code, and at work.

    Returns:
        What was done, in words.

    Raises:
        DemoError: it ends, or is not at work in time.
    """
    wanted = {**environment, MARK: paths.mark}
    done = "runs already"
    present = find(paths)
    if present and not _is_current(present[0], paths, wanted):
        stop(paths)
        present, done = [], "restarted: its code or settings have changed"
    if not present:
        done = done if done != "runs already" else "started"
        paths.log.touch()
        offset = paths.log.stat().st_size
        sandbox.detach(skypanel("up"), wanted, paths.log)
    else:
        offset = 0
    _wait_until_at_work(paths, wanted["SKYPANEL_LISTEN"], offset)
    pids = find(paths)
    paths.pid_file.write_text(f"{pids[0]}\n" if pids else "")
    return done


def stop(paths: DemoPaths) -> None:
    """End it as a service manager does: SIGTERM, and SIGKILL when it does not end."""
    for pid in find(paths):
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(pid)
            try:
                if pid in find(paths):
                    signal.pidfd_send_signal(handle, signal.SIGTERM)
                    if not select.select([handle], [], [], STOP_SECONDS)[0]:
                        signal.pidfd_send_signal(handle, signal.SIGKILL)
                        select.select([handle], [], [], STOP_SECONDS)
            finally:
                os.close(handle)
    paths.pid_file.unlink(missing_ok=True)


def wait(condition: Callable[[], bool], *, seconds: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _wait_until_at_work(paths: DemoPaths, listen: str, offset: int) -> None:
    alive = True

    def at_work() -> bool:
        nonlocal alive
        alive = bool(find(paths))
        return not alive or _at_work(listen)

    if wait(at_work, seconds=START_SECONDS) and alive:
        return
    said = paths.log.read_bytes()[offset:].decode(errors="replace").strip().splitlines()[-5:]
    what = "is not at work after 30 s" if alive else "ended"
    raise DemoError(f"the controller {what}; the end of {paths.log}:\n" + "\n".join(f"    {line}" for line in said))


def _at_work(listen: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{listen}/readyz", timeout=2) as answer:
            found = json.load(answer)
    except (OSError, ValueError):
        return False
    return bool(found["ready"])


def _is_current(pid: int, paths: DemoPaths, wanted: dict[str, str]) -> bool:
    running = _environment(pid)
    same = all(running.get(name) == value for name, value in wanted.items() if name.startswith(("SKYPANEL_", "D")))
    return same and paths.pid_file.exists() and _newest_source() < paths.pid_file.stat().st_mtime


def _newest_source() -> float:
    files = (path for folder in SOURCES for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".sql"))
    return max(path.stat().st_mtime for path in files)


def _environment(pid: int) -> dict[str, str]:
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return {}
    return dict(entry.decode(errors="replace").split("=", 1) for entry in entries if b"=" in entry)


def address(listen: str) -> str:
    """The URL of the metrics."""
    host = urlsplit(f"//{listen}")
    return f"http://{host.hostname}:{host.port}/metrics"
