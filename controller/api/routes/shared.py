"""What routes of objects share: whose they are, and how one is answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.actions.standing import documents
from controller.api.asked import Asked
from controller.api.operations import Parameter
from controller.api.problems import not_found
from controller.declared import reader
from controller.declared.reader import DeclaredObject
from specs.kinds import of_tenant

DRY_RUN = Parameter(
    "dryRun", "`true`: nothing is changed, and the plan is answered.", {"type": "string", "enum": ["true", "false"]}
)
WAIT = Parameter(
    "wait",
    "Seconds to wait until it is as declared; `waited` says how far it came. What was written stays, whatever that is.",
    {"type": "integer", "minimum": 1, "maximum": 120},
)
IDEMPOTENCY_KEY = Parameter(
    "Idempotency-Key",
    "A text of your own for this one change: sent again within 24 hours, it is answered as the first time.",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    header=True,
)
IF_MATCH = Parameter("If-Match", "The `ETag` that was read, or `*`.", header=True)
ORGANIZATION = Parameter(
    "X-Organization-ID", "Id or slug of the organization to act in, for who is a member of several.", header=True
)


def refuse_others(asked: Asked, kind: str, path: Sequence[str]) -> None:
    """Have nothing be there that is another organization's.

    Raises:
        ProblemError: not found.
    """
    if not of_tenant(kind) or asked.caller.platform:
        return
    if path and path[0] != asked.caller.organization_slug:
        raise not_found()


def found(asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject:
    """The object at ``path``: the living one, else the one that is being deleted.

    Raises:
        ProblemError: there is none.
    """
    if (one := find(asked, kind, path)) is None:
        raise not_found()
    return one


def find(asked: Asked, kind: str, path: tuple[str, ...]) -> DeclaredObject | None:
    """The same; None: there is none."""
    present = reader.objects(asked.conn, kind, path)
    return max(present, key=lambda each: (each.deleted_at is None, each.created_at), default=None)


def answered(asked: Asked, objects: Sequence[DeclaredObject]) -> list[dict[str, Any]]:
    """Documents of ``objects``, each with what this caller may do to it."""
    made = documents(asked.conn, objects)
    for one, document in zip(objects, made, strict=True):
        document["can"] = list(asked.access.can(asked.caller, one.kind, one.path))
    return made


def wait_seconds(query: Mapping[str, str]) -> float:
    """What ``wait`` says; 0: not at all."""
    return float(query.get("wait", 0))
