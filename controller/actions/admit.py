"""Before a commit: would the environments that were just written run?

Rules that need more than one resource (a domain needs a process with a port) are those of the snapshots, so the
snapshots are asked.
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
from psycopg import errors

import reconcilers  # noqa: F401 - registers all kinds
from controller.declared import lookups, readiness
from controller.declared.constraint_messages import Refusal, SpecRefused
from controller.declared.writer import Target, Written
from reconcilers.ports import Options
from reconcilers.registry import registered
from specs.problems import InvalidSpec, NoImage

_PARTS = ("Environment", "Process", "Domain")


def check_environments(conn: psycopg.Connection, written: Sequence[Written], options: Options) -> None:
    """Refuse what would only stall, with the controller's settings as far as they are known here.

    Raises:
        SpecRefused: an environment that was written, or a part of it, breaks a rule of the whole.
    """
    parts = [w for w in written if w.changed and w.target.kind in _PARTS]
    keys = readiness.affected(conn, [w.status_key for w in parts])
    places = {_environment(w.target): w.target.place for w in reversed(parts)}
    try:
        with conn.transaction():
            documents = lookups.documents(conn, "environment", [object_id for _, object_id in keys])
    except errors.InsufficientPrivilege:
        return  # the controller checks the same and says so in the status
    refusals = []
    for document in documents:
        try:
            registered()["environment"].read(document.doc, options)
        except NoImage:
            continue  # its first release is still to come
        except InvalidSpec as error:
            path = (document.doc["organization"]["slug"], document.doc["app"]["slug"], document.doc["name"])
            for problem in error.problems:
                message = f"{problem.field}: {problem.message}" if problem.field else problem.message
                resource = f"Environment {'/'.join(path)}"
                refusals.append(Refusal(places.get(path, ""), resource, message, problem.hint))
    if refusals:
        raise SpecRefused(refusals)


def _environment(target: Target) -> tuple[str, ...]:
    return target.path if target.kind == "Environment" else target.path[:-1]
