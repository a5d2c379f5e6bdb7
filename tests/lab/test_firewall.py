"""What a tenant's container reaches of the hosts, on two nodes, without and with the table on every node."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy import engine, firewall
from deploy.engine import IMAGE_PREFIX, Lab, Node
from tests.lab.support import eventually

NAME = "lab-firewall"
ROOT = Path(__file__).parents[2]
OUTSIDE, METADATA = "198.51.100.7", "169.254.169.254"
PORT = 9470
"""Where something listens on each node that is none of the tenants' business."""
PROBE = """
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
print(json.dumps(list(ThreadPoolExecutor(16).map(answers, json.loads(sys.argv[1])))))
"""
LISTEN = """
import socket, sys
listening = [socket.create_server((address, int(sys.argv[1]))) for address in sys.argv[2:]]
print("ready", flush=True)
sys.stdin.read()
"""
HEAR = """
import socket
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.bind(("0.0.0.0", 9999))
print("ready", flush=True)
ear.settimeout(1.5)
try:
    print(ear.recv(100).decode(), flush=True)
except TimeoutError:
    print("nothing", flush=True)
"""
SEND = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
try:
    for _ in range(3):
        out.sendto(bytes.fromhex(sys.argv[2]), (sys.argv[1], 4789))
except PermissionError:
    pass
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A running task: where it is, and its addresses by network."""

    node: Node
    namespace: str
    addresses: dict[str, str]

    def command(self, code: str, *arguments: str) -> list[str]:
        """Run Python in the task's network."""
        own = self.node.daemon.sandbox
        return own.command("nsenter", f"--net={self.namespace}", "--", sys.executable, "-c", code, *arguments)

    def reaches(self, *targets: tuple[str, int]) -> list[bool]:
        """Which of the targets answer."""
        done = subprocess.run(self.command(PROBE, json.dumps(targets)), capture_output=True, text=True, check=True)
        found: list[bool] = json.loads(done.stdout)
        return found


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[Lab]:
    engine.down(NAME)
    yield engine.up(NAME, nodes=2, images=["web"])
    engine.down(NAME)


@pytest.fixture(scope="module")
def tenants(two_nodes: Lab) -> dict[str, Task]:
    """Two organizations with a network each: ``a1`` and ``b1`` on the first node, ``a2`` and ``b2`` on the second."""
    api = two_nodes.api()
    ids = {node["Status"]["Addr"]: node["ID"] for node in api.get("/nodes")}
    for network, number in (("a", 71), ("b", 72)):
        pool = {"Subnet": f"10.{number}.0.0/24"}
        api.post("/networks/create", {"Name": network, "Driver": "overlay", "IPAM": {"Config": [pool]}})
    for name in ("a1", "a2", "b1", "b2"):
        place = ids[two_nodes.nodes[int(name[1]) - 1].address]
        template = {
            "ContainerSpec": {"Image": f"{IMAGE_PREFIX}/web:1", "CapabilityDrop": ["ALL"]},
            "Networks": [{"Target": name[0]}],
            "Placement": {"Constraints": [f"node.id == {place}"]},
        }
        api.post("/services/create", {"Name": name, "TaskTemplate": template, "EndpointSpec": {"Mode": "dnsrr"}})
    return {name: _task(two_nodes, name) for name in ("a1", "a2", "b1", "b2")}


@pytest.fixture(scope="module")
def listeners(two_nodes: Lab) -> Iterator[None]:
    """Something of the hosts' on each node, a metadata address, and the world outside."""
    for address in (OUTSIDE, METADATA):
        subprocess.run(
            two_nodes.switch.network_command("ip", "addr", "replace", f"{address}/32", "dev", "br0"), check=True
        )
    places: list[tuple[list[str], list[str]]] = [
        (two_nodes.switch.network_command(), ["443", OUTSIDE]),
        (two_nodes.switch.network_command(), ["80", METADATA]),
        *((n.daemon.sandbox.network_command(), [str(PORT), n.address]) for n in two_nodes.nodes),
    ]
    started = [_started([*where, sys.executable, "-c", LISTEN, *what]) for where, what in places]
    yield
    for process in started:
        process.communicate()


@contextmanager
def in_place(lab: Lab) -> Iterator[None]:
    firewall.apply(lab)
    try:
        yield
    finally:
        firewall.remove(lab)


def of_the_hosts(lab: Lab) -> list[tuple[str, int]]:
    """What no tenant should reach."""
    return [
        *((node.address, port) for node in lab.nodes for port in (PORT, 7946)),
        (lab.nodes[0].address, 2377),
        (METADATA, 80),
    ]


def test_a_container_reaches_the_world_and_its_own_network_and_nothing_of_the_hosts(
    two_nodes: Lab, tenants: dict[str, Task], listeners: None
) -> None:
    task, own = tenants["a1"], (tenants["a2"].addresses["a"], 8080)
    assert task.reaches((OUTSIDE, 443), own) == [True, True]
    assert all(task.reaches(*of_the_hosts(two_nodes))), "without the table all of it is open: else this shows nothing"
    with in_place(two_nodes):
        for name in ("a1", "a2"):
            assert not any(tenants[name].reaches(*of_the_hosts(two_nodes)))
        assert task.reaches((OUTSIDE, 443), own) == [True, True]
    assert all(task.reaches(*of_the_hosts(two_nodes))), "it went, and left something behind"


