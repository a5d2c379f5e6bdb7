"""The forms of names, and the names of what exists on Swarm.

Checks return their argument or raise ``RefusedError``. Swarm takes names of services and networks that are
DNS labels of at most 63 characters (swarmkit manager/controlapi/common.go); a longer one is cut, and a hash
of the whole keeps two of them apart.
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

_HASH_CHARACTERS = 12
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


def service_name(swarm_name: str, process: str) -> str:
    """Name of the Swarm service of one process of the environment ``swarm_name``; at most 63 characters.

    Unique over all organizations because ``swarm_name`` is, and because a process type has no hyphen: the
    last hyphen is always the one before it.
    """
    return _cut(swarm_name, f"-{process}")


def network_name(organization: str) -> str:
    """Name of the overlay network of the organization with this slug; at most 63 characters."""
    return _cut(f"org-{organization}", "")


def pin_name(organization: str) -> str:
    """Name of the service that keeps an organization's network on the edge's node.

    No other name has an underscore, so it is nobody else's.
    """
    return _cut(f"org-{organization}", "_pin")


def router_name(service: str, hostname: str) -> str:
    """Name of the Traefik router from ``hostname`` to ``service``; host names have no underscore."""
    return f"{service}-{hostname.replace('.', '_')}"


def _cut(name: str, suffix: str) -> str:
    """``name + suffix``, or the start of ``name``, a hash of the whole, and ``suffix``."""
    whole = name + suffix
    if len(whole) <= NAME_LIMIT:
        return whole
    tail = f"-{hashlib.sha256(whole.encode()).hexdigest()[:_HASH_CHARACTERS]}{suffix}"
    return name[: NAME_LIMIT - len(tail)].rstrip("-") + tail


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
