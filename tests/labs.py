"""Labs for tests: one run at a time uses one, and what a killed run left is cleaned before the next.

With ``SKYPANEL_TEST_KEEP=1`` a lab stays up afterwards and is used again as it is: faster while one works on a test.
``SKYPANEL_TEST_SUITE=forky`` runs them on the engine of another Debian suite.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import TypeVar

from deploy import engine
from deploy.engine import Lab
from deploy.engine.paths import lab_paths

T = TypeVar("T")


def kept() -> bool:
    """Whether labs stay up after the run."""
    return os.environ.get("SKYPANEL_TEST_KEEP", "") not in ("", "0")


def free_port() -> int:
    """A port of the loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def eventually(check: Callable[[], T], *, seconds: float = 60.0, what: str = "the condition") -> T:
    """The first true answer; fails with the last one when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (last := check()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s; last: {last!r}"
        time.sleep(0.02)
    return last


@contextlib.contextmanager
def exclusive_lab(
    name: str,
    *,
    images: Sequence[str],
    forwards: Sequence[str] = (),
    nodes: int = 1,
    managers: int = 1,
    pulls: bool = False,
) -> Iterator[Lab]:
    """A lab that no other test run uses meanwhile.

    The kernel frees the lock when the run dies, whatever ended it; the lab that it left is taken down then.
    """
    path = lab_paths(name).root / f".{name}.run"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as lock:
        try:
            flock(lock, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            message = f"another test run (process {lock.read().strip()}) uses the lab {name!r}: wait until it has ended"
            raise AssertionError(message) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        if not kept():
            engine.down(name)
        try:
            yield engine.up(
                name,
                images=images,
                forwards=forwards,
                nodes=nodes,
                managers=managers,
                pulls=pulls,
                suite=os.environ.get("SKYPANEL_TEST_SUITE") or None,
            )
        finally:
            if not kept():
                engine.down(name)
