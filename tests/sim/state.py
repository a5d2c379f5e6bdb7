"""What a world has settled to, in a form that can be compared: without ids, versions, times and wordings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from reconcilers import labels
from reconcilers.registry import registered
from tests.sim.database.database import SimDatabase
from tests.sim.ports import Ports, things
from tests.sim.swarm.swarm import SimSwarm

_RECONCILED = frozenset(registered())
_KINDS = ("services", "networks", "secrets", "configs")


SEEN = ("service_id", "started_at", "missing_at")
"""Columns of kinds' rows that are about how often somebody looked, or have an id of the engine's."""


@dataclass(frozen=True, slots=True)
class State:
    """Live objects, things beyond the Swarm, rows of kinds, statuses, inventory and address plan, by readable names.

    Which of two organizations gets the lower subnet is a matter of time: a subnet reads as ``own`` where it is the one
    that the address plan has for the object's organization.
    """

    live: Mapping[str, Any]
    statuses: Mapping[str, Any]
    inventory: Mapping[str, Any]
    subnets: frozenset[str]

    def differences(self, other: State) -> str:
        """Where ``other`` is not this, in a few lines."""
        told = []
        for part in ("live", "statuses", "inventory"):
            mine, theirs = getattr(self, part), getattr(other, part)
            told += [
                f"{part} {key}: {_short(theirs.get(key))} instead of {_short(mine.get(key))}"
                for key in sorted(mine.keys() | theirs.keys())
                if mine.get(key) != theirs.get(key)
            ]
        told += [f"a subnet of {owner} only one way" for owner in sorted(self.subnets ^ other.subnets)]
        return "; ".join(told[:6]) + (f"; and {len(told) - 6} more" if len(told) > 6 else "")


def read_state(swarm: SimSwarm, database: SimDatabase, ports: Ports) -> State:
    """As it is now."""
    plan = {str(s.network): s.organization_id or "" for s in database.subnets if s.state == "allocated"}
    found = swarm.state()
    live = {f"{kind[:-1]} {name}": value for kind in _KINDS for name, value in found[kind].items()}
    for name, network in found["networks"].items():
        if plan.get(network["subnet"]) == network["labels"].get(labels.ORGANIZATION, "nobody"):
            lower = network["range"].rpartition("/")[0] == network["subnet"].rpartition("/")[0]
            live[f"network {name}"] = network | {"subnet": "own", "range": "lower half" if lower else network["range"]}
    live["joined"] = found["joined"]
    for object_type, port in things(ports):
        live |= {f"{object_type} {name}": document for name, (document, _) in port.found.items()}
    # What is noted of a deleted object goes with it; with a fault it may be deleted before there was something to note.
    gone = {key.id for key, row in database.objects.items() if row.deleted}
    live |= {
        f"row of {table} {where}": _timeless(row)
        for (table, where), row in database.rows.items()
        if not any(value in gone for _, value in where)
    }
    return State(
        live=live,
        statuses={
            f"{key.kind}/{key.id}": (
                said.ready,
                said.reason,
                key not in database.objects or said.observed_generation == database.objects[key].generation,
                said.finalized_at is not None,
                said.handled_token,
            )
            for key, said in database.statuses.items()
            # A child (a domain, a process) that is in no document any more is not spoken of any more.
            if key.kind in _RECONCILED or any(key.id.encode() in row.document for row in database.objects.values())
        },
        inventory={
            f"{row.object_type} {row.name}": (
                row.owner,
                "own" if plan.get(row.spec_hash or "") == row.organization_id else row.spec_hash,
                row.failed_hash or None,
                row.state,
            )
            for row in database.inventory.values()
        },
        subnets=frozenset(plan.values()),
    )


def _timeless(row: Mapping[str, object]) -> dict[str, object]:
    """When something was done is not the same with a fault."""

    def is_a_time(value: object) -> bool:
        try:
            return isinstance(value, str) and "T" in value and bool(datetime.fromisoformat(value))
        except ValueError:
            return False

    return {column: "a time" if is_a_time(value) else value for column, value in row.items() if column not in SEEN}


def _short(value: Any) -> str:
    text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) < 400 else text[:400] + "…"
