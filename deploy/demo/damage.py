"""Damage by hand on the engine, and the time to its repair as the engine itself saw both.

The times are those that Swarm put on the two changes, so neither the demo's own calls nor its looking are in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from deploy.demo.controller import wait
from deploy.demo.errors import DemoError
from deploy.engine import EngineApi, EngineApiError
from reconcilers import labels

REPAIR_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Repair:
    """A damage and its undoing.

    Args:
        command: what a person would have typed to do the damage.
        action: what the engine says was done against it: `create` or `update`.
        milliseconds: between the two, at the engine.
    """

    command: str
    action: str
    milliseconds: float


def service_of(api: EngineApi, environment: str, process: str) -> str:
    """Name of the service of one process of an environment, which its labels tell.

    Raises:
        DemoError: it has none, or several.
    """
    wanted = {labels.OWNER: labels.owner_key("environment", environment), labels.PROCESS: process}
    found = api.get("/services", filters={"label": [f"{label}={value}" for label, value in wanted.items()]})
    if len(found) != 1:
        raise DemoError(
            f"process {process} of environment {environment} has {len(found)} services instead of one: "
            "run `make demo` again"
        )
    return str(found[0]["Spec"]["Name"])


def remove(api: EngineApi, service: str) -> Repair:
    """Remove a service, and wait until it is there again.

    Raises:
        DemoError: nobody made it again in time.
    """
    old = _find(api, service)
    begun = time.time()
    api.delete(f"/services/{old['ID']}")

    def again() -> bool:
        try:
            return bool(_find(api, service)["ID"] != old["ID"])
        except EngineApiError:
            return False

    _require(again, f"the service {service} was removed by hand and nobody recreated it")
    return _measure(api, service, begun, f"docker service rm {service}", ("remove", "create"))


def scale(api: EngineApi, service: str, replicas: int) -> Repair:
    """Scale a service, and wait until it has its own number again.

    Raises:
        DemoError: nobody put it right in time.
    """
    found = _find(api, service)
    right = _replicas(found)
    spec = {**found["Spec"], "Mode": {"Replicated": {"Replicas": replicas}}}
    begun = time.time()
    api.post(f"/services/{found['ID']}/update", spec, version=found["Version"]["Index"])
    _require(
        lambda: _replicas(_find(api, service)) == right,
        f"the service {service} was scaled to {replicas} by hand and nobody put {right} back",
    )
    return _measure(api, service, begun, f"docker service scale {service}={replicas}", ("update", "update"))


def _find(api: EngineApi, service: str) -> dict[str, Any]:
    return dict(api.get(f"/services/{service}"))


def _replicas(service: dict[str, Any]) -> int:
    return int(service["Spec"]["Mode"]["Replicated"].get("Replicas", 0))


def _require(condition: Callable[[], bool], problem: str) -> None:
    if not wait(condition, seconds=REPAIR_SECONDS):
        raise DemoError(f"{problem} within {REPAIR_SECONDS:.0f} s: see the controller's log, .run/*.log")


def _measure(api: EngineApi, service: str, begun: float, command: str, actions: tuple[str, str]) -> Repair:
    """Find the two changes among the engine's recent events."""
    answer = api.get(
        "/events", since=f"{begun:.6f}", until=f"{time.time():.6f}", filters={"type": ["service"], "service": [service]}
    )
    events = answer if isinstance(answer, list) else [answer] if answer else []
    hand = next((e for e in events if e["Action"] == actions[0]), None)
    repair = next((e for e in events if hand and e["Action"] == actions[1] and e["timeNano"] > hand["timeNano"]), None)
    if hand is None or repair is None:
        raise DemoError(f"the engine's events do not show how {service} was repaired: {[e['Action'] for e in events]}")
    return Repair(command, actions[1], (repair["timeNano"] - hand["timeNano"]) / 1e6)
