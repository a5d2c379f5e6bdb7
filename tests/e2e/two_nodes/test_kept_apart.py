"""Tenants with tasks on two nodes: each reaches its own on both of them, and nothing of another, by no address.

What a process is and has is shown on one node (`tests/e2e/test_isolation.py`); here it is whom it reaches across nodes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product

import pytest

from deploy import firewall
from deploy.engine import Lab
from deploy.postgres import Server
from reconcilers import labels
from tests.e2e import inside
from tests.e2e.inside import Container, Target
from tests.e2e.test_isolation import NO_PORT
from tests.e2e.world import World, eventually, world

pytestmark = [pytest.mark.long, pytest.mark.timeout(300)]

SLUGS = ("acme", "beta")
PROCESSES = ("web", "worker")
INTERNAL = tuple(f"{process}.production.shop.internal" for process in PROCESSES)
OF_THE_SWARM = (2377, 7946)
"""Ports of the engines; workers have the second one alone."""


@dataclass(frozen=True)
class Standing:
    """What runs, by the number of its node: the tenants' containers, the pins, and what is the platform's."""

    world: World
    tenants: dict[int, list[Container]]
    pins: list[Container]
    platform: list[Container]

    @property
    def inmates(self) -> list[Container]:
        """All that belongs to an organization."""
        return [*self.pins, *(one for found in self.tenants.values() for one in found)]

    def shared(self, container: Container) -> set[str]:
        """The edge's address in the container's network, and the container's own addresses.

        What is behind an address of a node's bridge depends on the node: there it is the container itself.
        """
        (network,) = container.networks
        return {one.networks[network] for one in self.platform if network in one.networks} | set(container.addresses)

    def strange(self, container: Container) -> list[Target]:
        """Everything that is not its organization's, on each port where something listens and on one more."""
        others = (o for o in (*self.inmates, *self.platform) if o.organization != container.organization)
        every = {
            target
            for other in others
            for target in product(other.addresses - self.shared(container), other.listening | {NO_PORT})
        }
        return sorted(every)

    def own(self, container: Container) -> list[Target]:
        """All of its organization's, on both nodes, by their addresses in its network."""
        (network,) = container.networks
        home = (o for o in self.inmates if o.organization == container.organization and o is not container)
        return sorted({target for o in home for target in product([o.networks[network]], o.listening | {NO_PORT})})


@pytest.fixture(scope="module")
def standing(lab: Lab, server: Server, http_port: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    """Two organizations, with what has the same names, on both nodes."""
    with world(lab, server, "apart", tmp_path_factory.mktemp("apart"), http_port=http_port) as here:
        here.controller().start()
        environments = []
        for slug in SLUGS:
            shop = here.environment(here.app(here.organization(slug), "shop"))
            here.insert("paas_processes", environment_id=shop, type="web", port=8080, instances=2)
            here.insert("paas_processes", environment_id=shop, type="worker", args=["worker"], instances=2)
            here.insert("paas_domains", environment_id=shop, hostname=f"{slug}.{here.name}.localhost")
            environments.append(shop)
        for shop in environments:
            here.wait_ready(shop)
        eventually(lambda: len(here.edge_networks() & set(here.networks())) == len(SLUGS), what="the edge is on all")
        pins: list[Container] = []
        tenants: dict[int, list[Container]] = {}
        platform: list[Container] = []
        for node in lab.nodes:
            for service in here.services().values():
                owner = service["Spec"]["Labels"][labels.ORGANIZATION]
                found = inside.containers(node.api(), service, owner)
                (pins if "pin_" in service["Spec"]["Name"] else tenants.setdefault(node.index, [])).extend(found)
            for name in ("skypanel-edge", "skypanel-edge-socket", "skypanel-edge-page"):
                platform += inside.containers(node.api(), here.engine.get(f"/services/{name}"), "")
        whole = {number: len(found) for number, found in tenants.items()}
        assert whole == {1: len(SLUGS) * len(PROCESSES), 2: len(SLUGS) * len(PROCESSES)}, "one of each on each node"
        assert (len(pins), len(platform)) == (len(SLUGS), 3)
        standing = Standing(here, tenants, pins, platform)
        for container in standing.inmates:
            eventually(partial(knows_both, container), seconds=120, what="nodes have told each other what is on them")
        yield standing


def knows_both(container: Container) -> bool:
    """Whether a container knows its organization's tasks on both nodes."""
    return [len(found) for found in container.resolves(INTERNAL).values()] == [2] * len(INTERNAL)


def reached(containers: Sequence[Container], targets: Sequence[list[Target]]) -> list[list[Target]]:
    """What each of the containers reaches of its targets."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(Container.reaches, containers, targets))


def test_no_name_of_another_organization_is_known_on_either_node(standing: Standing) -> None:
    every = (*standing.inmates, *standing.platform)
    names = sorted({name for container in every for name in container.names} | set(INTERNAL))
    home = {address: one.organization for one in standing.inmates for address in one.networks.values()}
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda container: container.resolves(names), standing.inmates))
    for container, known in zip(standing.inmates, said, strict=True):
        found = {address for addresses in known.values() for address in addresses} - standing.shared(container)
        assert {home.get(address) for address in found} == {container.organization}, container.service
        for name in INTERNAL:
            assert len(known[name]) == 2, "the same name, and each has its own, on both nodes"


def test_no_address_of_another_organization_or_of_the_platform_answers_across_nodes(standing: Standing) -> None:
    everybody = standing.inmates
    own = [standing.own(container) for container in everybody]
    assert reached(everybody, own) == own, "its own organization answers on both nodes, else this shows nothing"
    for container, found in zip(everybody, reached(everybody, [standing.strange(c) for c in everybody]), strict=True):
        assert found == [], container.service


def test_with_the_table_on_both_nodes_organizations_span_them_and_reach_nothing_of_the_hosts(
    standing: Standing, lab: Lab
) -> None:
    everybody = standing.inmates
    own = [standing.own(container) for container in everybody]
    hosts = [[(node.address, port) for node in lab.nodes for port in OF_THE_SWARM] for _ in everybody]
    assert all(reached(everybody, hosts)), "without the table they are open: else this shows nothing"
    firewall.apply(lab)
    try:
        assert reached(everybody, hosts) == [[] for _ in everybody]
        assert reached(everybody, own) == own
    finally:
        firewall.remove(lab)


def test_no_container_has_an_address_of_version_6(standing: Standing) -> None:
    """So there is no pair to try: not even one that is good on its own network alone."""
    every = [*standing.inmates, *standing.platform]
    assert {container.service: container.addresses_of_version_6 for container in every} == {
        container.service: frozenset() for container in every
    }
    (one, *_) = standing.tenants[2]
    one.set("net.ipv6.conf.eth0.disable_ipv6", "0")
    try:
        assert one.addresses_of_version_6, "the node's kernel could: else this shows nothing"
    finally:
        one.set("net.ipv6.conf.eth0.disable_ipv6", "1")
