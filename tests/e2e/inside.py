"""What a container has and reaches, seen from inside it: by the kernel's word, and by connections from its network.

Images of tenants have no tools, so this machine's programs enter the network of the container's process. They are
root there, which is more than the container's own program ever is: what they do not reach, it does not.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from deploy.engine import EngineApi
from tests.swarm.processes import Process, of_container

T = TypeVar("T")
Target = tuple[str, int]

_CONNECT = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def answers(target):
    try:
        socket.create_connection(tuple(target), timeout=1.0).close()
    except TimeoutError:
        return False
    except OSError as error:
        return isinstance(error, ConnectionRefusedError)
    return True
print(json.dumps(list(ThreadPoolExecutor(64).map(answers, json.load(sys.stdin)))))
"""
_RESOLVE = """
import json, socket, struct, sys
from concurrent.futures import ThreadPoolExecutor
def addresses(name):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(2.0)
        question = struct.pack("!6H", 1, 256, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)
        asking.sendto(question, ("127.0.0.11", 53))
        try:
            said = asking.recv(4096)
        except OSError:
            return []  # nobody that it was passed on to knows it
    count, place, found = struct.unpack("!H", said[6:8])[0], 12 + len(labels) + 5, []
    for _ in range(count):
        place += 2 if said[place] >= 0xC0 else len(labels) + 1
        kind, _, _, size = struct.unpack("!HHIH", said[place : place + 10])
        if kind == 1:
            found.append(socket.inet_ntoa(said[place + 10 : place + 14]))
        place += 10 + size
    return found
print(json.dumps(list(ThreadPoolExecutor(64).map(addresses, json.load(sys.stdin)))))
"""
_GET = """
import http.client, json, sys
def answer(address, port, host, path):
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()
print(json.dumps([answer(*asked) for asked in json.load(sys.stdin)]))
"""
_HEAR = """
import socket, sys
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.bind(("0.0.0.0", 9999))
ear.settimeout(1.5)
print("ready", flush=True)
try:
    print(ear.recv(100).decode(), flush=True)
except TimeoutError:
    print("nothing", flush=True)
"""
_SEND = """
import socket, sys
address, options = sys.argv[1], bytes.fromhex(sys.argv[2])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if options:
    out.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, options)
for _ in range(3):
    try:
        out.sendto(b"stray", (address, 9999))
    except OSError:
        pass
"""


@dataclass(frozen=True)
class Container:
    """A running container.

    Args:
        id: the engine's.
        service: that it is a task of.
        organization: whose it is; empty: nobody's, such as the edge.
        networks: ids of the networks that it is on, and its address there.
        names: what the engine's resolver calls it where it is known.
    """

    id: str
    service: str
    organization: str
    networks: dict[str, str]
    names: frozenset[str]

    @cached_property
    def processes(self) -> list[Process]:
        """The first of them first."""
        return of_container(self.id)

    @property
    def first(self) -> Process:
        """Process 1."""
        return self.processes[0]

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Every address that it has, also on bridges that the engine does not speak of."""
        found = json.loads(self._run("ip", "-j", "address"))
        every = (a["local"] for link in found if link["ifname"] != "lo" for a in link["addr_info"])
        return frozenset(a for a in every if not a.startswith("fe80:"))

    @property
    def addresses_of_version_6(self) -> frozenset[str]:
        """All but its loopback's; those that are good on one link alone, too."""
        found = json.loads(self._run("ip", "-j", "-6", "address"))
        every = (a["local"] for link in found if link.get("ifname") != "lo" for a in link.get("addr_info", ()))
        return frozenset(every)

    @property
    def listening(self) -> frozenset[int]:
        """TCP ports where something listens on more than the loopback."""
        return frozenset(port for _, port in listening(self._inside()))

    def reaches(self, targets: Sequence[Target]) -> list[Target]:
        """Those that answer, be it with a refusal."""
        return _those(targets, self._python(_CONNECT, targets))

    def resolves(self, names: Sequence[str]) -> dict[str, list[str]]:
        """Those that the engine's resolver knows, and their addresses."""
        said: list[list[str]] = self._python(_RESOLVE, names)
        return {name: found for name, found in zip(names, said, strict=True) if found}

    def asks(self, requests: Sequence[tuple[str, int, str, str]]) -> list[int]:
        """Status of the answer to each: address, port, Host, path."""
        found: list[int] = self._python(_GET, requests)
        return found

    def is_heard_by(self, victim: Container, address: str, options: bytes = b"", route: str = "") -> bool:
        """Whether a datagram to ``address``, one of the victim's, comes to it.

        Args:
            victim: listens.
            address: of it.
            options: of the datagram's IP header.
            route: gateway that leads there, which only root can set.
        """
        if route:
            self._run("ip", "route", "replace", f"{address}/32", "via", route)
        try:
            with subprocess.Popen(
                victim._inside(sys.executable, "-c", _HEAR), stdout=subprocess.PIPE, text=True
            ) as ear:
                assert ear.stdout is not None
                assert ear.stdout.readline() == "ready\n"
                self._run(sys.executable, "-c", _SEND, address, options.hex())
                return ear.stdout.readline() == "stray\n"
        finally:
            if route:
                self._run("ip", "route", "delete", f"{address}/32", "via", route)

    def set(self, name: str, value: str) -> None:
        """A setting of its network's, as only the node's root can."""
        self._run("sysctl", "-q", "-w", f"{name}={value}")

    def _inside(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/proc/{self.first.pid}/ns/net", "--", *command]

    def _run(self, *command: str) -> str:
        return _output(*self._inside(*command))

    def _python(self, code: str, asked: Sequence[Any]) -> Any:
        done = subprocess.run(
            self._inside(sys.executable, "-c", code),
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout)


def containers(engine: EngineApi, service: Mapping[str, Any], organization: str) -> list[Container]:
    """The running containers of a service."""
    found = []
    label = f"com.docker.swarm.service.id={service['ID']}"
    for listed in engine.get("/containers/json", filters={"label": [label], "status": ["running"]}):
        whole = engine.get(f"/containers/{listed['Id']}/json")
        name, networks = service["Spec"]["Name"], whole["NetworkSettings"]["Networks"].values()
        names = {name, f"tasks.{name}", whole["Id"][:12], whole["Name"].lstrip("/"), whole["Config"]["Hostname"]}
        names |= {name for network in networks for name in network.get("DNSNames") or ()}
        addresses = {network["NetworkID"]: network["IPAddress"] for network in networks}
        found.append(Container(whole["Id"], name, organization, addresses, frozenset(names)))
    return found


def listening(command: Sequence[str]) -> set[Target]:
    """IPv4 address and port of each socket that listens on more than the loopback; ``command`` enters the network."""
    found = set()
    for line in _output(*command, "ss", "-Hltn").splitlines():
        address, _, port = line.split()[3].rpartition(":")
        address = address.strip("[]").partition("%")[0]
        if not address.startswith(("127.", "fe80:")) and address != "::1":
            found.add(("0.0.0.0" if address in ("*", "::") else address, int(port)))
    return found


def mounted(container: Container) -> list[tuple[str, str, str, set[str]]]:
    """What is mounted in it: where, which folder of the file system, which file system, options."""
    found = []
    for line in Path(f"/proc/{container.first.pid}/mountinfo").read_text().splitlines():
        left, _, right = line.partition(" - ")
        root, point, options = left.split()[3:6]
        found.append((point, root, right.split()[0], set(options.split(","))))
    return found


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _those(asked: Iterable[T], said: Iterable[bool]) -> list[T]:
    return [one for one, yes in zip(asked, said, strict=True) if yes]
