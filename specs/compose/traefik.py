"""Host names and the port in labels of Traefik; of other rules nothing is taken."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ROUTER = re.compile(r"traefik\.http\.routers\.[^.]+\.rule", re.IGNORECASE)
_PORT = re.compile(r"traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port", re.IGNORECASE)
_QUOTED = r"""(?:`[^`]*`|"[^"]*"|'[^']*')"""
_HOST = re.compile(rf"Host\(\s*({_QUOTED}(?:\s*,\s*{_QUOTED})*)\s*\)")
_NEEDLESS = re.compile(r"traefik\.(enable|docker\.network|swarm\.network|http\.routers\.[^.]+\."
                       r"(entrypoints|tls|tls\.certresolver|service))", re.IGNORECASE)  # fmt: skip


@dataclass(slots=True)
class Routes:
    """What labels say.

    Args:
        hosts: host names, by the label that has them.
        port: as it is written; empty when none is.
        rest: labels of which nothing was taken.
    """

    hosts: dict[str, list[str]] = field(default_factory=dict)
    port: str = ""
    rest: list[str] = field(default_factory=list)


def routes(labels: dict[str, str]) -> Routes:
    """The host names of ``labels``: of rules that are nothing but ``Host(`one`) || Host(`two`)``."""
    found, enabled = Routes(), labels.get("traefik.enable", "true").lower() != "false"
    for name, value in labels.items():
        hosts = _hosts(value) if enabled and _ROUTER.fullmatch(name) else []
        if hosts:
            found.hosts[name] = hosts
        elif enabled and _PORT.fullmatch(name):
            found.port = value
        elif not _NEEDLESS.fullmatch(name):
            found.rest.append(name)
    return found


def _hosts(rule: str) -> list[str]:
    """Of a rule that names hosts and nothing else."""
    found: list[str] = []
    for part in rule.split("||"):
        match = _HOST.fullmatch(part.strip())
        if match is None:
            return []
        found += [quoted[1:-1].strip().lower() for quoted in re.findall(_QUOTED, match[1])]
    return found
