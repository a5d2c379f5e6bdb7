"""Traefik labels of a service: which hosts the edge sends to it.

Labels, as Traefik's Swarm provider reads them from the service. Service and middleware bear the name of the Swarm
service, which is unique over all tenants; the network is always named, because Traefik otherwise takes any one of a
task's networks (traefik#3535). Each host has a router of its own: what is wrong with one, above all its certificate, is
nothing to the others.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from specs.names import router_name

RETRY_ATTEMPTS = 4
RETRY_INTERVAL = "50ms"
LABELS = "traefik."
_ROUTER = "traefik.http.routers."
_RULE = ".rule"
_PORT_LABEL = ".loadbalancer.server.port"
_HOST = re.compile(r"Host\(`([^`]*)`\)")


def traefik_labels(
    name: str,
    *,
    network: str,
    port: int,
    hostnames: Sequence[str],
    entrypoints: Sequence[str],
    cert_resolver: str | None,
) -> dict[str, str]:
    """Labels that route ``hostnames`` to ``port`` of the service ``name``; none at all without a hostname.

    The retry middleware covers the seconds in which Traefik still knows the address of a task that has gone: it
    retries, also what is no GET, only when no connection could be made.
    """
    if not hostnames:
        return {}
    retry = f"{name}-retry"
    labels = {
        "traefik.enable": "true",
        "traefik.swarm.network": network,
        f"traefik.http.services.{name}.loadbalancer.server.port": str(port),
        f"traefik.http.middlewares.{retry}.retry.attempts": str(RETRY_ATTEMPTS),
        f"traefik.http.middlewares.{retry}.retry.initialinterval": RETRY_INTERVAL,
    }
    for hostname in sorted(hostnames):
        router = f"{_ROUTER}{router_name(name, hostname)}"
        labels[f"{router}{_RULE}"] = _rule([hostname])
        labels[f"{router}.entrypoints"] = ",".join(entrypoints)
        labels[f"{router}.service"] = name
        labels[f"{router}.middlewares"] = retry
        if cert_resolver:
            labels[f"{router}.tls"] = "true"
            labels[f"{router}.tls.certresolver"] = cert_resolver
    return labels


def at_port(labels: Mapping[str, str], port: str | None) -> dict[str, str]:
    """``labels`` with their routes going to ``port``; None: as they are."""
    return {k: port if port is not None and k.endswith(_PORT_LABEL) else v for k, v in labels.items()}


def hostnames_of(labels: Mapping[str, str]) -> frozenset[str]:
    """The host names that ``labels`` route."""
    rules = (value for key, value in labels.items() if key.startswith(_ROUTER) and key.endswith(_RULE))
    return frozenset(found for rule in rules for found in _HOST.findall(rule))


def without_hosts(labels: Mapping[str, str], hostnames: Container[str]) -> dict[str, str]:
    """``labels`` without rules for ``hostnames``; a router that is left without one goes, and all when none is left."""
    kept = dict(labels)
    for key, rule in labels.items():
        if not (key.startswith(_ROUTER) and key.endswith(_RULE)):
            continue
        found = _HOST.findall(rule)
        left = [name for name in found if name not in hostnames]
        if left and len(left) < len(found):
            kept[key] = _rule(left)
        elif found and not left:
            router = key.removesuffix(_RULE) + "."
            kept = {k: v for k, v in kept.items() if not k.startswith(router)}
    if hostnames_of(labels) and not hostnames_of(kept):
        return {k: v for k, v in kept.items() if not k.startswith(LABELS)}
    return kept


def _rule(hostnames: Sequence[str]) -> str:
    return " || ".join(f"Host(`{hostname}`)" for hostname in sorted(hostnames))
