"""What a failing health check said last. Swarm keeps none of it, the engine that ran the container does.

A task whose check fails ends as ``complete`` without a word, or as ``failed`` with "unhealthy container". The container
is there as long as Swarm remembers its task; the engine that we talk to can be asked for its own ones only.

What a check prints is its tenant's: it goes into that tenant's status, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from controller.swarm.client import EngineClient
from controller.swarm.endings import Document, shorten, timestamp
from controller.swarm.errors import EngineError, EngineUnavailable, outcomes
from reconcilers.helper import without_helper
from reconcilers.patience import start_seconds
from reconcilers.ports import ServiceProgress, Suspect

_LONGEST_OUTPUT, _LONGEST_COMMAND = 200, 100
_SECOND = 1_000_000_000
_DEFAULT_INTERVAL = 30 * _SECOND
_TIMED_OUT = -1
_KILLED = 137
_GONE = "setns process"
"""The engine could not enter the container: its first process had gone."""


def suspect(tasks: Sequence[Document]) -> Suspect | None:
    """The newest of ``tasks`` that a failing health check may have ended, or keeps from running. Pure.

    Where others have ended in another way, one that starts may just not have come to its end yet.
    """
    told = any(task["Status"]["State"] == "failed" and not _unhealthy(task) for task in tasks)
    suspects = [task for task in tasks if _suspicious(task) and not (told and task["Status"]["State"] == "starting")]
    if not suspects:
        return None
    newest = max(suspects, key=timestamp)
    container = (newest["Status"].get("ContainerStatus") or {}).get("ContainerID") or ""
    declared = newest["Spec"].get("ContainerSpec", {}).get("Healthcheck") or {}
    ended = newest["Status"]["State"] == "complete"
    return Suspect(str(newest.get("NodeID") or ""), str(container), declared, ended) if container else None


def _suspicious(task: Document) -> bool:
    status = task["Status"]
    return status["State"] in ("complete", "starting") or _unhealthy(task)


def _unhealthy(task: Document) -> bool:
    return "unhealthy" in str(task["Status"].get("Err") or "")


class HealthLogs:
    """Reads what checks said."""

    def __init__(self, client: EngineClient) -> None:
        self._client = client

    async def last_words(self, found: Suspect) -> str:
        """What its check said last, as the end of a sentence in one line; empty when no check has to do with it.

        Raises:
            TransientError: the engine did not answer.
        """
        async with outcomes():
            try:
                if found.node and found.node != self._client.node_id:
                    return await self._elsewhere(found)
                return told(await self._client.container(found.container))
            except EngineUnavailable:
                raise
            except EngineError:  # it has gone with its task; or a proxy before the engine does not let us ask
                return ""

    async def starting_seconds(self, found: ServiceProgress) -> Sequence[float]:
        """How long each of its tasks that start has done so already, at least; 0 where nobody can know.

        Of one with its container here: how long that has been asked, by one clock, which is that of its node. Of others
        by the clocks of managers: the one that wrote down that it starts, and the one that is asked for the time now.

        Raises:
            TransientError: the engine did not answer.
        """
        async with outcomes():
            one = found.suspect if len(found.starting) == 1 else None
            container = await self._here(one) if one is not None else {}
            if (container.get("State") or {}).get("Running"):
                return [asked(container)]
            now = await self._client.time()
            return [since(at, now, found.starts_within or 0.0) for at in found.starting_at]

    async def _here(self, found: Suspect) -> Mapping[str, Any]:
        """Its container; empty where it is on another node, or gone."""
        if found.node and found.node != self._client.node_id:
            return {}
        try:
            return await self._client.container(found.container)
        except EngineUnavailable:
            raise
        except EngineError:
            return {}

    async def _elsewhere(self, found: Suspect) -> str:
        if not found.declared:
            return ""
        nodes = {str(node["ID"]): node["Description"]["Hostname"] for node in await self._client.nodes()}
        where = f"`docker inspect {found.container[:12]}` on node {nodes.get(found.node, found.node)} has its output"
        words = _failed(found.declared, where)
        return f"it ended by itself, or was stopped as {words}" if found.ended else words


def told(container: Mapping[str, Any]) -> str:
    """What an inspected container shows of its check. Pure."""
    state = container.get("State") or {}
    health = state.get("Health") or {}
    if _ended_early(container, health):
        return "it ended by itself (exit code 0), before its health check had passed"
    log = [entry for entry in health.get("Log") or [] if state.get("Running") or not _cut_short(entry)]
    if not health or health.get("Status") == "healthy" or not log:
        return ""
    if not log[-1].get("ExitCode") or not _counts(container, health, log[-1]):
        return ""  # within its start period none has counted yet: what has ended then, has ended in another way
    failures = [entry for entry in reversed(log) if entry.get("ExitCode")]
    last = next((entry for entry in failures if _spoke(entry)), failures[0])
    check = (container.get("Config") or {}).get("Healthcheck") or {}
    return _failed(check, _result(int(last["ExitCode"]), str(last.get("Output") or "")))


def _ended_early(container: Mapping[str, Any], health: Mapping[str, Any]) -> bool:
    """Whether it ended well while it still started, and its engine had not given it up.

    Nothing counts for the engine until then; of what it gives up it has counted failures, and of what was healthy once
    a pass is the last that it knows, or failures count.
    """
    state, log = container.get("State") or {}, health.get("Log") or []
    if not health or state.get("Running") is not False or state.get("ExitCode") != 0 or health.get("FailingStreak"):
        return False
    passed = any(not entry.get("ExitCode") for entry in log)
    return start_seconds((container.get("Config") or {}).get("Labels")) is not None and not passed


def asked(container: Mapping[str, Any]) -> float:
    """Seconds from the start of an inspected container to the last time that its check was made; 0: not yet. Pure."""
    log = ((container.get("State") or {}).get("Health") or {}).get("Log") or []
    return max(0.0, _after_start(container, log[-1]) or 0.0) if log else 0.0


def since(at: str, now: datetime, within_seconds: float) -> float:
    """Seconds from a manager's ``at`` to another one's ``now``; 0: their clocks are not to be compared. Pure.

    No task starts for twice as long as it may, and a minute: its engine has ended it by then.
    """
    try:
        seconds = (now - datetime.fromisoformat(at)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return seconds if 0.0 < seconds < 2 * within_seconds + 60.0 else 0.0


def _after_start(container: Mapping[str, Any], entry: Mapping[str, Any]) -> float | None:
    """Seconds, both by the clock of its node; None: it has not begun, or its engine has other words for times."""
    began, ended = (str(each or "") for each in (container["State"].get("StartedAt"), entry.get("Start")))
    try:
        return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).total_seconds()
    except (ValueError, TypeError):
        return None


def _counts(container: Mapping[str, Any], health: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Whether a failure came after the start period that was declared; the engine may have been told a longer one."""
    start = start_seconds((container.get("Config") or {}).get("Labels"))
    if health.get("FailingStreak") or start is None:
        return health.get("Status") != "starting" or health.get("FailingStreak") != 0
    after = _after_start(container, entry)
    return after is None or after >= start


