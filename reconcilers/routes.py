"""Traefik labels of a service: which hosts the edge sends to it.

Labels, as Traefik's Swarm provider reads them from the service. Service and middleware bear the name of the Swarm
service, which is unique over all tenants; the network is always named, because Traefik otherwise takes any one of a
task's networks (traefik#3535). Each host has a router of its own: what is wrong with one, above all its certificate, is
nothing to the others.

What is suspended has no task, and so no route. Its hosts are led to a page instead, which the edge has, by labels of
the organization's pin: routes of the lowest priority, which stand aside as soon as tasks are there again. They are no
routes of the owner's, whatever is asked of labels here.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from specs.names import router_name

RETRY_ATTEMPTS = 4
RETRY_INTERVAL = "50ms"
LABELS = "traefik."
_ROUTER = "traefik.http.routers."
_PAGE = f"{_ROUTER}page_"
"""No service's name begins so: slugs have no underscore."""
SUSPENDED = "skypanel-suspended"
"""What the edge calls the page; deploy/swarm/edge.yml."""
_RULE = ".rule"
_PORT_LABEL = ".loadbalancer.server.port"
_HOST = re.compile(r"Host\(`([^`]*)`\)")
_NO_HOSTS: frozenset[str] = frozenset()
"""One for all that have none."""


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


def page_labels(
    name: str, *, network: str, hostnames: Sequence[str], entrypoints: Sequence[str], cert_resolver: str | None
) -> dict[str, str]:
    """Labels of the service ``name`` that lead ``hostnames`` to the page of what is suspended, as long as nothing else
    has them; none at all without a hostname.
    """
    if not hostnames:
        return {}
    labels = {
        "traefik.enable": "true",
        "traefik.swarm.network": network,
        # Nothing is led there, but without a port Traefik leaves the whole service out.
        f"traefik.http.services.{name}.loadbalancer.server.port": "1",
    }
    for hostname in sorted(hostnames):
        router = f"{_PAGE}{router_name(name, hostname)}"
        labels[f"{router}{_RULE}"] = _rule([hostname])
        labels[f"{router}.entrypoints"] = ",".join(entrypoints)
        labels[f"{router}.service"] = SUSPENDED
        labels[f"{router}.priority"] = "1"
        if cert_resolver:
            labels[f"{router}.tls"] = "true"
            labels[f"{router}.tls.certresolver"] = cert_resolver
    return labels


def paged(labels: Mapping[str, str]) -> frozenset[str]:
    """The host names that ``labels`` lead to the page of what is suspended."""
    rules = (value for key, value in labels.items() if key.startswith(_PAGE) and key.endswith(_RULE))
    return frozenset(found for rule in rules for found in _HOST.findall(rule))


def at_port(labels: Mapping[str, str], port: str | None) -> dict[str, str]:
    """``labels`` with their routes going to ``port``; None: as they are."""
    return {k: port if port is not None and k.endswith(_PORT_LABEL) else v for k, v in labels.items()}


def hostnames_of(labels: Mapping[str, str]) -> frozenset[str]:
    """The host names that ``labels`` route."""
    rules = [value for key, value in labels.items() if _routes(key)]
    return frozenset(found for rule in rules for found in _HOST.findall(rule)) if rules else _NO_HOSTS


def without_hosts(labels: Mapping[str, str], hostnames: Container[str]) -> dict[str, str]:
    """``labels`` without rules for ``hostnames``; a router that is left without one goes, and all when none is left."""
    kept = dict(labels)
    for key, rule in labels.items():
        if not _routes(key):
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


def _routes(key: str) -> bool:
    return key.startswith(_ROUTER) and key.endswith(_RULE) and not key.startswith(_PAGE)


def _rule(hostnames: Sequence[str]) -> str:
    return " || ".join(f"Host(`{hostname}`)" for hostname in sorted(hostnames))
