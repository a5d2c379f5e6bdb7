"""The kinds that can be declared: each module of this package is one, registered by being here."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import TopologicalSorter
from importlib import import_module
from pkgutil import iter_modules
from typing import TypeVar

from specs.resource import Resource, registered

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

KINDS: dict[str, type[Resource]] = {
    kind: registered()[kind]
    for kind in TopologicalSorter(
        {kind: sorted(cls.binding.depends_on) for kind, cls in sorted(registered().items())}
    ).static_order()
}
"""Every kind by name, owners before what they own: the order in which resources are applied."""

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
R = TypeVar("R", bound=Resource)


def in_apply_order(resources: Iterable[R]) -> list[R]:
    """Owners and what is referred to first, otherwise by name; deletion goes the other way round."""
    return sorted(resources, key=lambda resource: (_RANK[resource.kind], resource.key.path))
