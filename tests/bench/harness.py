"""Where it is measured: an engine and a PostgreSQL of their own, a new database for each measurement.

Both stay as they are found: what was not there before is removed at the end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from deploy import engine, postgres
from tests.bench.raw import RawConnection, RawError, request, send_all
from tests.bench.workload import OPTIONS

NAME = "bench"
_NICE = -15
_DEADLINE_SECONDS = 900.0
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Database:
    """One migrated database of the bench's server."""

    server: postgres.Server
    name: str

    def dsn(self, role: str) -> str:
        """Connection URL of a role."""
        return self.server.dsn_for(role, self.name)

    def connect(self, role: str = "panel") -> psycopg.Connection[Any]:
        """An autocommit connection."""
        return psycopg.connect(self.dsn(role), autocommit=True)


@dataclass(frozen=True, slots=True)
class BenchHarness:
    """The engine and the server."""

    socket: Path
    server: postgres.Server

    @property
    def docker_host(self) -> str:
        """As Docker's clients take it."""
        return f"unix://{self.socket}"

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A new database; the engine is emptied of what was made for it."""
        database = Database(self.server, f"bench_{time.time_ns() // 1_000_000}_{next(_numbers)}")
        self.server.create_database(database.name)
        try:
            yield database
        finally:
            self.empty()
            self.server.drop_database(database.name)

    def services(self) -> dict[str, dict[str, Any]]:
        """All services by name."""
        with RawConnection(self.socket) as connection:
            return {d["Spec"]["Name"]: d for d in connection.call("GET", "/services")}

    def empty(self) -> None:
        """Remove all services, and all networks, secrets and configs of the installation."""
        with RawConnection(self.socket) as connection:
            services = [d["ID"] for d in connection.call("GET", "/services")]
            send_all(self.socket, [request("DELETE", f"/services/{i}") for i in services])
            label = json.dumps({"label": [f"io.skypanel.installation={OPTIONS.installation}"]}, separators=(",", ":"))
            networks = [d["Id"] for d in connection.call("GET", f"/networks?filters={label}")]
            for network in networks:  # those of tasks that are still ending are in use
                wait_until(partial(_removed, connection, f"/networks/{network}"), "its tasks have ended", every=0.1)
            secrets = [d["ID"] for d in connection.call("GET", f"/secrets?filters={label}")]
            send_all(self.socket, [request("DELETE", f"/secrets/{i}") for i in secrets])
            configs = [d["ID"] for d in connection.call("GET", f"/configs?filters={label}")]
            send_all(self.socket, [request("DELETE", f"/configs/{i}") for i in configs])


def _removed(connection: RawConnection, path: str) -> bool:
    try:
        connection.call("DELETE", path)
    except RawError as error:
        if "in use" not in str(error):
            raise
        return False
    return True


@contextmanager
def place() -> Iterator[BenchHarness]:
    """Bring both up, and take both down."""
    with suppress(PermissionError):
        os.nice(_NICE)  # for all that is started here, floors too: what else the machine does disturbs less
    lab = engine.up(NAME, images=["pause"])
    try:
        server = postgres.ensure(NAME)
        try:
            here = BenchHarness(lab.socket, server)
            here.empty()
            yield here
        finally:
            server.destroy()
    finally:
        engine.down(NAME)


def wait_until(condition: Callable[[], bool], what: str, *, every: float = 0.02) -> None:
    """Look again and again until ``condition`` holds.

    Raises:
        TimeoutError: it does not within a quarter of an hour.
    """
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"gave up after {_DEADLINE_SECONDS:.0f} s of waiting until {what}")
        time.sleep(every)


def accepted_at(timestamp: str) -> float:
    """Seconds since the epoch of a time of the Engine API, which has nanoseconds; Python reads microseconds."""
    whole, _, fraction = timestamp.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")
