"""Tenants are kept from each other and from what runs them: every container against everything that is not its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import pytest

from deploy import firewall
from deploy.engine import Lab
from deploy.postgres import Server
from reconcilers import labels
from reconcilers.baseline import NOFILE
from reconcilers.helper import PROGRAM
from tests.e2e import inside
from tests.e2e.inside import Container
from tests.e2e.world import REGISTRY, World, eventually, world

MIB = 1024 * 1024
METADATA = "169.254.169.254"
NO_PORT = 9
"""Where nothing listens: a refusal there, too, says that one was reached."""
OF_THE_HOSTS = {"an engine": 2375, "PostgreSQL": 5432, "a controller": 9470, "ssh": 22}
"""What hosts have beside the Swarm; the filter does not see what a program is, so that some programs listen there."""
LISTEN = """
import socket, sys
listening = [socket.create_server(("0.0.0.0", int(port))) for port in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Bounds:
    """What a task was declared with."""

    uid: int = 65534
    read_only: bool = True
    tmpfs: tuple[tuple[str, int], ...] = (("/tmp", 64),)
    memory: int = 16
    cpu: float = 0.5
    pids: int = 256
    nofile: int = NOFILE
    volumes: tuple[str, ...] = ()


PIN = Bounds(tmpfs=(), cpu=0, pids=8)
BOUNDS = {
    "acme": Bounds(),
    "beta": Bounds(
        uid=0, read_only=False, tmpfs=(("/run/app", 8), ("/tmp", 64)), memory=24, cpu=0.25, pids=100, nofile=2048
    ),
    "gamma": Bounds(uid=999, memory=32, volumes=("/data",)),
}
"""By organization; two of them have an app, an environment and processes of the same names."""


@dataclass(frozen=True)
class Standing:
    """What runs: the tenants' containers, the pins in their networks, and what is the platform's."""

    world: World
    tenants: list[Container]
    pins: list[Container]
    edge: Container
    door: Container
    slugs: dict[str, str]

    def bounds(self, container: Container) -> Bounds:
        """What was declared for it."""
        return PIN if container in self.pins else BOUNDS[self.slugs[container.organization]]

    def edge_of(self, container: Container) -> str:
        """The edge's address in the container's network."""
        (network,) = container.networks
        return self.edge.networks[network]


@pytest.fixture(scope="module")
def standing(lab: Lab, server: Server, http_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """Three organizations, up and routed."""
    with world(lab, server, "isolation", tmp_path_factory.mktemp("isolation"), http_port=http_port) as here:
        here.controller().start()
        slugs = {here.organization(slug): slug for slug in BOUNDS}
        environments = _declared(here, {slug: key for key, slug in slugs.items()})
        for environment in environments:
            here.wait_ready(environment)
        eventually(lambda: len(here.edge_networks() & set(here.networks())) == len(slugs), what="the edge is on all")
        pins: list[Container] = []
        tenants: list[Container] = []
        for service in here.services().values():
            found = inside.containers(here.engine, service, service["Spec"]["Labels"][labels.ORGANIZATION])
            (pins if "pin_" in service["Spec"]["Name"] else tenants).extend(found)
        (edge,), (door,) = (
            inside.containers(here.engine, here.engine.get(f"/services/{name}"), "")
            for name in ("skypanel-edge", "skypanel-edge-socket")
        )
        assert (len(tenants), len(pins)) == (5, 3)
        yield Standing(here, tenants, pins, edge, door, slugs)


def _declared(here: World, organizations: dict[str, str]) -> list[str]:
    plan = here.root(
        "INSERT INTO paas_plans (name, cpu_limit, memory_mb, pids_limit) VALUES ('small', 0.25, 24, 100) RETURNING id"
    )[0]["id"]
    acme = here.environment(here.app(organizations["acme"], "shop"))
    beta = here.environment(
        here.app(organizations["beta"], "shop"),
        plan_id=plan,
        memory_mb=None,
        run_as="0:0",
        read_only_root=False,
        tmpfs_paths=["/tmp", "/run/app:size=8Mi"],
        ulimits='{"nofile": 2048}',
    )
    gamma = here.environment(
        here.app(organizations["gamma"], "cache"),
        image_ref=f"{REGISTRY}/skypanel/redis:7",
        cmd=["redis-server", "--save", ""],
        port=6379,
        run_as="999:999",
        memory_mb=32,
    )
    for environment in (acme, beta):
        here.insert("paas_processes", environment_id=environment, type="web", port=8080)
        here.insert("paas_processes", environment_id=environment, type="worker", args=["worker"])
    for slug, environment in (("acme", acme), ("beta", beta)):
        here.insert("paas_domains", environment_id=environment, hostname=f"{slug}.{here.name}.localhost")
    return [acme, beta, gamma]


# -- what a process is ------------------------------------------------------------------------------------------------


def test_no_process_has_a_right_or_can_get_one(standing: Standing) -> None:
    for container in (*standing.tenants, *standing.pins):
        for process in container.processes:
            status, uid = process.status, str(standing.bounds(container).uid)
            sets = {name: int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")}
            assert set(sets.values()) == {0}, (container.service, sets)
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), container.service
            assert set(status["Uid"].split()) == {uid}, "who it is, and root only where that is declared"


def test_every_limit_is_the_kernel_s(standing: Standing) -> None:
    for container in (*standing.tenants, *standing.pins):
        declared, process = standing.bounds(container), container.first  # the others have it from this one
        assert process.control("pids", "pids.max", "pids.max") == str(declared.pids)
        assert process.control("memory", "memory.limit_in_bytes", "memory.max") == str(declared.memory * MIB)
        cpu = process.control("cpu", "cpu.cfs_quota_us", "cpu.max").split()[0]
        assert cpu == (f"{declared.cpu * 100_000:.0f}" if declared.cpu else "-1"), container.service
        for name, limit in (("Max open files", declared.nofile), ("Max core file size", 0)):
            assert process.limit(name) == (str(limit), str(limit)), container.service


def test_nothing_of_the_host_is_mounted_and_only_what_was_declared_can_be_written_to(standing: Standing) -> None:
    volumes: list[str] = []
    for container in (*standing.tenants, *standing.pins):
        declared, mounts = standing.bounds(container), inside.mounted(container)
        by_point = {point: options for point, _, _, options in mounts}
        assert ("ro" in by_point["/"]) == declared.read_only
        for path, size in declared.tmpfs:
            options, system, more = container.first.mounts[path]
            assert system == "tmpfs"
            assert {"rw", "nosuid", "nodev", "noexec"} <= options, (container.service, path)
            assert f"size={size * 1024}k" in more
        volumes += [root for point, root, _, _ in mounts if point in declared.volumes]
        for point, root, system, options in mounts:
            if point in declared.volumes:
                assert Path(root).parts[-3] == "volumes", "the engine's, unnamed, of this container alone"
            elif system in ("ext4", "xfs", "btrfs") and point != "/":
                own = f"/containers/{container.id}/" in root
                assert "ro" in options or not declared.read_only, (container.service, point)
                assert own or (Path(root).name in ("tini-static", "docker-init") and "ro" in options), (point, root)
            elif point not in dict(declared.tmpfs) and point != "/":
                kernels = point.startswith(("/proc", "/sys", "/dev"))
                helper = point == PROGRAM and "ro" in options
                assert kernels or helper, (container.service, point, root, system)
    assert len(volumes) == len(set(volumes)) == 1


# -- whom it reaches --------------------------------------------------------------------------------------------------


def test_no_name_of_another_organization_is_known(standing: Standing) -> None:
    every = (*standing.tenants, *standing.pins)
    internal = ["web.production.shop.internal", "worker.production.shop.internal", "web.production.cache.internal"]
    names = sorted({name for c in (*every, standing.edge, standing.door) for name in c.names} | set(internal))
    home = {address: c.organization for c in every for address in c.networks.values()}
    for container in every:
        known = container.resolves(names)
        strangers = {
            name: address
            for name, found in known.items()
            for address in found
            if home.get(address) != container.organization and address != standing.edge_of(container)
        }
        assert not strangers, container.service
        assert container.service in known, "its own is known, else this shows nothing"
    for slug, name in (("acme", internal[0]), ("beta", internal[0]), ("gamma", internal[2])):
        for container in every:
            if standing.slugs[container.organization] == slug:
                assert container.resolves([name])[name], "the same name, and each has its own"


def test_no_address_of_another_organization_or_of_the_platform_answers(standing: Standing) -> None:
    every = (*standing.tenants, *standing.pins, standing.edge, standing.door)
    for container in (*standing.tenants, *standing.pins):
        closed, own = [], []
        for other in every:
            targets = list(product(sorted(other.addresses), sorted(other.listening | {NO_PORT})))
            if other.organization == container.organization:
                own += [(a, port) for a, port in targets if a in other.networks.values()]
            else:
                closed += [(a, port) for a, port in targets if a != standing.edge_of(container)]
        assert container.reaches(closed) == [], container.service
        assert container.reaches(own) == own, "its own organization answers, else this shows nothing"


def test_the_edge_gives_a_tenant_what_it_gives_the_world_and_nothing_of_its_own(standing: Standing) -> None:
    here, edge = standing.world, standing.edge
    hosts = [f"{slug}.{here.name}.localhost" for slug in ("acme", "beta")]
    eventually(lambda: [here.curl(host)[0] for host in hosts] == [200, 200], what="both are routed")
    others = {name for c in (*standing.tenants, standing.door) for name in (*c.names, *c.networks.values())}
    strange = [*sorted(others), "web.production.shop.internal", "traefik", "skypanel-api", "localhost"]
    secrets = ["/api/rawdata", "/api/http/routers", "/dashboard/", "/metrics", "/debug/pprof/", "/debug/vars"]
    for container in (*standing.tenants, *standing.pins):
        address = standing.edge_of(container)
        assert container.asks([(address, 80, host, "/") for host in hosts]) == [200, 200]
        assert set(container.asks([(address, 80, host, "/") for host in strange])) == {404}
        assert set(container.asks([(address, 80, host, path) for host in strange[-2:] for path in secrets])) == {404}
        for port in sorted(edge.listening - {80}):
            said = container.asks([(address, port, "localhost", path) for path in secrets])
            assert set(said) <= {401, 404}, (container.service, port, said)


def test_the_edge_forwards_nothing_from_one_network_to_another(standing: Standing) -> None:
    """Not even for one that could set routes, which no tenant can."""
    declared = standing.world.engine.get("/services/skypanel-edge")["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert declared["Sysctls"] == {"net.ipv4.ip_forward": "0"}, "otherwise it has what the host has"
    tenants = {standing.slugs[c.organization]: c for c in standing.tenants}
    pairs = list(permutations(tenants.values(), 2))
    acme, beta = tenants["acme"], tenants["beta"]
    (address,) = beta.networks.values()
    for one, other in pairs:
        (there,) = other.networks.values()
        assert not one.is_heard_by(other, there, route=standing.edge_of(one)), (one.service, other.service)
    loose = bytes([131, 7, 4, *map(int, address.split(".")), 0])
    assert not acme.is_heard_by(beta, standing.edge_of(acme), options=loose), "a route that the datagram itself names"
    standing.edge.set("net.ipv4.ip_forward", "1")
    try:
        assert acme.is_heard_by(beta, address, route=standing.edge_of(acme)), "it would: else this shows nothing"
    finally:
        standing.edge.set("net.ipv4.ip_forward", "0")


# -- the hosts --------------------------------------------------------------------------------------------------------


def test_with_the_table_nothing_of_the_hosts_answers_but_the_edge(standing: Standing, lab: Lab) -> None:
    (node,) = lab.nodes
    command = node.daemon.sandbox.network_command
    subprocess.run(command("ip", "address", "replace", f"{METADATA}/32", "dev", "lo"), check=True)
    ports = list(map(str, OF_THE_HOSTS.values()))
    with subprocess.Popen(
        command(sys.executable, "-c", LISTEN, *ports), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as programs:
        assert programs.stdout is not None
        assert programs.stdout.readline() == "ready\n"
        links = json.loads(subprocess.run(command("ip", "-j", "-4", "address"), capture_output=True, check=True).stdout)
        addresses = [a["local"] for link in links for a in link["addr_info"] if not a["local"].startswith("127.")]
        assert {node.address, METADATA} < set(addresses), "also those of the engine's bridges"
        listening = inside.listening(command())
        every = sorted({(a, port) for a in addresses for at, port in listening if at in ("0.0.0.0", a)})
        assert set(OF_THE_HOSTS.values()) | {2377, 7946, 80, 8079} <= {port for _, port in every}
        try:
            for container in (*standing.tenants, *standing.pins):
                assert container.reaches(every) == every, "without the table all of it is open: else this shows nothing"
            firewall.apply(lab)
            for container in (*standing.tenants, *standing.pins):
                assert {port for _, port in container.reaches(every)} <= {80}, container.service
                assert container.reaches([(standing.edge_of(container), 80)]), "the edge serves"
        finally:
            firewall.remove(lab)
            subprocess.run(command("ip", "address", "delete", f"{METADATA}/32", "dev", "lo"), check=True)
            programs.communicate()
