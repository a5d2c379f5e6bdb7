"""Addresses of the Swarm's networks: subnets that do not overlap, and addresses in them.

The manager gives tasks addresses of the network's range (``IPRange``, else the whole subnet); a container that is
joined by hand gets its address from its own node, which knows nothing of the manager's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from ipaddress import IPv4Network

from tests.sim.swarm.objects import Network


@lru_cache(maxsize=4096)
def parse(subnet: str) -> IPv4Network:
    """A range of addresses."""
    return IPv4Network(subnet)


def overlapping(subnet: str, networks: Iterable[Network]) -> bool:
    """Whether one of ``networks`` has a part of it."""
    wanted = parse(subnet)
    return any(wanted.overlaps(parse(n.subnet)) for n in networks if n.subnet)


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
