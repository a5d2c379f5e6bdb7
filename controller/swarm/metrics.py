"""Metrics of what is seen of the Swarm."""

from __future__ import annotations

from prometheus_client import Gauge

from controller.telemetry.metrics import HintStream

EDGE_SERVICES = Gauge("skypanel_edge_services", "Services of the Swarm that are the edge.")
EDGE_TASKS = Gauge(
    "skypanel_edge_tasks",
    "Running tasks of the edge: on this engine's node, where they can be joined, or not.",
    ["where"],
)
ENGINE_HINTS = HintStream("engine")


def initialise() -> None:
    """Set every known label to zero, so that an alert on absence works."""
    for where in ("here", "elsewhere"):
        EDGE_TASKS.labels(where=where).set(0)
