"""The last reconciles of each object: what woke them, what they saw, planned and did, and how long each step took.

A ``Trace`` is a lap timer: ``lap`` ends the step that began where the one before ended, so the steps of a reconcile
follow one another without a gap, and each costs a look at the clock. When the reconcile ends the ``Recorder`` keeps it
as a few hundred bytes of JSON, in memory only.

What is kept is bounded: the last five of an object (the last one that wrote to the engine is never pushed out by looks
that changed nothing; equal looks in a row are counted), at most 5,000 objects and 12 MB, those that were reconciled
longest ago go first. Texts are those of plans and events, with passwords of connection strings blanked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from controller.kit.clock import monotonic, wall
from controller.kit.redaction import redact
from controller.records import Key, Loaded

PER_KEY = 5
MOST_KEYS = 5_000
MOST_BYTES = 12_000_000
_LONGEST_NOTE = 400
_MOST_STEPS = 64
_KEY_BYTES = 400
"""What a key and an entry cost beside the text, roughly."""


class Trace:
    """One reconcile, while it runs.

    Args:
        key: what is reconciled.
        reconcile_id: as in the log.
        woken_by: words of what queued it, the most urgent first.
        waited: seconds in the queue.
        epoch: of the lease.
    """

    __slots__ = (
        "_last",
        "_skipped",
        "document",
        "drifted",
        "epoch",
        "generation",
        "inventory",
        "key",
        "live",
        "message",
        "next_seconds",
        "reason",
        "reconcile_id",
        "repaired",
        "result",
        "seconds",
        "started",
        "started_wall",
        "steps",
        "waited",
        "woken_by",
        "writes",
    )

    def __init__(self, key: Key, reconcile_id: str, woken_by: tuple[str, ...], waited: float, epoch: int) -> None:
        self.key = key
        self.reconcile_id = reconcile_id
        self.woken_by = woken_by
        self.waited = waited
        self.epoch = epoch
        self.generation = 0
        self.document = "unknown"
        self.inventory = 0
        self.live: Mapping[str, int] = {}
        self.steps: list[tuple[str, float, str]] = []
        """Name, seconds, what is to be said of it."""
        self.writes = 0
        self.drifted = self.repaired = False
        """Whether something was not as it was made, and whether it was put right."""
        self.result = ""
        self.reason = ""
        self.message = ""
        self.next_seconds: float | None = None
        self.seconds = 0.0
        self.started = self._last = monotonic()
        self.started_wall = wall()
        self._skipped = 0

    @property
    def queued(self) -> float:
        """When the key was queued, monotonic."""
        return self.started - self.waited

    def lap(self, name: str, note: str = "") -> None:
        """The step that began with the end of the one before ends now."""
        now = monotonic()
        if len(self.steps) < _MOST_STEPS:
            self.steps.append((name, now - self._last, note))
        else:  # a reconcile with hundreds of writes: the rest is one step
            self._skipped += 1
            self.steps[-1] = ("more", self.steps[-1][1] + now - self._last, f"{self._skipped + 1} more steps")
        self._last = now

    def wrote(self, done: Sequence[object]) -> None:
        """What is new in ``done``, the changes made so far, was the last step; the texts are those of events."""
        for change in done[self.writes :]:
            self.lap("write", _short(str(change)))
        self.writes = len(done)

    def saw(self, loaded: Loaded, live: Mapping[str, int]) -> None:
        """What there was: the row, the inventory, and ``live`` versions of its services by name."""
        self.generation = loaded.generation
        self.document = "missing" if loaded.document is None else "deleted" if loaded.deleted else "present"
        self.inventory = len(loaded.inventory)
        self.live = live

    def failed(self, reason: str, message: str) -> None:
        """Why it did not go to its end; the step that it was in ends."""
        self.reason = reason
        self.message = _short(message)
        self.lap("failed", reason)

    def end(self, result: str) -> None:
        """It is over."""
        self.result = result
        self.seconds = monotonic() - self.started


def _short(text: str) -> str:
    text = redact(text).encode(errors="replace").decode()  # JSON has no lone surrogates
    return text if len(text) <= _LONGEST_NOTE else text[: _LONGEST_NOTE - 1] + "…"


class _Entry:
    __slots__ = ("first", "payload", "sign", "times")

    def __init__(self, sign: tuple[Any, ...] | None, payload: bytes, first: float) -> None:
        self.sign = sign
        self.payload = payload
        self.times = 1
        self.first = first


class Recorder:
    """Keeps the last reconciles of each object.

    Args:
        sink: gets every reconcile when it has ended; must not wait. None: nobody wants them.
    """

    def __init__(self, sink: Callable[[Trace], None] | None = None) -> None:
        self.epoch = 0
        """Of the lease that this process holds or held."""
        self.size = 0
        """Bytes kept, roughly."""
        self._sink = sink
        self._kept: OrderedDict[Key, list[_Entry]] = OrderedDict()

    def __len__(self) -> int:
        """Objects of which something is kept."""
        return len(self._kept)

    def keep(self, trace: Trace) -> None:
        """Keep a reconcile that has ended, and pass it on."""
        sign = None
        if not trace.writes:
            sign = (trace.result, trace.generation, trace.reason, trace.woken_by, trace.document)
        payload = _encoded(trace)
        entries = self._kept.get(trace.key)
        if entries is None:
            entries = self._kept[trace.key] = []
            self.size += _KEY_BYTES
        else:
            self._kept.move_to_end(trace.key)
        newest = entries[-1] if entries else None
        if newest is not None and sign is not None and newest.sign == sign:
            self.size += len(payload) - len(newest.payload)
            newest.payload = payload
            newest.times += 1
        else:
            entries.append(_Entry(sign, payload, trace.started_wall))
            self.size += len(payload)
            if len(entries) > PER_KEY:
                self.size -= len(entries.pop(_oldest(entries)).payload)
        while len(self._kept) > MOST_KEYS or self.size > MOST_BYTES:
            _, dropped = self._kept.popitem(last=False)
            self.size -= _KEY_BYTES + sum(len(e.payload) for e in dropped)
        if self._sink is not None:
            self._sink(trace)

    def last(self, key: Key) -> list[dict[str, Any]]:
        """The last reconciles of ``key`` as documents, the newest last."""
        return [_decoded(entry) for entry in self._kept.get(key, ())]


def _oldest(entries: list[_Entry]) -> int:
    """Which one to drop: the oldest, unless it is the only one that wrote."""
    return int(entries[0].sign is None and all(e.sign is not None for e in entries[1:]))


def _encoded(trace: Trace) -> bytes:
    text = orjson.dumps(
        {
            "reconcileId": trace.reconcile_id,
            "startedAt": trace.started_wall,
            "seconds": round(trace.seconds, 6),
            "wokenBy": trace.woken_by,
            "waitedSeconds": round(trace.waited, 6),
            "generation": trace.generation,
            "epoch": trace.epoch,
            "document": trace.document,
            "inventory": trace.inventory,
            "live": trace.live,
            "steps": [(name, int(seconds * 1e6), note) for name, seconds, note in trace.steps],
            "result": trace.result,
            "nextSeconds": trace.next_seconds,
            "reason": trace.reason,
            "message": trace.message,
        }
    )
    # orjson shrinks a large buffer in place, and what it leaves of the heap fits nothing: ten times the memory.
    return bytes(memoryview(text))


def _decoded(entry: _Entry) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(entry.payload)
    found["startedAt"] = _moment(found["startedAt"])
    found["steps"] = [{"name": name, "seconds": micros / 1e6, "note": note} for name, micros, note in found["steps"]]
    return {**found, "times": entry.times, "firstStartedAt": _moment(entry.first)}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
