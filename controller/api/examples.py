"""Examples of the API's documents, made of what each kind says of itself."""

from __future__ import annotations

from typing import Any

from controller.api.places import address
from controller.api.problems import types
from controller.swarm.types.service import SERVICE
from specs.kinds import KINDS, SOURCE, ancestors
from specs.resource import API_VERSION

SERVES = next(kind for kind, cls in KINDS.items() if cls.facts.serves)
"""The kind that examples are of."""
SERVES_AT = "/".join(cls.facts.example_name for cls in (KINDS[each] for each in (*ancestors(SERVES), SERVES)))
"""The path of the one that examples are of."""
_ID = "0192d3a4-6f1e-7c3b-9a55-0e5b7c1d2f30"
_COMMIT = "9b1c0f4e5d6a7b8c9d0e1f2a3b4c5d6e7f8a9b0c"
_AT = "2026-11-28T09:00:00Z"


def names(kind: str) -> dict[str, str]:
    """Of an object and its owners, by their words."""
    line = [KINDS[each] for each in (*ancestors(kind), kind)]
    return {cls.word(): cls.facts.example_name for cls in line}


def spec_example(kind: str) -> dict[str, Any]:
    """A spec."""
    return dict(KINDS[kind].facts.example)


def object_example(kind: str) -> dict[str, Any]:
    """An object as it is answered."""
    own = names(kind)
    word = KINDS[kind].word()
    name = own.pop(word)
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **own, "id": _ID, "generation": 7, "createdAt": _AT, "deletedAt": None},
        "spec": spec_example(kind),
        "status": status_example(kind),
        "owners": [_owner(kind)] if ancestors(kind) else [],
        "can": ["read", "write", "delete"],
    }


def _owner(kind: str) -> dict[str, Any]:
    source = "/".join(names(SOURCE).values())
    return {KINDS[SOURCE].word(): source, "commit": _COMMIT, "fields": sorted(spec_example(kind))[:1]}


def status_example(kind: str) -> dict[str, Any]:
    """How it stands."""
    if not KINDS[kind].facts.has_status:
        return {"ready": None, "reason": "", "message": "", "serves": None, "asAsked": None, "tone": None}
    found: dict[str, Any] = {
        "ready": True,
        "reason": "Deployed",
        "message": "3 task(s) of 1 service(s) run registry.example.com/shop/web:1.4",
        "stalled": False,
        "observedGeneration": 7,
        "conditions": [{"type": "Ready", "status": "True", "reason": "Deployed", "message": "as above"}],
        "details": {},
        "finalizedAt": None,
        "updatedAt": _AT,
        "asOf": _AT,
        "serves": True,
        "asAsked": True,
        "tone": "ready",
        "cause": None,
        "mend": None,
        "mendCall": None,
    }
    if KINDS[kind].facts.released:
        found["release"] = {"wanted": 42, "serving": 42}
    return found


def plan_example() -> dict[str, Any]:
    """What a change would do."""
    return {
        "changed": True,
        "rows": [
            {
                "kind": SERVES,
                "name": SERVES_AT,
                "id": _ID,
                "action": "updated",
                "changes": [{"field": "replicas", "before": 3, "after": 4}],
            }
        ],
        "swarm": [{"action": "update", "type": SERVICE.name, "name": "acme-shop-production_web", "differences": []}],
        "cost": [],
        "problems": [],
        "held": [],
        "unknown": None,
    }


def problem_example(name: str) -> dict[str, Any]:
    """A problem of a type."""
    kind = types()[name]
    return {
        "type": kind.address,
        "title": kind.title,
        "status": kind.status,
        "detail": kind.means,
        "instance": address("paas", next(iter(KINDS))).partition("{")[0],
        "request": "5f2c1f6e0a7b4c0e9d8a7b6c5d4e3f21",
    }
