"""Do organizations' subnets come from addresses that nothing else uses? Pure, but for the host's routes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, ip_network
from pathlib import Path
from typing import Any

from controller.actions.doctor.findings import Check, ok, warn
from controller.settings import Settings
from reconcilers import labels

Document = Mapping[str, Any]
_ROUTES = Path("/proc/net/route")


def pool_checks(
    settings: Settings, info: Document, networks: Iterable[Document], routes: Iterable[IPv4Network]
) -> Iterator[Check]:
    """Do organizations' subnets come from addresses that nothing else uses?"""
    pool = settings.skypanel_subnet_pool
    mend = "set SKYPANEL_SUBNET_POOL to a range that is free"
    cluster = (info.get("Swarm") or {}).get("Cluster") or {}
    swarm_pools = [cidr for cidr in cluster.get("DefaultAddrPool") or [] if pool.overlaps(_ipv4(cidr))]
    used = sorted(
        f"{network['Name']} ({cidr})"
        for network in networks
        if (network.get("Labels") or {}).get(labels.INSTALLATION) != settings.skypanel_installation
        for cidr in _subnets(network)
        if pool.overlaps(_ipv4(cidr))
    )
    routed = sorted(str(route) for route in routes if pool.overlaps(route))
    if swarm_pools:
        yield warn(
            "address pool",
            f"{pool} overlaps the Swarm's default pool {', '.join(swarm_pools)}: networks without a subnet of their "
            "own may take our addresses",
            f"{mend}, or create the Swarm with another --default-addr-pool",
        )
    if used:
        yield warn("address pool", f"{pool} overlaps networks: {', '.join(used)}; these ranges are skipped", mend)
    if routed:
        yield warn("address pool", f"{pool} overlaps routes of this host: {', '.join(routed)}", mend)
    if not (swarm_pools or used or routed):
        yield ok("address pool", f"{pool}, used by nothing else")


def _subnets(network: Document) -> list[str]:
    pools = (network.get("IPAM") or {}).get("Config") or []
    return [pool["Subnet"] for pool in pools if pool.get("Subnet") and ":" not in pool["Subnet"]]


def _ipv4(cidr: str) -> IPv4Network:
    network = ip_network(cidr, strict=False)
    return network if isinstance(network, IPv4Network) else IPv4Network("0.0.0.0/32")


def host_routes(text: str | None = None) -> list[IPv4Network]:
    """IPv4 routes of this host but the default one, from the form of ``/proc/net/route``."""
    if text is None:
        text = _ROUTES.read_text(encoding="ascii") if _ROUTES.exists() else ""
    found = []
    for line in text.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 7 and fields[7] != "00000000":
            address, mask = (int.from_bytes(bytes.fromhex(fields[i]), "little") for i in (1, 7))
            found.append(IPv4Network((address, mask.bit_count())))
    return found
