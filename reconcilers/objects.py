"""What should exist on the engine: the exact documents, as ``render`` gives them, and nothing about how to get there.

A desired object is plain data with a name that is unique on its engine for its type. ``spec`` of a service is the raw
document of the Engine API (``POST /services/create``), because the SDK's models lack fields that the security
baseline needs.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Network
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

import orjson

from reconcilers import labels
from reconcilers.port import External

SpecDocument = dict[str, Any]
_REFERENCES = (("Secrets", "SecretID"), ("Configs", "ConfigID"))
_CONTENT_NAME = 64
_DIGEST = 16


class Desired(Protocol):
    """Something that should exist; ``name`` is unique among the objects of its type."""

    object_type: ClassVar[str]
    """As in the inventory, in events and in metrics; see ``controller.swarm.types``."""

    @property
    def name(self) -> str:
        """Its name on the engine."""

    @property
    def labels(self) -> Mapping[str, str]:
        """Its labels, with the owner's."""

    @property
    def hash(self) -> str:
        """Equal hashes: the same wish."""

    @property
    def template_hash(self) -> str | None:
        """Of the part that can fail when it is applied; None when no part can."""


def spec_hash(document: Mapping[str, Any]) -> str:
    """16 hex digits of the SHA-256 of the canonical JSON of ``document``.

    Without the ids of its networks, secrets and configs: the hash says what is wanted, and one that was made anew is
    the same wish.
    """
    template = document.get("TaskTemplate")
    if template:
        document = {**document, "TaskTemplate": _without_ids(template)}
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).hexdigest()[:_DIGEST]


def template_hash(document: Mapping[str, Any]) -> str:
    """Hash of what can fail in a service: its task template, without the networks that the tasks are on."""
    return spec_hash({k: v for k, v in _without_ids(document["TaskTemplate"]).items() if k != "Networks"})


def _without_ids(template: Mapping[str, Any]) -> Mapping[str, Any]:
    if template.get("Networks"):
        networks = [{k: v for k, v in each.items() if k != "Target"} for each in template["Networks"]]
        template = {**template, "Networks": networks}
    container = template.get("ContainerSpec") or {}
    for field_, key in _REFERENCES:
        if container.get(field_):
            named = [{k: v for k, v in each.items() if k != key} for each in container[field_]]
            container = {**container, field_: named}
            template = {**template, "ContainerSpec": container}
    return template


@dataclass(frozen=True, slots=True)
class Canary:
    """So many tasks of a new version run for so long before the others follow."""

    tasks: int
    quiet_seconds: int


