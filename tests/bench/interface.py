"""The HTTP API as many use it: a thousand streams while rows are written, and reads beside the database's own.

The latency of a stream is from the return of a write's COMMIT until its generation, or a later one, is read. The floor
of a read is the rows of it, asked for by a bare client of the database in the same run.
"""

from __future__ import annotations

import http.client
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from controller.actions.tokens import Asked, create
from tests.bench.harness import BenchHarness, Database, wait_until
from tests.bench.process import free_port
from tests.bench.report import Measurement, percentile
from tests.bench.workload import add_environments

ORGANIZATIONS, ENVIRONMENTS = 100, 10_000
AIM_MILLISECONDS, AIM_READS, AIM_MEGABYTES = 250.0, 2.0, 400.0
_WRITERS = 4
_LIST = "/api/paas/environments?limit=100"


def measure(place: BenchHarness, streams: int, writes_a_second: int, seconds: int) -> list[Measurement]:
    """Latency of streams under writes, and of reads.

    Args:
        place: where.
        streams: open at once.
        writes_a_second: of the specs of environments.
        seconds: so long.
    """
    with place.database() as database:
        with database.connect() as panel:
            add_environments(panel, ENVIRONMENTS)
            tokens = [
                create(panel, Asked(name="bench", organization=f"org{number}", role="viewer")).token
                for number in range(ORGANIZATIONS)
            ]
        with api(database) as (port, process):
            one, listed = _reads(database, port, tokens[0])
            latencies, lost = _streams(database, port, tokens, streams, writes_a_second, seconds)
            memory = _resident(process)
    what = f"{streams} streams, {writes_a_second} writes a second"
    return [
        Measurement(f"write -> read in its streams, p50 ({what})", percentile(latencies, 0.5) * 1000, "ms"),
        Measurement("  p99", percentile(latencies, 0.99) * 1000, "ms", aim=AIM_MILLISECONDS),
        Measurement("  writes that a stream never told of", lost, "", aim=0.0),
        Measurement("  memory of the API with them", memory / 1e6, "MB", aim=AIM_MEGABYTES),
        *one,
        *listed,
    ]


