"""The kinds that can be declared: each module of this package is one, registered by being here.

Installed packages bring further ones; see ``specs.installed``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import TopologicalSorter
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeVar

from specs import installed, permits
from specs.resource import Resource, forget, registered

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

PACKAGES: dict[str, str] = {}
"""Of each kind that an installed package brought: the package's name."""


def fault(cls: type[Resource], known: dict[str, type[Resource]]) -> str:
    """What is in the way of ``cls`` being a kind beside ``known``, which has it; empty when nothing is."""
    binding, facts, name = cls.binding, cls.facts, cls.kind_name()
    if missing := sorted(binding.depends_on - known.keys()):
        return f"{name} needs {', '.join(missing)}, which is no kind"
    owners: list[str] = []
    at = cls
    while at.binding.parent:
        at = known[at.binding.parent]
        owners.insert(0, at.word())
    fields: list[str] = cls.model_fields["metadata"].annotation.owners()  # type: ignore[union-attr]
    if fields != owners:
        return f"metadata of {name} has {', '.join(fields) or 'no owners'}, not {', '.join(owners) or 'none'}"
    parent = known[binding.parent] if binding.parent else None
    if facts.part and (facts.reconciled or parent is None or not parent.facts.reconciled):
        return f"{name} is a part, and its owner has no reconciler, or it has one itself"
    if facts.status_from and known[facts.status_from].binding.parent != name:
        return f"the status of {name} is that of {facts.status_from}, which it does not own"
    words = {word for other in known.values() if other is not cls for word in words_of(other)}
    if taken := sorted(words & set(words_of(cls))):
        return f"{name} is called {', '.join(taken)}, as another kind is"
    wrong = permits.fault(facts.permits, facts.changed_by)
    return f"the permits of {name} are wrong: {wrong}" if wrong else ""


def words_of(cls: type[Resource]) -> list[str]:
    """What a kind is called on the command line: its word, in the plural, and short."""
    short = [*cls.facts.short, *(f"{word}s" for word in cls.facts.short if not word.endswith("s"))]
    return [cls.word(), cls.plural(), *short]


def _cannot_be_built(cls: type[Resource]) -> str:
    """Why pydantic cannot make ``cls``; asked of what a package brings, before anybody uses it."""
    try:
        cls.model_rebuild()
    except Exception as error:  # noqa: BLE001 - it is somebody else's code
        return f"{type(error).__name__}: {error}"
    return ""


def _bring(package: installed.Package) -> None:
    fine = package.bring("model")
    made = {kind: cls for kind, cls in registered().items() if package.holds(cls.__module__)}
    if fine and not made:
        package.refuse("it defines no kind")
    for cls in made.values():
        if fine and (why := fault(cls, registered()) or _cannot_be_built(cls)):
            package.refuse(why)
    if package.is_broken:
        forget(made)
    else:
        PACKAGES.update(dict.fromkeys(made, package.name))


for _package in installed.packages():
    _bring(_package)

KINDS: dict[str, type[Resource]] = {
    kind: registered()[kind]
    for kind in TopologicalSorter(
        {kind: sorted(cls.binding.depends_on) for kind, cls in sorted(registered().items())}
    ).static_order()
}
"""Every kind by name, owners before what they own: the order in which resources are applied."""

TENANT = next(kind for kind, cls in KINDS.items() if cls.facts.tenant)
"""The kind that everything else belongs to, but for what the platform has itself."""

TENANT_WORD = KINDS[TENANT].word()
RELEASED = next(kind for kind, cls in KINDS.items() if cls.facts.released)
"""The kind that what runs of it are releases."""
LOGIN = next(kind for kind, cls in KINDS.items() if cls.facts.signs_in)
"""The kind that registries are asked with."""
SOURCE = next(kind for kind, cls in KINDS.items() if cls.facts.declares)
"""The kind that declares what files of a repository say."""
LAYERS = tuple(kind for kind, cls in KINDS.items() if cls.facts.configurable)
"""Kinds that config vars can be set for, the outermost first."""
RUN = next(kind for kind, cls in KINDS.items() if cls.facts.once)
"""The kind that is made once, is run once, and is in no file."""
TEMPLATE = next(kind for kind, cls in KINDS.items() if cls.facts.makes_apps)
"""The kind that apps are made of."""
SERVING = frozenset(cls.word() for cls in KINDS.values() if cls.facts.serves)
"""Words of the kinds whose services run tenants' programs."""

_RANK = {kind: rank for rank, kind in enumerate(KINDS)}
R = TypeVar("R", bound=Resource)


def in_apply_order(resources: Iterable[R]) -> list[R]:
    """Owners and what is referred to first, otherwise by name; deletion goes the other way round."""
    return sorted(resources, key=lambda resource: (_RANK[resource.kind], resource.key.path))


def ancestors(kind: str) -> list[str]:
    """The kinds above ``kind``, the outermost first."""
    parent = KINDS[kind].binding.parent
    return [*ancestors(parent), parent] if parent else []


def children(kind: str) -> list[str]:
    """The kinds right below ``kind``."""
    return [name for name, cls in KINDS.items() if cls.binding.parent == kind]


def names_in(word: str, document: Mapping[str, Any]) -> tuple[str, ...]:
    """The path of an object by the document that is read of it; empty where that does not say it.

    Args:
        word: its kind, as in its status.
        document: its own columns, and of each owner under the owner's word.
    """
    kind = next((kind for kind, cls in KINDS.items() if cls.word() == word), None)
    if kind is None:
        return ()
    owners = [(KINDS[owner], document.get(KINDS[owner].word())) for owner in ancestors(kind)]
    names = [found.get(cls.binding.key_column) if isinstance(found, Mapping) else None for cls, found in owners]
    names.append(document.get(KINDS[kind].binding.key_column))
    return tuple(map(str, names)) if all(names) else ()


def of_tenant(kind: str) -> bool:
    """Whether objects of ``kind`` belong to a tenant, or are one."""
    return TENANT in {kind, *ancestors(kind)}
