"""The address plan as ``skypanel.allocate_subnet`` and ``skypanel.release_subnet`` keep it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network

from psycopg import errors

from tests.sim.database.rows import Subnet

LONGEST_PREFIX = 30


@cache
def network(text: str) -> IPv4Network | IPv6Network:
    """A ``cidr``.

    Raises:
        psycopg.errors.InvalidTextRepresentation: it is none.
    """
    try:
        return ip_network(text)
    except ValueError as error:
        raise errors.InvalidTextRepresentation(str(error)) from None


def allocate(
    subnets: list[Subnet],
    organization_id: str,
    pool_text: str,
    prefix: int,
    excluded_texts: Sequence[str],
    quarantine: float,
    now: float,
) -> tuple[str | None, int]:
    """The organization's subnet, or None when the pool is used up; and how many rows were written.

    Raises:
        psycopg.errors.InvalidParameterValue: the size does not fit into the pool.
    """
    pool = network(pool_text)
    if not isinstance(pool, IPv4Network) or not pool.prefixlen <= prefix <= LONGEST_PREFIX:
        raise errors.InvalidParameterValue(f"a /{prefix} network does not fit into the pool {pool_text}")
    excluded = [network(text) for text in excluded_texts]
    rows = 0
    own = next((s for s in subnets if s.organization_id == organization_id), None)
    if own is not None:
        if not any(own.network.overlaps(other) for other in excluded):
            return str(own.network), 0
        rows += release(subnets, organization_id, now)
    resting = now - quarantine
    taken = [s.network for s in subnets if not (s.state == "quarantined" and (s.released_at or 0.0) <= resting)]
    chosen = _lowest_free(pool, prefix, [*taken, *(n for n in excluded if isinstance(n, IPv4Network))])
    if chosen is None:
        return None, rows
    subnets[:] = [s for s in subnets if not s.network.overlaps(chosen)]
    subnets.append(Subnet(chosen, organization_id, "allocated"))
    return str(chosen), rows + 1


def adopt(
    subnets: list[Subnet], organization_id: str, wanted: IPv4Network, instead_of: str | None, now: float
) -> tuple[str | None, int]:
    """Whose it is when it is somebody else's in the plan, or None; and how many rows were written."""
    if any(s.organization_id == organization_id and s.network == wanted for s in subnets):
        return None, 0
    overlapping = [s for s in subnets if s.network.overlaps(wanted)]
    for other in sorted(overlapping, key=lambda s: str(s.network)):
        mine = other.organization_id in (organization_id, instead_of) and other.organization_id is not None
        if other.state != "quarantined" and not mine:
            return f"organization {other.organization_id}" if other.organization_id else other.state, 0
    rows = release(subnets, organization_id, now)
    subnets[:] = [s for s in subnets if not s.network.overlaps(wanted)]
    subnets.append(Subnet(wanted, organization_id, "allocated"))
    return None, rows + 1


def release(subnets: list[Subnet], organization_id: str, now: float) -> int:
    """Into quarantine with the organization's subnet; how many rows that changed."""
    for index, subnet in enumerate(subnets):
        if subnet.organization_id == organization_id:
            subnets[index] = Subnet(subnet.network, None, "quarantined", now)
            return 1
    return 0


def _lowest_free(pool: IPv4Network, prefix: int, taken: Iterable[IPv4Network]) -> IPv4Network | None:
    size = 1 << (32 - prefix)
    first = int(pool.network_address)
    ranges = sorted((int(n.network_address), int(n.broadcast_address)) for n in taken)
    for begin, end in ranges:
        if end < first:
            continue
        if begin >= first + size:
            break
        first = (end + size) // size * size
    return IPv4Network((first, prefix)) if first + size - 1 <= int(pool.broadcast_address) else None
