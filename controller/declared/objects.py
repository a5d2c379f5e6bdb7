"""What a declared object is to who reads it: its names, its spec, and what was last said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from specs.kinds import KINDS, ancestors
from specs.resource import API_VERSION


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """What the controller says of an object.

    Args:
        ready: it is as declared, in this generation; None when nobody will say anything.
        unknown: nobody can say now whether it is; it counts as not ready.
        reason: one CamelCase word.
        message: a sentence for people.
        stalled: nothing more is tried until the spec changes.
        observed_generation: 0 when nothing was said yet.
    """

    ready: bool | None = None
    unknown: bool = False
    reason: str = ""
    message: str = ""
    stalled: bool = False
    observed_generation: int = 0
    conditions: Sequence[Mapping[str, Any]] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    finalized_at: datetime | None = None
    updated_at: datetime | None = None
    as_of: datetime | None = None
    """Until when that is vouched for."""


@dataclass(frozen=True, slots=True)
class DeclaredObject:
    """One declared object; ``path`` is the names from the outermost owner down to its own."""

    kind: str
    id: UUID
    path: tuple[str, ...]
    spec: Mapping[str, Any]
    generation: int
    created_at: datetime
    deleted_at: datetime | None
    status: ObjectStatus

    @property
    def name(self) -> str:
        """The path as people write it; a globally named object (a domain) is its last part alone."""
        return self.path[-1] if KINDS[self.kind].globally_named else "/".join(self.path)

    @property
    def details(self) -> Mapping[str, Any]:
        """What its status has beside conditions."""
        return self.status.details

    def document(self) -> dict[str, Any]:
        """Its spec document, which ``apply`` takes."""
        owners = {KINDS[kind].word(): name for kind, name in zip(ancestors(self.kind), self.path, strict=False)}
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "metadata": {"name": self.path[-1], **owners},
            "spec": dict(self.spec),
        }


class Read(Protocol):
    """Gives objects of a kind, by path: those of a database, or those that an API shows."""

    def __call__(
        self,
        kind: str,
        path: Sequence[str] = (),
        *,
        organizations: Sequence[str] = (),
        everything: bool = False,
        specs: bool = True,
    ) -> list[DeclaredObject]:
        """Objects of ``kind``.

        Args:
            kind: one of ``specs.kinds.KINDS``.
            path: names from the outermost owner down; as many as given must be equal.
            organizations: only these, when any is given.
            everything: also those whose deletion is finished.
            specs: with what is declared; else that may be left empty.
        """
