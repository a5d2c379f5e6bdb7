"""Addresses of the Swarm's networks: subnets that do not overlap, and addresses in them.

The manager gives tasks addresses of the network's range (``IPRange``, else the whole subnet); a container that is
joined by hand gets its address from its own node, which knows nothing of the manager's.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network

from tests.sim.swarm.objects import Network


@lru_cache(maxsize=4096)
def parse(subnet: str) -> IPv4Network:
    """A range of addresses."""
    return IPv4Network(subnet)


def refused(subnet: str, task_range: str, networks: Iterable[Network]) -> bool:
    """Whether the manager cannot give a network this subnet.

    With a range for tasks it only looks for another network of the same two; without, for any that has a part of it.
    """
    if task_range:
        return any((n.subnet, n.task_range) == (subnet, task_range) for n in networks)
    wanted = parse(subnet)
    return any(wanted.overlaps(parse(n.subnet)) for n in networks if n.subnet)


def within(address: str, subnet: str) -> bool:
    """Whether an address is one of the subnet."""
    return IPv4Address(address) in parse(subnet)


@lru_cache(maxsize=4096)
def ends(subnet: str) -> tuple[str, str]:
    """The addresses of a subnet that nobody can have."""
    whole = parse(subnet)
    return str(whole.network_address), str(whole.broadcast_address)


def first_free(network: Network, taken: Container[str]) -> str:
    """What a node gives a container that asks for no address: it knows only those of its own containers."""
    free = (a for a in _hosts(network.subnet, network.task_range or network.subnet) if a not in taken)
    return next(free, network.gateway)


def next_free(pool: str, prefix: int, networks: Iterable[Network]) -> str:
    """The first subnet of that size that nobody has; empty when there is none."""
    taken = [parse(n.subnet) for n in networks if n.subnet]
    for candidate in parse(pool).subnets(new_prefix=prefix):
        if not any(candidate.overlaps(other) for other in taken):
            return str(candidate)
    return ""


def gateway(subnet: str) -> str:
    """The first address of a subnet."""
    return str(parse(subnet)[1])


def room(network: Network) -> bool:
    """Whether another address can be given."""
    return next(_free(network), None) is not None


def take(network: Network, owner: str) -> str:
    """Give ``owner`` the next free address."""
    address = next(_free(network))
    network.addresses[owner] = address
    return address


def _free(network: Network) -> Iterator[str]:
    taken = set(network.addresses.values()) | {network.gateway}
    for address in _hosts(network.subnet, network.task_range or network.subnet):
        if address not in taken:
            yield address


@lru_cache(maxsize=1024)
def _hosts(subnet: str, task_range: str) -> tuple[str, ...]:
    whole = parse(subnet)
    ends = {whole.network_address, whole.broadcast_address}
    return tuple(str(address) for address in parse(task_range) if address not in ends)