@dataclass(frozen=True, slots=True)
class Service:
    """A Swarm service.

    Args:
        name: at most 63 characters.
        spec: the whole document, with both hashes in its labels.
        hash: the value of the spec-hash label.
        template_hash: the value of the template-hash label; see ``template_hash``.
        pull: what nodes ask its registry with, as the engine takes it beside the document, and never shows it; the
            label ``PULLS_AS`` says which. None: not at hand, and what the engine has stays.
        canary: how another task template is to be begun with; None: as the document says. It is in no document that is
            rendered: only what lives says whether something is begun.
    """

    object_type: ClassVar[str] = "service"
    name: str
    spec: SpecDocument
    hash: str
    template_hash: str
    pull: str | None = field(default=None, repr=False, compare=False)
    canary: Canary | None = None

    @classmethod
    def seal(cls, spec: SpecDocument, *, template: str = "") -> Service:
        """Put the hashes of ``spec`` into its labels, in the place of any that are there; ``template``: if known."""
        template = template or template_hash(spec)
        plain = {k: v for k, v in spec["Labels"].items() if k != labels.SPEC_HASH}
        hashed = {**spec, "Labels": {**plain, labels.TEMPLATE_HASH: template}}
        digest = spec_hash(hashed)
        sealed = {**hashed, "Labels": {**hashed["Labels"], labels.SPEC_HASH: digest}}
        return cls(name=spec["Name"], spec=sealed, hash=digest, template_hash=template)

    @classmethod
    def sealed(cls, spec: SpecDocument) -> Service:
        """One that was sealed before, also as the engine gives it: by the hashes in its labels, where there are any."""
        found = spec["Labels"]
        if labels.SPEC_HASH not in found or labels.TEMPLATE_HASH not in found:
            return cls.seal(spec)
        return cls(spec["Name"], spec, found[labels.SPEC_HASH], found[labels.TEMPLATE_HASH])

    def changed(self, **parts: object) -> Service:
        """The same with other parts of the document, of which none is the task template."""
        if all(self.spec[part] == value for part, value in parts.items()):
            return self
        sealed = Service.seal({**self.spec, **parts}, template=self.template_hash)
        return replace(sealed, pull=self.pull, canary=self.canary)

    @property
    def pulls_as(self) -> str:
        """Revision of the user that its nodes pull with; empty: nobody's."""
        return self.labels.get(labels.PULLS_AS, "")

    def relabelled(self, found: Mapping[str, str]) -> Service:
        """The same with other labels."""
        return self.changed(Labels=dict(found))

    def attached_to(self, network_id: str) -> Service:
        """The same in another network, as an organization has one: the hash leaves it out."""
        template = self.spec["TaskTemplate"]
        networks = [{**each, "Target": network_id} for each in template.get("Networks") or ()]
        spec = {**self.spec, "TaskTemplate": {**template, "Networks": networks}}
        return replace(self, spec=spec)

    @property
    def labels(self) -> Mapping[str, str]:
        """Service labels (not the containers')."""
        found: Mapping[str, str] = self.spec["Labels"]
        return found

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

    object_type: ClassVar[str] = "network"
    name: str
    subnet: str
    labels: Mapping[str, str]
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def task_range(self) -> str:
        """The lower half of the subnet: where Swarm takes tasks' addresses from. The upper half is the edge's."""
        return str(next(IPv4Network(self.subnet).subnets(prefixlen_diff=1)))

    @property
    def hash(self) -> str:
        """Its subnet: all that can be chosen."""
        return self.subnet

    @property
    def template_hash(self) -> str | None:
        """No part of it can fail alone."""
        return None


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that tasks are given as a file, under a name that says what they are: other bytes, another name.

    Args:
        name: at most 64 characters, with the keyed digest of the content at its end.
        data: the bytes; in no representation, log, plan or event. None: it is on the engine already, and what is in it
            was not looked for.
        hash: the keyed digest, or that of the versions.
        labels: with the owner's.
    """

    object_type: ClassVar[str]
    limit: ClassVar[int]
    """The engine takes fewer bytes than this, and at least one."""
    title: ClassVar[str]
    """What fields of a reference begin with."""
    name: str
    data: bytes | None = field(repr=False)
    hash: str
    labels: Mapping[str, str]

    @classmethod
    def versioned(cls, base: str, versions: str, *, labels: Mapping[str, str]) -> Self:
        """Name a content by what it is made of, and leave it out: it is put in when the engine is to be given it.

        Args:
            base: as of ``named``.
            versions: hex digits; other ones with every change of what is in it, or of whose it is.
            labels: with the owner's.
        """
        digest = versions[:_DIGEST]
        return cls(cls._name(base, digest), None, digest, labels)

    @classmethod
    def named(cls, base: str, data: bytes, *, key: bytes, labels: Mapping[str, str]) -> Self:
        """Name the content by a digest that nobody can compute, or try guesses against, without ``key``.

        Args:
            base: what its name begins with; letters, digits, ``-``, ``_`` and ``.``, unique for what it is.
            data: the content.
            key: of the installation or of the organization; never the same for two of them.
            labels: with the owner's.

        Raises:
            ValueError: the engine would not take it; says nothing of the content but its size.
        """
        if not 0 < len(data) < cls.limit:
            raise ValueError(f"{cls.object_type} {base}: {len(data)} bytes; 1 to {cls.limit - 1} are possible")
        text = b"\0".join((cls.object_type.encode(), base.encode(), data))
        digest = hmac.new(key, text, hashlib.sha256).hexdigest()[:_DIGEST]
        return cls(cls._name(base, digest), data, digest, labels)

    @staticmethod
    def _name(base: str, digest: str) -> str:
        room = _CONTENT_NAME - _DIGEST - 1
        return f"{base[:room].rstrip('-_.')}-{digest}"

    def file(self, target: str, *, mode: int = 0o400, uid: str = "0", gid: str = "0") -> SpecDocument:
        """A reference for a container: a file at ``target``. By name alone: the id is filled in when it is written."""
        return {f"{self.title}Name": self.name, "File": {"Name": target, "UID": uid, "GID": gid, "Mode": mode}}

    @property
    def template_hash(self) -> str | None:
        """No part of it can fail alone."""
        return None


@dataclass(frozen=True, slots=True)
class Secret(Content):
    """A content that the engine never gives back."""

    object_type: ClassVar[str] = "secret"
    limit: ClassVar[int] = 500 * 1024
    title: ClassVar[str] = "Secret"


@dataclass(frozen=True, slots=True)
class Config(Content):
    """A content that can be read back."""

    object_type: ClassVar[str] = "config"
    limit: ClassVar[int] = 1000 * 1024
    title: ClassVar[str] = "Config"


D = TypeVar("D")


@dataclass(frozen=True, slots=True)
class Objects:
    """All that one owner should have, in any order. What the owner has beyond this is removed."""

    objects: tuple[Desired, ...] = ()
    edge_networks: tuple[str, ...] = ()
    """Names of the owner's networks that every edge container must be on."""
    things: tuple[External, ...] = ()
    """What it has beyond the Swarm, for a look ahead: it is made by ``Context.ensure``, and not here."""

    def of(self, type_: type[D]) -> tuple[D, ...]:
        """Those of one type."""
        return tuple(each for each in self.objects if isinstance(each, type_))

    @property
    def services(self) -> tuple[Service, ...]:
        """Those that run tasks."""
        return self.of(Service)

    @property
    def keys(self) -> frozenset[tuple[str, str]]:
        """Type and name of each."""
        return frozenset((each.object_type, each.name) for each in self.objects)

    def with_services(self, services: tuple[Service, ...]) -> Objects:
        """The same with other services."""
        others = tuple(each for each in self.objects if not isinstance(each, Service))
        return replace(self, objects=(*others, *services))
