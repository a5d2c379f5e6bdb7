"""Can a tenant's container reach the hosts? Asked from inside one: real connections from its network, on this node.

A task's container is entered by its network alone: nothing is started, and no program of the container runs.
"""

from __future__ import annotations

import ctypes
import errno
import os
import selectors
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from controller.actions.doctor.findings import Check, fail, ok, warn

Document = Mapping[str, Any]
Target = tuple[str, int]

NAME = "hosts' firewall"
METADATA = ("169.254.169.254", 80)
_SWARM_PORTS = (2377, 7946)
_CLONE_NEWNET = 0x40000000
_SECONDS = 1.5
_MEND = (
    "put deploy/firewall/skypanel-firewall on every node, with its units (docs/operations.md), and run "
    "`skypanel-firewall apply` there"
)


class Engine(Protocol):
    """The Engine API, as far as it is asked here."""

    def call(self, method: str, path: str, query: Any = None) -> Any:
        """One request; the decoded answer."""


def examine(engine: Engine, info: Document, nodes: Iterable[Document], *, local: bool) -> Iterator[Check]:
    """Try what a task on this node reaches; ``local``: whether the engine is on this machine."""
    if not local or os.geteuid() != 0:
        yield warn(
            NAME, "not checked: this needs root on the node itself", "run `skypanel doctor` as root on each node"
        )
        return
    network = _a_tasks_network(engine)
    if network is None:
        yield warn(
            NAME,
            "not checked: there is no task on this node whose network can be entered from here",
            "deploy something, and run `skypanel doctor` as root on the node itself",
        )
        return
    yield verdict(reached(network, targets(info, nodes)))


def targets(info: Document, nodes: Iterable[Document]) -> list[Target]:
    """What listens on every Swarm's nodes, and where clouds keep their credentials; each once."""
    own = str((info.get("Swarm") or {}).get("NodeAddr") or "")
    others = [str((node.get("Status") or {}).get("Addr") or "") for node in nodes]
    addresses = [a for a in dict.fromkeys([own, *others]) if a and a != "0.0.0.0"]
    return [*((address, port) for address in addresses for port in _SWARM_PORTS), METADATA]


def verdict(found: Sequence[Target]) -> Check:
    """What it means."""
    if not found:
        return ok(NAME, "a task on this node reaches no node and no metadata address")
    shown = ", ".join(f"{address}:{port}" for address, port in found)
    return fail(NAME, f"any tenant's container on this node reaches {shown}", _MEND)


def reached(network: Path, wanted: Sequence[Target]) -> list[Target]:
    """Those of ``wanted`` that answer from within ``network``, be it with a refusal: nothing stands in between.

    Args:
        network: a file of a network namespace.
        wanted: IPv4 or IPv6 addresses and TCP ports.
    """
    with ThreadPoolExecutor(max_workers=1) as other:  # it ends in that network, and is used for nothing else
        return other.submit(_reached, network, wanted).result()


def _reached(network: Path, wanted: Sequence[Target]) -> list[Target]:
    libc = ctypes.CDLL(None, use_errno=True)
    with network.open("rb") as namespace:
        if libc.setns(namespace.fileno(), _CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot enter {network}: {os.strerror(number)}")
    found: list[Target] = []
    deadline = time.monotonic() + _SECONDS
    with selectors.DefaultSelector() as waiting:
        for target in wanted:
            connection = socket.socket(socket.AF_INET6 if ":" in target[0] else socket.AF_INET)
            connection.setblocking(False)
            if connection.connect_ex(target) == errno.EINPROGRESS:
                waiting.register(connection, selectors.EVENT_WRITE, target)
            else:
                connection.close()  # there is no way there
        while waiting.get_map() and (rest := deadline - time.monotonic()) > 0:
            for key, _ in waiting.select(rest):
                connection = waiting.unregister(key.fileobj).fileobj  # type: ignore[assignment]
                with connection:
                    if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) in (0, errno.ECONNREFUSED):
                        found.append(key.data)
        for key in list(waiting.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return [target for target in wanted if target in found]


def _a_tasks_network(engine: Engine) -> Path | None:
    """The network namespace of any task on this node that has a way out."""
    query = {"filters": {"label": ["com.docker.swarm.task.id"], "status": ["running"]}}
    for container in engine.call("GET", "/containers/json", query=query) or ():
        found = engine.call("GET", f"/containers/{container['Id']}/json")
        path = Path((found.get("NetworkSettings") or {}).get("SandboxKey") or "/nonexistent")
        if not path.exists() or path.samefile("/proc/self/ns/net"):
            continue  # a task on the host's own network is no tenant's
        if _leads_out(Path(f"/proc/{(found.get('State') or {}).get('Pid')}/net/route")):
            return path
    return None


def _leads_out(routes: Path) -> bool:
    """Whether there is a default route: a task on internal networks alone reaches nothing, and proves nothing."""
    try:
        lines = routes.read_text(encoding="ascii").splitlines()[1:]
    except OSError:
        return False
    return any(fields[1:2] == ["00000000"] for fields in map(str.split, lines))
