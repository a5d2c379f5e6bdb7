"""Before a commit: would the environments that were just written run?

Rules that need more than one resource (a domain needs a process with a port) are those of the snapshots, so the
snapshots are asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors
from pydantic import ValidationError

from controller.store import reading
from controller.store.refusals import Refusal, SpecRefused
from controller.store.specwriter import Written
from specs.loader import Located
from specs.problems import InvalidSpec
from specs.snapshots import EnvironmentSnapshot

_PARTS = ("Environment", "Process", "Domain")


def check_environments(conn: psycopg.Connection, written: Sequence[Written], entries: Sequence[Located]) -> None:
    """Refuse what would only stall.

    Raises:
        SpecRefused: an environment that was written, or a part of it, breaks a rule of the whole.
    """
    parts = [w for w in written if w.changed and w.id and w.resource.kind in _PARTS]
    keys = reading.affected(conn, [(w.resource.kind.lower(), w.id, False) for w in parts if w.id])
    places = {_environment(w): _place(w, entries) for w in reversed(parts)}
    try:
        with conn.transaction():
            documents = reading.documents(conn, "environment", [object_id for _, object_id in keys])
    except errors.InsufficientPrivilege:
        return  # the controller checks the same and says so in the status
    refusals = []
    for document in documents:
        try:
            EnvironmentSnapshot.model_validate(document.doc)
        except ValidationError as error:
            path = (document.doc["organization"]["slug"], document.doc["app"]["slug"], document.doc["name"])
            refusals += [
                Refusal(places.get(path, ""), f"Environment {'/'.join(path)}", _said(problem), problem.hint)
                for problem in InvalidSpec.of(error).problems
            ]
    if refusals:
        raise SpecRefused(refusals)


def _said(problem: object) -> str:
    field, message = getattr(problem, "field", ""), getattr(problem, "message", "")
    return f"{field}: {message}" if field else str(message)


def _environment(written: Written) -> tuple[str, ...]:
    metadata = written.resource.metadata
    owners = tuple(metadata.parents.values())
    return (*owners, metadata.name) if written.resource.kind == "Environment" else owners


def _place(written: Written, entries: Sequence[Located]) -> str:
    return next((e.place for e in entries if e.resource is written.resource), "")
