"""Where objects stand in the API: addresses made of kinds, for whoever serves them and for whoever calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from specs.kinds import KINDS, ancestors, of_tenant

PREFIX = "/api"


def areas(kind: str) -> tuple[str, ...]:
    """Parts of the API that a kind stands in: it is read in all, and written in the last."""
    own = KINDS[kind].facts.areas
    return own or (("paas",) if of_tenant(kind) else ("paas", "admin"))


def collection(area: str, kind: str, *, nested: bool) -> str:
    """Address of the list of a kind: of all that there are, or of those that an owner has."""
    owners = [KINDS[owner] for owner in ancestors(kind)] if nested else []
    parts = [f"{cls.plural()}/{{{cls.word()}}}" for cls in owners]
    return "/".join([PREFIX, area, *parts, KINDS[kind].plural()])


def address(area: str, kind: str) -> str:
    """Address of one object of a kind."""
    return f"{collection(area, kind, nested=True)}/{{{KINDS[kind].word()}}}"


def place(area: str, kind: str, path: Sequence[str]) -> str:
    """The address of the object at ``path``."""
    words = [KINDS[each].word() for each in (*ancestors(kind), kind)]
    return address(area, kind).format(**dict(zip(words, path, strict=True)))


def path_in(kind: str, names: Mapping[str, str]) -> tuple[str, ...]:
    """The names in an address, from the outermost owner down; as many as there are."""
    words = [KINDS[each].word() for each in (*ancestors(kind), kind)]
    return tuple(names[word] for word in words if word in names)
