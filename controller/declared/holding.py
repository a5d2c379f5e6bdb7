"""What somebody has declared before and holds: which fields of a row are his, and the row, whatever others did to it.

Who declares without one of these says the whole of what is wanted, and what he leaves out has its default. Who has one
says the fields that he names; the others are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from specs.resource import Resource

Named = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Held:
    """One object.

    Args:
        id: of its row.
        fields: of its spec, as files name them, that were declared last.
    """

    id: UUID
    fields: frozenset[str]


@dataclass(frozen=True, slots=True)
class Holding:
    """All objects of one holder.

    Args:
        objects: by kind and path.
        lets_go: a field that he declares no longer goes back to its default; else it stays as it is, and is nobody's.
    """

    objects: Mapping[Named, Held]
    lets_go: bool = False

    def of(self, kind: str, path: tuple[str, ...]) -> Held | None:
        """The object that was declared there."""
        return self.objects.get((kind, path))

    def fields(self, resource: Resource, path: tuple[str, ...]) -> frozenset[str]:
        """Fields of the spec, as Python names them, that are his to write."""
        said = frozenset(resource.spec.model_fields_set)
        held = self.of(resource.kind, path)
        if held is None or not self.lets_go:
            return said
        return said | {name for name, alias in names(resource).items() if alias in held.fields}


def names(resource: Resource) -> dict[str, str]:
    """Fields of a spec: their names in Python, and in files."""
    return {name: info.alias or name for name, info in type(resource.spec).model_fields.items()}


def declared_fields(resource: Resource) -> list[str]:
    """Fields that a document names, as it names them."""
    said = resource.spec.model_fields_set
    return sorted(alias for name, alias in names(resource).items() if name in said)


def columns(resource: Resource) -> dict[str, str]:
    """Columns by field, as files name it; of those that are written."""
    bound = dict(resource.binding.columns)
    for attached in resource.binding.attached:
        if not attached.insert_only:
            bound |= attached.columns
    return {alias: bound[name].name for name, alias in names(resource).items() if name in bound}
