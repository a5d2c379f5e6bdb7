"""Metrics of the process for Prometheus, and what the metrics of each room share."""

from __future__ import annotations

import platform

from prometheus_client import Counter, Gauge, disable_created_metrics

from controller.kit.clock import monotonic
from controller.kit.version import own_version

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Buckets of what should be over soon."""
LONG_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Buckets of what waits for tasks."""
LOOPS = (
    *("election", "renewal", "lease_watch", "identity_watch", "database_hints", "engine_hints", "engine_events"),
    *("work", "first_comparison", "comparison", "changes", "dependents", "pauses", "tasks", "pruning"),
    *("http", "signals", "event_loop", "keys", "audit", "statuses"),
    *("api", "api_answers", "api_issuers", "api_streams", "api_hints"),
)

LOOP_FAILURES = Counter(
    "skypanel_loop_failures_total", "Times that a loop of the process failed and was started again.", ["loop"]
)
HINT_STREAM_UP = Gauge("skypanel_hint_stream_up", "1 while a stream of hints is connected.", ["stream"])
HINTS = Counter("skypanel_hints_total", "Hints that a stream gave.", ["stream"])
HINT_AGE = Gauge("skypanel_hint_age_seconds", "Time since a stream gave its last hint, or since the start.", ["stream"])
HINT_RECONNECTS = Counter("skypanel_hint_reconnects_total", "Times that a lost stream was reconnected.", ["stream"])
DATABASE_UP = Gauge("skypanel_database_up", "1 when the last statement was answered.")
DATA_KEYS_UNAVAILABLE = Gauge(
    "skypanel_data_keys_unavailable", "Organizations whose config vars this process has no key to open."
)
BUILD_INFO = Gauge("skypanel_build_info", "What runs; always 1.", ["version", "python"])


class HintStream:
    """The health of one stream of hints, which must show, as nothing else fails when it does."""

    def __init__(self, name: str) -> None:
        self._up = HINT_STREAM_UP.labels(stream=name)
        self._hints = HINTS.labels(stream=name)
        self._reconnects = HINT_RECONNECTS.labels(stream=name)
        self._heard = monotonic()
        self._lost = False
        HINT_AGE.labels(stream=name).set_function(lambda: monotonic() - self._heard)

    def connected(self) -> None:
        """It is there, or still there."""
        self._up.set(1)
        if self._lost:
            self._lost = False
            self._reconnects.inc()

    def lost(self) -> None:
        """It broke."""
        self._lost = True
        self._up.set(0)

    def closed(self) -> None:
        """It was ended on purpose."""
        self._up.set(0)

    def heard(self) -> None:
        """It gave a hint."""
        self._heard = monotonic()
        self._hints.inc()


def initialise() -> None:
    """Set every known label to zero, so that an alert on absence works."""
    disable_created_metrics()  # type: ignore[no-untyped-call] # a second sample for each, which nobody asks for
    for loop in LOOPS:
        LOOP_FAILURES.labels(loop=loop)
    BUILD_INFO.labels(version=own_version(), python=platform.python_version()).set(1)
