"""Metrics of the loop, shaped like controller-runtime's and its workqueue's."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from prometheus_client import Counter, Gauge, Histogram

from controller.telemetry.metrics import LONG_SECONDS, SECONDS

RESULTS = (
    "success",
    "requeue_after",
    "conflict",
    "transient_error",
    "terminal_error",
    "timeout",
    "fenced",
    "panic",
    "cancelled",
)
_ERRORS = ("transient_error", "terminal_error", "timeout", "panic")
ACTIONS = ("create", "update", "recreate", "delete", "connect")
PRIORITIES = ("change", "dependency", "drift", "resync")
RENEWALS = ("renewed", "lost", "unreachable")
SCOPES = ("object", "organization", "installation")

RECONCILE_TOTAL = Counter("skypanel_reconcile_total", "Reconciles by kind and result.", ["kind", "result"])
RECONCILE_ERRORS = Counter(
    "skypanel_reconcile_errors_total",
    "Reconciles that ended in an error: transient, terminal, timeout or panic.",
    ["kind"],
)
TERMINAL_ERRORS = Counter(
    "skypanel_terminal_reconcile_errors_total",
    "Reconciles that ended in an error that only a new generation can fix.",
    ["kind"],
)
PANICS = Counter("skypanel_reconcile_panics_total", "Reconciles that ended in a defect of the program.", ["kind"])
TIMEOUTS = Counter("skypanel_reconcile_timeouts_total", "Reconciles that were cut off by their own time-out.", ["kind"])
RECONCILE_SECONDS = Histogram("skypanel_reconcile_time_seconds", "Duration of a reconcile.", ["kind"], buckets=SECONDS)
MAX_CONCURRENT = Gauge("skypanel_max_concurrent_reconciles", "Most reconciles of a kind at once.", ["kind"])
ACTIVE_WORKERS = Gauge("skypanel_active_workers", "Reconciles that are running.", ["kind"])
QUEUE_DEPTH = Gauge(
    "skypanel_workqueue_depth",
    "Keys that are due and wait to be worked on, by their most urgent reason.",
    ["kind", "priority"],
)
QUEUE_DELAYED = Gauge("skypanel_workqueue_delayed", "Keys that wait for their time to come.", ["kind"])
QUEUE_ADDS = Counter("skypanel_workqueue_adds_total", "Keys queued, by what woke them.", ["kind", "reason"])
QUEUE_SECONDS = Histogram(
    "skypanel_workqueue_queue_duration_seconds",
    "Time from queueing a key to work on it.",
    ["kind"],
    buckets=SECONDS,
)
QUEUE_WORK_SECONDS = Histogram(
    "skypanel_workqueue_work_duration_seconds",
    "Time from giving a key out to the end of work on it.",
    ["kind"],
    buckets=SECONDS,
)
QUEUE_UNFINISHED = Gauge(
    "skypanel_workqueue_unfinished_work_seconds",
    "Seconds of work in progress, of all keys together; grows when something hangs.",
    ["kind"],
)
QUEUE_LONGEST = Gauge(
    "skypanel_workqueue_longest_running_processor_seconds",
    "How long the key that is worked on for longest is worked on.",
    ["kind"],
)
QUEUE_RETRIES = Counter("skypanel_workqueue_retries_total", "Keys queued again after an error.", ["kind"])
FIRST_RECONCILE_SECONDS = Histogram(
    "skypanel_first_time_to_reconcile_seconds",
    "From seeing a new object to the first look at it.",
    ["kind"],
    buckets=SECONDS,
)
FIRST_READY_SECONDS = Histogram(
    "skypanel_first_time_to_readiness_seconds",
    "From seeing a new object to the first time that it is Ready.",
    ["kind"],
    buckets=LONG_SECONDS,
)
READY_SECONDS = Histogram(
    "skypanel_time_to_ready_seconds",
    "From seeing a new generation to Ready for it.",
    ["kind"],
    buckets=LONG_SECONDS,
)
DELETION_SECONDS = Histogram(
    "skypanel_deletion_seconds",
    "From seeing that an object is to go to nothing being left of it.",
    ["kind"],
    buckets=LONG_SECONDS,
)
DRIFT_SECONDS = Histogram(
    "skypanel_drift_seconds",
    "From seeing that somebody else changed a live object to its repair.",
    ["kind"],
    buckets=LONG_SECONDS,
)
ENGINE_WRITES = Counter("skypanel_engine_writes_total", "Writes to the engine by what they did.", ["object", "action"])
PORT_CALLS = Counter(
    "skypanel_port_calls_total", "Calls of what kinds use beyond the Swarm, by result.", ["port", "method", "result"]
)
DRIFT_REPAIRS = Counter(
    "skypanel_drift_repairs_total", "Differences that somebody made and that were undone.", ["kind"]
)
OBJECTS = Gauge("skypanel_objects", "Wanted objects by kind and readiness.", ["kind", "ready"])
LIVE_OBJECTS = Gauge("skypanel_live_objects", "Live objects of this installation.", ["object"])
RESYNC_SECONDS = Histogram("skypanel_resync_time_seconds", "Duration of a full comparison.", buckets=SECONDS)
RESYNC_QUEUED = Counter("skypanel_resync_queued_total", "Keys that a full comparison found to need work.", ["kind"])
IDENTITY_MISMATCH = Gauge(
    "skypanel_identity_mismatch", "1 while nothing is written: database, Swarm, installation do not belong together."
)
FUSE_TRIPPED = Gauge("skypanel_gc_fuse_tripped", "1 while removals wait for a confirmation.")
FUSE_DOOMED = Gauge("skypanel_gc_fuse_doomed_objects", "Live objects whose removal waits for a confirmation.")
ENGINE_UP = Gauge("skypanel_engine_up", "1 when the last list was answered.")
LEADER = Gauge("skypanel_leader", "1 while this process holds the lease.")
LEASE_EPOCH = Gauge("skypanel_lease_epoch", "Epoch of the lease that this process holds or held.")
LEASE_RENEWALS = Counter("skypanel_lease_renewals_total", "Renewals of the lease by result.", ["result"])
LEASE_LEFT = Gauge("skypanel_lease_remaining_seconds", "How long this process may still believe that it leads.")
CONTESTED = Gauge(
    "skypanel_contested", "Objects whose repair is delayed, as something else keeps changing them.", ["kind"]
)
CONTESTS = Counter("skypanel_contests_total", "Times that repairs of an object began to be delayed.", ["kind"])
ROLLOUTS = Gauge("skypanel_rollouts_in_flight", "Objects whose tasks are being started or replaced.")
ROLLOUTS_WAITING = Gauge("skypanel_rollouts_waiting", "Objects that wait for their turn to start or replace tasks.")
PAUSED = Gauge("skypanel_paused", "Pauses that an operator has not ended, by what they hold.", ["scope"])


class Reconciles:
    """How the reconciles of one kind end."""

    def __init__(self, kind: str) -> None:
        self._results = {r: RECONCILE_TOTAL.labels(kind=kind, result=r) for r in RESULTS}
        self._seconds = RECONCILE_SECONDS.labels(kind=kind)
        self._errors = RECONCILE_ERRORS.labels(kind=kind)
        self._special = {
            "terminal_error": TERMINAL_ERRORS.labels(kind=kind),
            "panic": PANICS.labels(kind=kind),
            "timeout": TIMEOUTS.labels(kind=kind),
        }

    def ended(self, result: str, seconds: float) -> None:
        """One ended with ``result``, one of ``RESULTS``."""
        self._results[result].inc()
        self._seconds.observe(seconds)
        if result in _ERRORS:
            self._errors.inc()
            if result in self._special:
                self._special[result].inc()


def initialise(concurrency: Mapping[str, int], objects: Collection[str], written: Collection[str]) -> None:
    """Set every known label to zero, so that an alert on absence works.

    Args:
        concurrency: by kind.
        objects: types of objects that live on a Swarm.
        written: all that is written to one.
    """
    for kind, most in concurrency.items():
        _initialise_kind(kind)
        MAX_CONCURRENT.labels(kind=kind).set(most)
    for object_type in written:
        for action in ACTIONS:
            ENGINE_WRITES.labels(object=object_type, action=action)
    for object_type in objects:
        LIVE_OBJECTS.labels(object=object_type).set(0)
    for scope in SCOPES:
        PAUSED.labels(scope=scope).set(0)
    for result in RENEWALS:
        LEASE_RENEWALS.labels(result=result)


def _initialise_kind(kind: str) -> None:
    Reconciles(kind)
    ACTIVE_WORKERS.labels(kind=kind).set(0)
    for priority in PRIORITIES:
        QUEUE_DEPTH.labels(kind=kind, priority=priority).set(0)
    for reason in (*PRIORITIES, "retry"):
        QUEUE_ADDS.labels(kind=kind, reason=reason)
    for gauge in (QUEUE_DELAYED, QUEUE_UNFINISHED, QUEUE_LONGEST):
        gauge.labels(kind=kind).set(0)
    for measure in (QUEUE_SECONDS, QUEUE_WORK_SECONDS, QUEUE_RETRIES):
        measure.labels(kind=kind)
    DRIFT_REPAIRS.labels(kind=kind)
    CONTESTED.labels(kind=kind).set(0)
    CONTESTS.labels(kind=kind)
    RESYNC_QUEUED.labels(kind=kind)
    for ready in ("true", "false"):
        OBJECTS.labels(kind=kind, ready=ready).set(0)
    for milestone in (FIRST_RECONCILE_SECONDS, FIRST_READY_SECONDS, READY_SECONDS, DELETION_SECONDS, DRIFT_SECONDS):
        milestone.labels(kind=kind)
