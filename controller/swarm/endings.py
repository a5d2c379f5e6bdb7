"""How tasks ended: what a person can be told of it, and whether it happens again and again. Pure.

A task tells its state, an exit code and a line of the engine's. The time in it is that of its node: only times of tasks
of one slot are compared with each other, never with a clock of ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

Document = Mapping[str, Any]

BY_ITSELF = {"failed", "complete"}
"""States of tasks that had a container which ended without being asked to."""
_SHORTLY = timedelta(minutes=10)
_KILLED = 137
_LENGTH = 200


class Endings(NamedTuple):
    """Tasks of one service that ended by themselves.

    Args:
        failures: so many in one slot, each within ten minutes of the newest there; of the slot that has most.
        failure: how the newest of all ended.
        exit_code: with what.
    """

    failures: int = 0
    failure: str = ""
    exit_code: int | None = None


def endings(tasks: Iterable[Document]) -> Endings:
    """Count those of ``tasks`` that ended by themselves."""
    slots: defaultdict[Any, list[Document]] = defaultdict(list)
    for task in tasks:
        if task["Status"]["State"] in BY_ITSELF:
            slots[task.get("Slot") or task.get("NodeID")].append(task)
    if not slots:
        return Endings()
    newest = max((task for slot in slots.values() for task in slot), key=timestamp)
    return Endings(max(map(_close_together, slots.values())), describe(newest), exit_code(newest))


def describe(task: Document) -> str:
    """Why a task is not running, in one line."""
    status, code = task["Status"], exit_code(task)
    text = " ".join(str(status.get("Err") or status.get("Message") or status["State"]).split())
    if status["State"] == "complete":
        text = f"it ended by itself (exit code {code or 0})"
        if (task["Spec"]["ContainerSpec"].get("Healthcheck") or {}).get("Test"):
            text += ", or was stopped as its health check failed"
    elif code and "exit" not in text:
        text += f" (exit code {code})"
    return shorten(text) + _cause(task, code, text)


def shorten(text: str, length: int = _LENGTH) -> str:
    """The engine wraps errors from the outside in: the beginning says where it was, the end says what it was."""
    if len(text) <= length:
        return text
    beginning = length * 3 // 10
    return f"{text[:beginning].rstrip()} … {text[-(length - beginning - 3) :].lstrip()}"


def _cause(task: Document, code: int | None, text: str) -> str:
    """What stands behind it, as far as the task tells."""
    if "unhealthy" in text:
        return ": its health check failed"
    if code != _KILLED:
        return ""
    limit = ((task["Spec"].get("Resources") or {}).get("Limits") or {}).get("MemoryBytes") or 0
    memory = f"the memory limit of {limit // (1024 * 1024)} MiB was reached" if limit else "memory ran out"
    return f": it was killed; usually {memory}, else its health check failed or it did not end in its grace period"


def _close_together(slot: Sequence[Document]) -> int:
    times = [timestamp(task) for task in slot]
    return sum(max(times) - time <= _SHORTLY for time in times)


def timestamp(task: Document) -> datetime:
    """When it came into its state, by the clock of its node."""
    return datetime.fromisoformat(task["Status"]["Timestamp"])


def exit_code(task: Document) -> int | None:
    """With what its container ended; None when it has none."""
    found: int | None = (task["Status"].get("ContainerStatus") or {}).get("ExitCode")
    return found
