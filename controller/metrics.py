"""Metrics for Prometheus, shaped like controller-runtime's and its workqueue's."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

RESULTS = (
    "success",
    "requeue_after",
    "conflict",
    "transient_error",
    "terminal_error",
    "fenced",
    "panic",
    "cancelled",
)
ACTIONS = ("create", "update", "recreate", "delete", "connect")
STREAMS = ("database", "engine")

RECONCILE_TOTAL = Counter("skypanel_reconcile_total", "Reconciles by kind and result.", ["kind", "result"])
RECONCILE_SECONDS = Histogram("skypanel_reconcile_time_seconds", "Duration of a reconcile.", ["kind"], buckets=_SECONDS)
ACTIVE_WORKERS = Gauge("skypanel_active_workers", "Reconciles that are running.", ["kind"])
QUEUE_DEPTH = Gauge("skypanel_workqueue_depth", "Keys that wait to be worked on.", ["kind"])
QUEUE_ADDS = Counter("skypanel_workqueue_adds_total", "Keys queued, by what woke them.", ["kind", "reason"])
QUEUE_SECONDS = Histogram(
    "skypanel_workqueue_queue_duration_seconds",
    "Time from queueing a key to work on it.",
    ["kind"],
    buckets=_SECONDS,
)
QUEUE_RETRIES = Counter("skypanel_workqueue_retries_total", "Keys queued again after an error.", ["kind"])
ENGINE_WRITES = Counter("skypanel_engine_writes_total", "Writes to the engine by what they did.", ["object", "action"])
DRIFT_REPAIRS = Counter(
    "skypanel_drift_repairs_total", "Differences that somebody made and that were undone.", ["kind"]
)
OBJECTS = Gauge("skypanel_objects", "Wanted objects by kind and readiness.", ["kind", "ready"])
LIVE_OBJECTS = Gauge("skypanel_live_objects", "Live objects of this installation.", ["object"])
HINT_STREAM_UP = Gauge("skypanel_hint_stream_up", "1 while a stream of hints is connected.", ["stream"])
DATABASE_UP = Gauge("skypanel_database_up", "1 when the last statement was answered.")
ENGINE_UP = Gauge("skypanel_engine_up", "1 when the last list was answered.")
LEADER = Gauge("skypanel_leader", "1 while this process holds the lease.")
LEASE_EPOCH = Gauge("skypanel_lease_epoch", "Epoch of the lease that this process holds or held.")
FUSE_TRIPPED = Gauge("skypanel_gc_fuse_tripped", "1 while removals wait for a confirmation.")
FUSE_DOOMED = Gauge("skypanel_gc_fuse_doomed_objects", "Live objects whose removal waits for a confirmation.")
RESYNC_SECONDS = Histogram("skypanel_resync_time_seconds", "Duration of a full comparison.", buckets=_SECONDS)
RESYNC_QUEUED = Counter("skypanel_resync_queued_total", "Keys that a full comparison found to need work.", ["kind"])
LOOP_LAG = Gauge("skypanel_event_loop_lag_seconds", "Longest delay of the event loop in the last period.")


def initialise(kinds: list[str]) -> None:
    """Set every known label to zero, so that an alert on absence works."""
    for kind in kinds:
        for result in RESULTS:
            RECONCILE_TOTAL.labels(kind=kind, result=result)
        RECONCILE_SECONDS.labels(kind=kind)
        ACTIVE_WORKERS.labels(kind=kind).set(0)
        QUEUE_DEPTH.labels(kind=kind).set(0)
        QUEUE_SECONDS.labels(kind=kind)
        QUEUE_RETRIES.labels(kind=kind)
        DRIFT_REPAIRS.labels(kind=kind)
        RESYNC_QUEUED.labels(kind=kind)
    for object_type in ("service", "network", "edge"):
        for action in ACTIONS:
            ENGINE_WRITES.labels(object=object_type, action=action)
    for stream in STREAMS:
        HINT_STREAM_UP.labels(stream=stream).set(0)
