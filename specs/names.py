"""The forms of names, and the names of what exists on Swarm.

Checks return their argument or raise ``RefusedError``.

A name on Swarm is a readable part, an underscore, and the tag of its owner. The readable part is made of slugs, which
have no underscore, and is cut where Swarm's limit of 63 characters asks for it (swarmkit
manager/controlapi/common.go); it is for people. The tag is a hash of what the owner is, which nobody chooses, so names
of different owners differ whatever these are called, in one installation and across two on the same Swarm.
"""

from __future__ import annotations

import hashlib
import re

from specs.problems import RefusedError, quote

NAME_LIMIT = 63
SLUG_PATTERN = r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"
PROCESS_TYPE_PATTERN = r"^[a-z][a-z0-9]{0,19}$"
HOSTNAME_PATTERN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
HOSTNAME_LIMIT = 253

_TAG_CHARACTERS = 10
_SLUG = re.compile(SLUG_PATTERN.strip("^$"), re.ASCII)
_PROCESS_TYPE = re.compile(PROCESS_TYPE_PATTERN.strip("^$"), re.ASCII)
_HOSTNAME = re.compile(HOSTNAME_PATTERN.strip("^$"), re.ASCII)


def check_slug(text: str) -> str:
    """A part of a Swarm name: lower case letters, digits, inner hyphens; at most 63 characters."""
    if _SLUG.fullmatch(text):
        return text
    if len(text) > NAME_LIMIT:
        raise RefusedError(f"{quote(text)} has {len(text)} characters", f"at most {NAME_LIMIT}")
    hint = "lower case letters, digits and hyphens, with a letter or digit at both ends"
    suggestion = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    raise RefusedError(f"{quote(text)} is not a name", f"{hint}; for example {suggestion}" if suggestion else hint)


def check_process_type(text: str) -> str:
    """A process type: at most 20 lower case letters and digits; no hyphen (see ``service_name``)."""
    if _PROCESS_TYPE.fullmatch(text):
        return text
    raise RefusedError(
        f"{quote(text)} is not a process type",
        "a lower case letter, then at most 19 lower case letters and digits",
    )


def check_hostname(text: str) -> str:
    """A fully qualified host name in lower case, such as ``www.example.com``; at most 253 characters."""
    if _HOSTNAME.fullmatch(text) and len(text) <= HOSTNAME_LIMIT:
        return text
    raise RefusedError(f"{quote(text)} is not a host name", _hostname_hint(text))


def owner_tag(installation: str, kind: str, *ids: object) -> str:
    """10 hex digits that stand for one owner in one installation: an object of ``kind`` with these ids."""
    whole = "/".join((installation, kind, *map(str, ids)))
    return hashlib.sha256(whole.encode()).hexdigest()[:_TAG_CHARACTERS]


def service_name(swarm_name: str, process: str, *, installation: str, organization: object, environment: object) -> str:
    """Name of the Swarm service of one process; at most 63 characters, the end of which is ``-process_tag``.

    An environment that moves to another organization gets other names: there it runs in another network.

    Args:
        swarm_name: readable stem, such as ``acme-shop-production``; cut where it is too long.
        process: process type; it has no hyphen and is never cut, so processes of one environment differ.
        installation: of this controller.
        organization: id of the organization.
        environment: id of the environment.
    """
    return _tagged(swarm_name, f"-{process}", owner_tag(installation, "environment", organization, environment))


def network_name(slug: str, *, installation: str, organization: object) -> str:
    """Name that the overlay network of an organization is given when it is made; it keeps it for life."""
    return _tagged(f"org-{slug}", "", owner_tag(installation, "organization", organization))


def pin_name(*, installation: str, organization: object) -> str:
    """Name of the service that keeps an organization's network on the edge's node; the same for the network's life."""
    return _tagged("pin", "", owner_tag(installation, "organization", organization))


def release_job_name(*, installation: str, environment: object) -> str:
    """Name of the job that runs an environment's release command; renames and moves leave it as it is."""
    return _tagged("release", "", owner_tag(installation, "environment", environment))


def run_job_name(*, installation: str, run: object) -> str:
    """Name of the job of a one-off command; renames and moves leave it as it is."""
    return _tagged("run", "", owner_tag(installation, "run", run))


def router_name(service: str, hostname: str) -> str:
    """Name of the Traefik router from ``hostname`` to ``service``; host names have no underscore."""
    return f"{service}-{hostname.replace('.', '_')}"


def is_near(host: str, other: str) -> bool:
    """Whether two host names are the same, or one is below the other; of none, never."""
    return bool(host and other) and (host == other or host.endswith(f".{other}") or other.endswith(f".{host}"))


def _tagged(stem: str, suffix: str, tag: str) -> str:
    """``stem``, cut to what there is room for, ``suffix`` and ``tag``."""
    tail = f"{suffix}_{tag}"
    return stem[: NAME_LIMIT - len(tail)].rstrip("-") + tail


def _hostname_hint(text: str) -> str:
    """How to mend what is not a host name: the first slip that it shows."""
    plain = text.strip().strip(".").lower()
    slips = (
        (text.startswith("*."), "name each host: wildcards are not accepted"),
        (re.search(r"[/:]", text), "the name alone, without scheme, port and path"),
        (not text.isascii(), "write it in its ASCII form (xn--…)"),
        (len(text) > HOSTNAME_LIMIT, f"it has {len(text)} characters; at most {HOSTNAME_LIMIT}"),
        (re.fullmatch(r"[0-9.]+", text), "a name, not an address"),
        (plain != text and _HOSTNAME.fullmatch(plain), f"write {plain}"),
        (plain and "." not in plain, "with its domain, such as www.example.com"),
    )
    labels = "labels of lower case letters, digits and inner hyphens, with dots between"
    return next((hint for slip, hint in slips if slip), labels)
