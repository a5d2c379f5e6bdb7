"""The form of everything a user declares, and the registry of its kinds.

    apiVersion: skypanel.io/v1
    kind: Environment
    metadata: {name: production, app: hello, organization: acme}
    spec: {image: registry.example.com/hello:1, replicas: 2}

A resource states the whole of what is wanted: a field that is left out has its default. Fields are
camelCase in YAML and snake_case in Python. A new kind is one module in ``specs/kinds``: a subclass of
``Resource`` with its ``kind``, ``metadata``, ``spec``, ``binding`` and ``facts`` registers itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from specs.binding import TableBinding
from specs.facts import KindFacts

API_VERSION: Literal["skypanel.io/v1"] = "skypanel.io/v1"

_registered: dict[str, type[Resource]] = {}


class Declared(BaseModel):
    """Base of every part of a resource: immutable, camelCase in YAML, no unknown fields."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_alias=True,
        serialize_by_alias=True,
        hide_input_in_errors=True,
        defer_build=True,  # at its first use: most commands read one kind or none
    )


RENAMED_FROM = "Its name until now, when it is to be renamed; without effect once it has the new one."


class Metadata(Declared):
    """Name of a resource and of its owners; a subclass has a field for each owner, the nearest first.

    One that may be renamed has a field ``renamed_from``, of the type of its name.
    """

    name: str

    @property
    def parents(self) -> dict[str, str]:
        """Names of the owners, the outermost first."""
        return {owner: getattr(self, owner) for owner in self.owners()}

    @classmethod
    def owners(cls) -> list[str]:
        """Fields with the names of owners, the outermost first."""
        return [name for name in reversed(cls.model_fields) if name not in ("name", "renamed_from")]

    @property
    def former_name(self) -> str | None:
        """The name that it had before, where its kind lets itself be renamed and the document says so."""
        return getattr(self, "renamed_from", None)


class Spec(Declared):
    """What is wanted."""


@dataclass(frozen=True, slots=True, order=True)
class ResourceKey:
    """What tells a resource from all others: its kind and the names down to its own."""

    kind: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(self.path)}"


class Resource(Declared):
    """One declared object.

    Args:
        api_version: version of the form.
        kind: one of ``specs.kinds.KINDS``.
        metadata: its name and its owners' names.
        spec: what is wanted.
    """

    binding: ClassVar[TableBinding]
    facts: ClassVar[KindFacts] = KindFacts()
    globally_named: ClassVar[bool] = False  # the name alone tells it from all others, whoever owns it

    api_version: Literal["skypanel.io/v1"] = Field(default=API_VERSION, description="API version of the document.")
    kind: str
    metadata: Metadata
    spec: Spec

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        there = _registered.get(cls.kind_name())
        if there is not None and there.__module__ != cls.__module__:
            raise ValueError(f"kind {cls.kind_name()} is defined already, in {there.__module__}")
        _registered[cls.kind_name()] = cls

    @classmethod
    def kind_name(cls) -> str:
        """The value of ``kind`` of this class."""
        return _kind_name(cls)

    @classmethod
    def word(cls) -> str:
        """The kind in keys, status and owner labels, and as people write it."""
        return _word(cls)

    @classmethod
    def plural(cls) -> str:
        """Of its word."""
        word = cls.word()
        return cls.facts.plural or (f"{word}es" if word.endswith("s") else f"{word}s")

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> Self:
        """Build one from Python names instead of YAML's."""
        return cls.model_validate(fields, by_alias=False, by_name=True)

    @property
    def key(self) -> ResourceKey:
        """What tells this resource from all others."""
        owners = () if self.globally_named else tuple(self.metadata.parents.values())
        return ResourceKey(self.kind, (*owners, self.metadata.name))

    def document(self) -> dict[str, Any]:
        """The resource as a plain document in its YAML form, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def forget(kinds: Iterable[str]) -> None:
    """Take back the registration of ``kinds``."""
    for kind in kinds:
        del _registered[kind]


def registered() -> dict[str, type[Resource]]:
    """All kinds whose modules have been imported; ``specs.kinds`` imports them all."""
    return dict(_registered)


@cache
def _kind_name(cls: type[Resource]) -> str:
    return str(cls.model_fields["kind"].default)


@cache
def _word(cls: type[Resource]) -> str:
    return _kind_name(cls).lower()
