"""Runs of the simulated database: what ``skypanel.snapshot_run`` says of one, and what its record refuses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from controller.records import Key
from reconcilers.outcomes import ConflictError
from tests.sim.database.releases import Kept

RECORDS = "paas_run_records"


def record(key: Key) -> tuple[str, tuple[tuple[str, object], ...]]:
    """Where the record of a run is, among the rows that kinds write."""
    return RECORDS, (("run_id", key.id),)


def environment_of(document: bytes) -> Key:
    """The environment of a run, by its row."""
    return Key("environment", orjson.loads(document)["environment"]["id"])


def check(table: str, known: Mapping[str, object] | None, row: Mapping[str, object]) -> None:
    """What is over stays as it ended, and what began is not let begin again.

    Raises:
        ConflictError: as the database's trigger has it.
    """
    if table != RECORDS or known is None:
        return
    after = {**known, **row}
    if known.get("outcome") is not None and after != known:
        raise ConflictError("Conflict", "the run is over; it is read again")
    if known.get("service_id") is not None and after["service_id"] != known["service_id"]:
        raise ConflictError("Conflict", "the run was let begin already; it is read again")


def with_environment(
    document: bytes, environment: Mapping[str, Any], kept: Sequence[Kept], said: Mapping[str, object] | None
) -> bytes:
    """``document`` as the view gives it, in the release of ``kept`` that it runs in.

    Args:
        document: of the run, with ``release`` as its row has it.
        environment: the document of its environment.
        kept: its releases.
        said: what is on record of the run; None: nothing.
    """
    found = orjson.loads(document)
    wanted = found.pop("release", None)
    served = [each for each in kept if each.deployed] or list(kept)
    of = [each for each in kept if each.version == wanted] if wanted else served
    row = of[-1] if of else None
    content = None
    if row is not None:
        content = {"settings": row.content.settings, "processes": row.content.processes, "config": row.config}
        content |= {"version": row.version, "resolved": row.content.resolved}
        found["released"] = {"version": row.version, "image": row.content.image}
    whole = {**environment, "pinned": content}
    over = said is not None and said.get("outcome") is not None
    found["environment"] = {name: whole[name] for name in ("id", "name")} if over else whole
    found["suspended"] = environment["suspended"]
    found["record"] = {name: value for name, value in (said or {}).items() if name != "run_id"}
    return orjson.dumps(found)
