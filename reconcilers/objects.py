"""What should exist on the engine: the exact documents, as ``render`` gives them, and nothing about how to get there.

A desired object is plain data with a name that is unique on its engine for its type. ``spec`` of a service is the raw
document of the Engine API (``POST /services/create``), because the SDK's models lack fields that the security
baseline needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any, NamedTuple

import orjson

from reconcilers import labels

SpecDocument = dict[str, Any]


def spec_hash(document: Mapping[str, Any]) -> str:
    """16 hex digits of the SHA-256 of the canonical JSON of ``document``.

    Without the ids of its networks: the hash says what is wanted, and a network that was made anew is the same wish.
    """
    template = document.get("TaskTemplate") or {}
    if template.get("Networks"):
        networks = [{k: v for k, v in each.items() if k != "Target"} for each in template["Networks"]]
        document = {**document, "TaskTemplate": {**template, "Networks": networks}}
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def template_hash(document: Mapping[str, Any]) -> str:
    """Hash of what can fail in a service: its task template, without the networks that the tasks are on."""
    return spec_hash({k: v for k, v in document["TaskTemplate"].items() if k != "Networks"})


@dataclass(frozen=True, slots=True)
class Service:
    """A Swarm service.

    Args:
        name: at most 63 characters.
        spec: the whole document, with both hashes in its labels.
        hash: the value of the spec-hash label.
        template_hash: the value of the template-hash label; see ``template_hash``.
    """

    name: str
    spec: SpecDocument
    hash: str
    template_hash: str

    @classmethod
    def seal(cls, spec: SpecDocument, *, template: str = "") -> Service:
        """Put the hashes of ``spec`` into its labels, in the place of any that are there; ``template``: if known."""
        template = template or template_hash(spec)
        plain = {k: v for k, v in spec["Labels"].items() if k != labels.SPEC_HASH}
        hashed = {**spec, "Labels": {**plain, labels.TEMPLATE_HASH: template}}
        digest = spec_hash(hashed)
        sealed = {**hashed, "Labels": {**hashed["Labels"], labels.SPEC_HASH: digest}}
        return cls(name=spec["Name"], spec=sealed, hash=digest, template_hash=template)

    def attached_to(self, network_id: str) -> Service:
        """The same in another network, as an organization has one: the hash leaves it out."""
        template = self.spec["TaskTemplate"]
        networks = [{**each, "Target": network_id} for each in template.get("Networks") or ()]
        spec = {**self.spec, "TaskTemplate": {**template, "Networks": networks}}
        return replace(self, spec=spec)

    @property
    def replicas(self) -> int:
        """Tasks that should run."""
        return int((self.spec["Mode"].get("Replicated") or {}).get("Replicas") or 0)


class HomeNetwork(NamedTuple):
    """The network that an organization's tasks run in: services are attached by its id, the edge knows its name."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Network:
    """An overlay network with a subnet of our own choice; it cannot be changed, only made anew."""

    name: str
    subnet: str
    labels: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def task_range(self) -> str:
        """The lower half of the subnet: where Swarm takes tasks' addresses from. The upper half is the edge's."""
        return str(next(IPv4Network(self.subnet).subnets(prefixlen_diff=1)))


@dataclass(frozen=True, slots=True)
class Objects:
    """All that one owner should have. What the owner has beyond this is removed."""

    services: tuple[Service, ...] = ()
    networks: tuple[Network, ...] = ()
    edge_networks: tuple[str, ...] = ()
    """Names of the owner's networks that every edge container must be on."""