@contextmanager
def api(database: Database) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The API as a process of its own: its port, and the process."""
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("SKYPANEL_", "DOCKER_", "DATABASE_"))},
        "SKYPANEL_API_DATABASE_URL": database.dsn("api"),
        "SKYPANEL_API_LISTEN": f"127.0.0.1:{port}",
        "SKYPANEL_API_REQUESTS_PER_MINUTE": "0",
        "SKYPANEL_LOG_LEVEL": "warning",
        "DOCKER_HOST": "tcp://127.0.0.1:1",
    }
    with subprocess.Popen([sys.executable, "-m", "controller", "api"], env=environment) as process:
        try:
            wait_until(lambda: _answers(port), "the API answers")
            yield port, process
        finally:
            process.send_signal(signal.SIGTERM)


def _answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False


def _resident(process: subprocess.Popen[bytes]) -> int:
    pages = Path(f"/proc/{process.pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _reads(database: Database, port: int, token: str) -> tuple[list[Measurement], list[Measurement]]:
    """One environment, and a list of 100, by the API and as rows."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def get(address: str) -> bytes:
        connection.request("GET", address, headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        return body

    items = orjson.loads(get(_LIST))["items"]
    first = items[0]["metadata"]
    one = f"/api/paas/organizations/{first['organization']}/apps/{first['app']}/environments/{first['name']}"
    ids = [item["metadata"]["id"] for item in items]
    with database.connect("reader") as reader:
        rows = (
            "SELECT row_to_json(e), row_to_json(s) FROM paas_environments e"
            " JOIN skypanel.status s ON s.kind = 'environment' AND s.id = e.id WHERE e.id = ANY (%s::uuid[])"
        )
        found = {
            "one environment": (lambda: get(one), lambda: reader.execute(rows, (ids[:1],)).fetchall()),
            "a list of 100": (lambda: get(_LIST), lambda: reader.execute(rows, (ids,)).fetchall()),
        }
        made = [
            Measurement(f"read of {name}, p50", _p50(asked), "ms", _p50(floor), AIM_READS)
            for name, (asked, floor) in found.items()
        ]
    return made[:1], made[1:]


def _p50(work: Callable[[], Any], samples: int = 100) -> float:
    taken = []
    for _ in range(samples):
        began = time.perf_counter()
        work()
        taken.append((time.perf_counter() - began) * 1000)
    return percentile(taken, 0.5)


@dataclass
class _Read:
    """One stream that is read. All are emptied; one of each organization is understood, too."""

    socket: socket.socket
    understood: bool
    rest: bytes = b""
    seen: dict[str, list[tuple[int, float]]] = field(default_factory=dict)
    """By id of an environment: each generation and when it was read."""

    def take(self) -> bool:
        """What is there now; False: it has ended."""
        sent = self.socket.recv(1 << 18)
        now = time.time()
        if self.understood:
            *frames, self.rest = (self.rest + sent).split(b"\n\n")
            for frame in frames:
                _, _, data = frame.partition(b"event: object\ndata: ")
                if data:
                    document = orjson.loads(data)
                    if document["kind"] == "Environment":
                        about = document["metadata"]
                        self.seen.setdefault(about["id"], []).append((about["generation"], now))
        return bool(sent)


def _streams(
    database: Database, port: int, tokens: Sequence[str], count: int, writes: int, seconds: int
) -> tuple[list[float], int]:
    """Seconds from COMMIT until read, for each write and each stream that is understood; how many were never read."""
    found = [_open(port, tokens[n % len(tokens)], understood=n < len(tokens)) for n in range(count)]
    over = threading.Event()
    reading = threading.Thread(target=_read_all, args=(found, over))
    reading.start()
    written: list[tuple[str, int, float]] = []
    writers = [
        threading.Thread(target=_write, args=(database, n, writes / _WRITERS, seconds, written))
        for n in range(_WRITERS)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    time.sleep(2)  # what is on its way
    over.set()
    reading.join()
    seen: dict[str, list[tuple[int, float]]] = {}
    for each in found:
        each.socket.close()
        seen |= each.seen
    latencies, lost = [], 0
    for id_, generation, at in written:
        told = next((when for known, when in seen.get(id_, ()) if known >= generation), None)
        if told is None:
            lost += 1
        else:
            latencies.append(max(0.0, told - at))
    return latencies, lost


def _open(port: int, token: str, *, understood: bool) -> _Read:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(f"GET /api/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    begun = b""
    while b"\nid: " not in begun:
        begun += connection.recv(4096)
    return _Read(connection, understood)


def _read_all(found: Sequence[_Read], over: threading.Event) -> None:
    with selectors.DefaultSelector() as selector:
        for each in found:
            selector.register(each.socket, selectors.EVENT_READ, each)
        while not over.is_set():
            for key, _ in selector.select(0.2):
                if not key.data.take():
                    raise RuntimeError("a stream has ended")


def _write(
    database: Database, number: int, a_second: float, seconds: int, written: list[tuple[str, int, float]]
) -> None:
    with database.connect() as panel:
        ids = [
            row[0]
            for row in panel.execute(
                "SELECT id::text FROM paas_environments WHERE mod(abs(hashtext(id::text)), %s) = %s"
                " ORDER BY md5(id::text)",
                (_WRITERS, number),
            )
        ]
        began, done = time.monotonic(), 0
        while (passed := time.monotonic() - began) < seconds:
            if done >= passed * a_second:
                time.sleep(max(0.0, done / a_second - passed))
                continue
            id_ = ids[done % len(ids)]
            (row,) = panel.execute(
                "UPDATE paas_environments SET stop_grace_seconds = %s WHERE id = %s RETURNING generation",
                (31 + done % 20, id_),
            ).fetchall()
            written.append((id_, row[0], time.time()))
            done += 1
