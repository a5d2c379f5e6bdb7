"""The floor as a process: no controller, only the hint and the raw call that follows from it.

``listen``: LISTEN, and for each NOTIFY one create, sent as bytes that were made before.
``events``: the engine's event stream, and for each removal one create, for each scaling one inspect and one update.
Prints ``ready`` when it listens. The work is read from standard input as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import quote

import psycopg

from controller.store.listener import CHANNEL
from tests.bench.raw import RawConnection, request
from tests.bench.workload import renamed


def listen(socket: Path, dsn: str, document: dict[str, object], names: list[str]) -> None:
    """One create for each notification, until the names are used up."""
    requests = [request("POST", "/services/create", renamed(document, name)) for name in names]
    with RawConnection(socket) as engine, psycopg.connect(dsn, autocommit=True) as database:
        engine.send(request("GET", "/_ping"))
        database.execute(f"LISTEN {CHANNEL}")
        _say_ready()
        for data in requests:
            for _ in database.notifies(stop_after=1):
                engine.send(data)


def events(socket: Path, documents: dict[str, dict[str, object]]) -> None:
    """Put back what is removed or scaled, until killed."""
    creates = {name: request("POST", "/services/create", d) for name, d in documents.items()}
    filters = quote(json.dumps({"type": ["service"]}))
    with RawConnection(socket) as engine, RawConnection(socket) as stream:
        engine.send(request("GET", "/_ping"))
        follow = stream.lines(f"/events?filters={filters}")
        _say_ready()
        for event in follow:
            attributes = event["Actor"]["Attributes"]
            name = attributes.get("name", "")
            if event["Action"] == "remove":
                engine.send(creates[name])
            elif attributes.get("replicas.new", "0") != "0":
                version = engine.call("GET", f"/services/{name}")["Version"]["Index"]
                engine.send(request("POST", f"/services/{name}/update?version={version}", documents[name]))


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()


def main() -> None:
    """Do what standard input says."""
    work = json.load(sys.stdin)
    socket = Path(work["socket"])
    if work["mode"] == "listen":
        listen(socket, work["dsn"], work["document"], work["names"])
    else:
        events(socket, work["documents"])


if __name__ == "__main__":
    main()
