"""From a committed spec row to Swarm's acceptance of the create, one at a time, while nothing else goes on.

Measured from the return of the COMMIT, by the clock of the committing process, to the service's ``CreatedAt``, which
the manager takes when it begins the transaction (nanoseconds, the same machine's clock). The floor is a bare process
that listens for the same notification of the same row, and sends one create.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg

from reconcilers.environment.names import service_of
from specs.snapshot_parts import IMPLICIT_PROCESS
from specs.snapshots import EnvironmentSnapshot
from tests.bench.harness import BenchHarness, Database, accepted_at, wait_until
from tests.bench.process import controller
from tests.bench.raw import RawConnection, RawError
from tests.bench.report import Measurement, percentile
from tests.bench.workload import OPTIONS, add_apps, add_environment, documents, is_ready, unready

AIM_P50, AIM_P99 = 2.0, 4.0
_WARM_UP = 5


def measure(place: BenchHarness, samples: int) -> list[Measurement]:
    """Median and 99th percentile of ``samples`` rows."""
    floor = _floor(place, samples)
    subject = _subject(place, samples)
    return [
        Measurement(
            f"row committed -> create accepted, {label}",
            percentile(subject, share) * 1000,
            "ms",
            percentile(floor, share) * 1000,
            aim,
        )
        for label, share, aim in (("p50", 0.5, AIM_P50), ("p99", 0.99, AIM_P99))
    ]


def _subject(place: BenchHarness, samples: int) -> list[float]:
    with place.database() as database, controller(place, database) as daemon, database.connect() as panel:
        (app,) = add_apps(panel, 1, 1)
        daemon.wait_for("resync.done")
        return one_at_a_time(place, database, panel, app, samples)


def one_at_a_time(
    place: BenchHarness, database: Database, panel: psycopg.Connection[Any], app: str, samples: int
) -> list[float]:
    """Seconds from the commit of each of ``samples`` new environments of ``app`` to the engine's acceptance.

    Each waits until the one before is ready.
    """
    with database.connect("reader") as reader:
        wait_until(lambda: unready(reader) == 0, "all environments are ready", every=0.1)
        committed = {}
        for number in range(samples + _WARM_UP):
            environment = add_environment(panel, app, f"e{number}")
            committed[environment] = time.time()
            wait_until(partial(is_ready, reader, environment), "the environment is ready", every=0.01)
        # Asked at the end: beside the controller it would be measured too.
        return _delays(place, {_service(reader, environment): at for environment, at in committed.items()})


def _service(connection: psycopg.Connection[Any], environment: str) -> str:
    """Name of the service of its implicit process."""
    row = connection.execute("SELECT doc FROM skypanel.snapshot_environment WHERE id = %s", (environment,)).fetchone()
    assert row is not None
    return service_of(EnvironmentSnapshot.model_validate(row[0]), IMPLICIT_PROCESS, OPTIONS)


def _floor(place: BenchHarness, samples: int) -> list[float]:
    with place.database() as database, database.connect() as panel:
        (app,) = add_apps(panel, 1, 1)
        add_environment(panel, app, "template")
        with database.connect("reader") as reader:
            wanted = documents(reader)
        names = [f"floor-{number}" for number in range(samples + _WARM_UP)]
        work = {
            "mode": "listen",
            "dsn": database.dsn("controller"),
            "document": wanted.services[0],
            "names": names,
        }
        with RawConnection(place.socket) as engine:
            for request in wanted.network_requests():
                engine.send(request)
            committed = {}
            with bare(place, work):
                for number, name in enumerate(names):
                    add_environment(panel, app, f"e{number}")
                    committed[name] = time.time()
                    wait_until(partial(_exists, engine, name), "the service is there", every=0.01)
        return _delays(place, committed)


@contextmanager
def bare(place: BenchHarness, work: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    """The bare process, listening."""
    command = [sys.executable, "-m", "tests.bench.bare"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({**work, "socket": str(place.socket)}))
            process.stdin.close()
            if process.stdout.readline().strip() != "ready":
                raise RuntimeError("the bare process did not start: its error is above")
            yield process
        finally:
            process.kill()


def _exists(engine: RawConnection, name: str) -> bool:
    try:
        engine.call("GET", f"/services/{name}")
    except RawError:
        return False
    return True


def _delays(place: BenchHarness, committed: dict[str, float]) -> list[float]:
    services = place.services()
    delays = [accepted_at(services[name]["CreatedAt"]) - at for name, at in committed.items()]
    return delays[_WARM_UP:]
