"""What is to be paused or looked at: one object, all of an organization, or the installation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import psycopg

from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.actions.paths import a, apart, full_path, one
from reconcilers.registry import registered
from specs.kinds import TENANT, TENANT_WORD


@dataclass(frozen=True, slots=True)
class Place:
    """What was found.

    Args:
        scope: ``object``, ``organization`` or ``installation``.
        key: kind and id; None for the installation.
        words: how to call it.
    """

    scope: str
    key: tuple[str, UUID] | None
    words: str


@dataclass(frozen=True, slots=True)
class Scope:
    """What is meant, in words: a kind and a name, or an organization, or everything.

    Raises:
        ActionError: it is none of them, or more than one.
    """

    kind: str | None
    name: str | None
    organization: str | None
    everything: bool

    def __post_init__(self) -> None:
        given = (self.kind is not None, self.organization is not None, self.everything)
        nameless = self.kind is not None and apart(self.kind, self.name)[1] is None
        if sum(given) != 1 or nameless or (self.name is not None and self.kind is None):
            raise ActionError("name one target", "a kind and a name, or --organization NAME, or --all")

    def find(self, conn: psycopg.Connection) -> Place:
        """The rows that it means.

        Raises:
            ActionError: there is none of this name, or its kind has no reconciler.
        """
        if self.everything:
            return Place("installation", None, "the installation")
        if self.organization is not None:
            found = find_one(conn, TENANT, full_path(TENANT, self.organization))
            return Place(TENANT_WORD, (TENANT_WORD, found.id), f"everything of {TENANT_WORD} {found.name}")
        key, words = reconciled(conn, self.kind or "", self.name)
        return Place("object", key, words)


def reconciled(conn: psycopg.Connection, word: str, name: str | None) -> tuple[tuple[str, UUID], str]:
    """The key (kind as in the status tables, id) of an object with a reconciler, and words for it.

    Raises:
        ActionError: there is none of this name, or its kind has no reconciler.
    """
    kind, path = one(word, name)
    if kind.lower() not in registered():
        known = " or ".join(sorted(registered()))
        raise ActionError(f"{a(kind)} has no reconciler of its own", f"name the {known} that it belongs to")
    found = find_one(conn, kind, path)
    return (kind.lower(), found.id), f"{kind.lower()} {found.name}"