def _cut_short(entry: Mapping[str, Any]) -> bool:
    """Whether a check may have been killed with its container, or came too late for it: that says nothing of health."""
    late = entry.get("ExitCode") == _TIMED_OUT and _GONE in str(entry.get("Output"))
    return late or (entry.get("ExitCode") == _KILLED and not _spoke(entry))


def _spoke(entry: Mapping[str, Any]) -> bool:
    return bool(str(entry.get("Output") or "").strip())


def _result(code: int, output: str) -> str:
    said = shorten(one_line(output), _LONGEST_OUTPUT)
    if code == _TIMED_OUT:  # the output is the engine's own: that it took too long, or could not be started
        return said or "it could not be run"
    return f"exit code {code}: {said}" if said else f"exit code {code}, no output"


def one_line(text: str) -> str:
    """Without line breaks and control characters, which a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _failed(check: Mapping[str, Any], result: str) -> str:
    words = check.get("Test") or []
    said = without_helper(words[1:]) if words and words[0] in ("CMD", "CMD-SHELL") else words
    command = shorten(one_line(" ".join(said)), _LONGEST_COMMAND)
    seconds = (check.get("Interval") or _DEFAULT_INTERVAL) / _SECOND
    return f"its health check failed ([{command}], every {seconds:g}s): {result}"