def test_a_frame_that_a_container_forges_does_not_arrive_in_another_organizations_network(
    two_nodes: Lab, tenants: dict[str, Task]
) -> None:
    # From one node to the other, and to a task on the very node.
    for victim in ("b2", "b1"):
        assert _hears_what_is_forged(two_nodes, tenants["a1"], tenants[victim]), "without the table it does"
    with in_place(two_nodes):
        for victim in ("b2", "b1"):
            assert not _hears_what_is_forged(two_nodes, tenants["a1"], tenants[victim])


def test_applying_it_again_changes_nothing_and_puts_right_what_a_hand_took_out(two_nodes: Lab) -> None:
    node = two_nodes.nodes[0]
    assert firewall.status(node).startswith("not there")
    with in_place(two_nodes):
        before = _listing(node)
        firewall.apply(two_nodes)
        assert _listing(node) == before
        assert firewall.status(node) == "in place"
        assert all(_knows(node, other.address) for other in two_nodes.nodes), "a manager knows all nodes"
        subprocess.run(
            node.daemon.sandbox.network_command("nft", "flush", "chain", "inet", "skypanel", "forward"), check=True
        )
        assert firewall.status(node).startswith("in place, and not as it should be")
        firewall.apply(two_nodes)
        assert firewall.status(node) == "in place"
    assert "skypanel" not in _listing(node)


def test_doctor_looks_from_inside_a_container_and_says_what_it_reaches(
    two_nodes: Lab, tenants: dict[str, Task], listeners: None
) -> None:
    del tenants, listeners
    found = _doctor(two_nodes.nodes[0])
    assert found["level"] == "fail"
    assert f"{two_nodes.nodes[1].address}:7946" in found["message"]
    assert f"{METADATA}:80" in found["message"]
    with in_place(two_nodes):
        assert _doctor(two_nodes.nodes[0])["level"] == "ok"


def _task(lab: Lab, name: str) -> Task:
    def running() -> list[dict[str, Any]]:
        tasks = lab.api().get("/tasks", filters={"service": [name], "desired-state": ["running"]})
        return [task for task in tasks if task["Status"]["State"] == "running"]

    task = eventually(running, what=f"{name} runs")[0]
    addresses = {n["Network"]["Spec"]["Name"]: n["Addresses"][0].split("/")[0] for n in task["NetworksAttachments"]}
    for node in lab.nodes:
        if node.api().get("/info")["Swarm"]["NodeID"] == task["NodeID"]:
            container = task["Status"]["ContainerStatus"]["ContainerID"]
            settings = node.api().get(f"/containers/{container}/json")["NetworkSettings"]
            return Task(node, settings["SandboxKey"], addresses)
    raise AssertionError(f"{name} runs on none of the nodes")


def _started(command: list[str]) -> subprocess.Popen[str]:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _hears_what_is_forged(lab: Lab, attacker: Task, victim: Task) -> bool:
    """A VXLAN frame with a datagram for the victim, sent by the attacker to the victim's node like any datagram."""
    number = int(lab.api().get("/networks/b")["Options"]["com.docker.network.driver.overlay.vxlanid_list"])
    with _started(victim.command(HEAR)) as ear:
        frame = _frame(number, victim.addresses["b"], b"forged")
        subprocess.run(attacker.command(SEND, victim.node.address, frame.hex()), check=True)
        assert ear.stdout is not None
        return ear.stdout.readline() == "forged\n"


def _frame(number: int, address: str, payload: bytes) -> bytes:
    """A datagram to port 9999 of ``address`` in VXLAN; hardware addresses in an overlay follow from its IPs."""
    hardware = b"\x02\x42" + socket.inet_aton(address)
    datagram = struct.pack("!HHHH", 1234, 9999, 8 + len(payload), 0) + payload
    source = socket.inet_aton(address.rsplit(".", 1)[0] + ".77")
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0, source, socket.inet_aton(address))
    total = sum(struct.unpack("!10H", head))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:]
    return (
        struct.pack("!BBHI", 8, 0, 0, number << 8)
        + hardware
        + b"\x02\x42\x0a\x48\x00\x4d"
        + b"\x08\x00"
        + head
        + datagram
    )


def _listing(node: Node) -> str:
    command = node.daemon.sandbox.network_command("nft", "-s", "list", "ruleset")
    listing = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return listing[listing.index("table inet skypanel") :] if "table inet skypanel" in listing else ""


def _knows(node: Node, address: str) -> bool:
    element = ("nft", "get", "element", "inet", "skypanel", "nodes4", f"{{ {address} }}")
    return (
        subprocess.run(node.daemon.sandbox.network_command(*element), capture_output=True, check=False).returncode == 0
    )


def _doctor(node: Node) -> dict[str, str]:
    """What doctor says of it, run on the node itself."""
    own = {"DOCKER_HOST": "unix:///run/docker.sock", "PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    command = node.daemon.sandbox.command(sys.executable, "-m", "controller", "doctor", "-o", "json")
    done = subprocess.run(command, env=own, capture_output=True, text=True, check=False)
    found: list[dict[str, str]] = json.loads(done.stdout)
    return next(check for check in found if check["name"] == "hosts' firewall")
