"""Registries that a node must not be sent to: each node's engine asks the registry from the host's own network.

An image reference that names a host of a private network would let a tenant knock at any port that a node reaches
(its metadata service, its engine, the database), and read the answer in a status. Refused are addresses that are not
public in every spelling that some resolver takes (``127.1``, ``0x7f.1``, ``2130706433``), and names that no public
registry has (one label, ``localhost``, ``internal`` ...). What an operator lists is allowed.

A public name that leads to a private address cannot be told from its text: that is for the node's firewall. Where the
controller asks a registry itself, it looks at every address that the name leads to, by the same rule.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, IPv6Network

from specs.images import parse_image
from specs.problems import RefusedError, quote

SETTING = "SKYPANEL_ALLOWED_REGISTRIES"
HUB = "docker.io"
HOST_PATTERN = r"^[a-z0-9.-]+(:[0-9]{1,5})?$"
HOST_LIMIT = 255
USERNAME_LIMIT = 255

_PRIVATE_SUFFIXES = (
    "corp", "home", "home.arpa", "internal", "intranet", "lan", "local", "localdomain", "localhost", "private",
)  # fmt: skip
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+", re.ASCII)
_PUBLIC_IPV6 = IPv6Network("2000::/3")  # all that is global; the rest holds IPv4 addresses, or is local
_TRANSLATED = (IPv6Network("2001::/32"), IPv6Network("2002::/16"))  # Teredo and 6to4 hold IPv4 addresses as well


def check_registry(image: str, allowed: Iterable[str] = ()) -> str:
    """``image``, if nodes may be sent to its registry.

    Args:
        image: an image reference.
        allowed: hosts with their ports, as they stand in references; ``*`` stands for any characters.

    Raises:
        RefusedError: it is on a private host that is not ``allowed``.
    """
    domain = parse_image(image).domain
    if domain and not is_listed(domain, allowed) and (why := private_host(domain)):
        raise RefusedError(
            f"{quote(domain)} is not a registry that may be used: {why}",
            f"use a public one, or have the operator list it in {SETTING}",
        )
    return image


def check_registry_host(text: str) -> str:
    """``text``, if it is a registry's host with its port, as references name it."""
    try:
        named = parse_image(f"{text}/image").domain
    except RefusedError:
        named = ""
    if named != text or not re.fullmatch(HOST_PATTERN, text, re.ASCII) or len(text) > HOST_LIMIT:
        raise RefusedError(
            f"{quote(text)} is not a registry",
            "its host as image references have it, with its port where it has one: ghcr.io, registry.example.com:5000",
        )
    return text


def check_username(text: str) -> str:
    """``text``, if it can be a user of a registry; a colon would end it on the way there."""
    if not text.strip() or not text.isprintable() or ":" in text:
        raise RefusedError(f"{quote(text)} is not a user name", "printable characters without a colon, at least one")
    if len(text) > USERNAME_LIMIT:
        raise RefusedError(f"has {len(text)} characters", f"at most {USERNAME_LIMIT}")
    return text


def registry_of(domain: str) -> str:
    """The registry that a reference with this ``domain`` names, in one spelling; without one it is Docker Hub."""
    return HUB if domain in ("", HUB, f"index.{HUB}") else domain


def is_listed(domain: str, patterns: Iterable[str]) -> bool:
    """Whether ``domain``, a host with its port, is one of those that an operator lists; ``*``: any characters."""
    return any(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), domain) for pattern in patterns)


def private_address(address: str) -> str:
    """Why ``address``, as a resolver gives it, is not public; empty when it is."""
    return _private_ipv6(address) if ":" in address else _private_ipv4(address)


def private_host(domain: str) -> str:
    """Why ``domain`` is not a public host; empty when it is one, as far as its text tells."""
    if domain.startswith("["):
        return _private_ipv6(domain[1:].partition("]")[0])
    host = domain.partition(":")[0]
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # no top-level domain is a number: it is an address, in whatever spelling
        return _private_ipv4(host)
    if len(labels) == 1:
        return "it is a name of the local network"
    suffix = next((s for s in _PRIVATE_SUFFIXES if f".{host}".endswith(f".{s}")), "")
    return f"names below {suffix} are private" if suffix else ""


def _private_ipv4(host: str) -> str:
    try:
        address = IPv4Address(host)
    except AddressValueError:
        return "it is an unusual spelling of an address"
    public = address.is_global and not address.is_multicast
    return "" if public else "it is not a public address"


def _private_ipv6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except AddressValueError:
        return "it is not an address"
    public = address.is_global and address in _PUBLIC_IPV6 and not any(address in network for network in _TRANSLATED)
    return "" if public else "it is not a public address"
