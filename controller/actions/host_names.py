"""Host names of environments, to who reads them."""

from __future__ import annotations

from controller.actions.errors import ActionError
from controller.actions.paths import depth
from controller.actions.released import KIND
from controller.declared.objects import DeclaredObject, Read
from specs.kinds import KINDS

HOST = next(kind for kind, cls in KINDS.items() if cls.binding.parent == KIND and cls.globally_named)
"""The kind whose name the edge answers on."""
PLURAL = KINDS[HOST].plural()
FIELD = next(iter(KINDS[HOST].binding.columns))
"""Of its spec: who answers."""


def of(read: Read, owner: DeclaredObject) -> list[DeclaredObject]:
    """Those of ``owner``, the ones that answer first.

    Raises:
        ActionError: it has none.
    """
    found = [
        each for each in read(HOST, owner.path) if each.path[: depth(KIND)] == owner.path and each.deleted_at is None
    ]
    if not found:
        word = KINDS[HOST].word()
        raise ActionError(f"{owner.name} has no {word}", f"`skypanel {KINDS[HOST].plural()} add {owner.name} HOST`")
    return sorted(found, key=lambda each: not each.status.ready)


def address(host: str, *, encrypted: bool) -> str:
    """Where a browser finds it."""
    return f"http{'s' if encrypted else ''}://{host}/"
