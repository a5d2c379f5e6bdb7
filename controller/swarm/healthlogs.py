"""What a failing health check said last. Swarm keeps none of it, the engine that ran the container does.

A task whose check fails ends as ``complete`` without a word, or as ``failed`` with "unhealthy container". The container
is there as long as Swarm remembers its task; the engine that we talk to can be asked for its own ones only.

What a check prints is its tenant's: it goes into that tenant's status, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from controller.swarm.client import EngineClient
from controller.swarm.endings import Document, shorten, timestamp
from controller.swarm.errors import EngineError, EngineUnavailable, outcomes
from reconcilers.helper import without_helper
from reconcilers.ports import Suspect

_LONGEST_OUTPUT, _LONGEST_COMMAND = 200, 100
_SECOND = 1_000_000_000
_DEFAULT_INTERVAL = 30 * _SECOND
_TIMED_OUT = -1
_KILLED = 137


def suspect(tasks: Sequence[Document]) -> Suspect | None:
    """The newest of ``tasks`` that a failing health check may have ended, or keeps from running. Pure."""
    suspects = [task for task in tasks if _suspicious(task)]
    if not suspects:
        return None
    newest = max(suspects, key=timestamp)
    container = (newest["Status"].get("ContainerStatus") or {}).get("ContainerID") or ""
    declared = newest["Spec"].get("ContainerSpec", {}).get("Healthcheck") or {}
    return Suspect(str(newest.get("NodeID") or ""), str(container), declared) if container else None


def _suspicious(task: Document) -> bool:
    status = task["Status"]
    return status["State"] in ("complete", "starting") or "unhealthy" in str(status.get("Err") or "")


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

    async def _elsewhere(self, found: Suspect) -> str:
        if not found.declared:
            return ""
        nodes = {str(node["ID"]): node["Description"]["Hostname"] for node in await self._client.nodes()}
        where = f"`docker inspect {found.container[:12]}` on node {nodes.get(found.node, found.node)} has its output"
        return _failed(found.declared, where)


def told(container: Mapping[str, Any]) -> str:
    """What an inspected container shows of its check. Pure."""
    state = container.get("State") or {}
    health = state.get("Health") or {}
    log = [entry for entry in health.get("Log") or [] if state.get("Running") or not _cut_short(entry)]
    if not health or health.get("Status") == "healthy" or not log:
        return ""
    if not log[-1].get("ExitCode"):
        return ""
    failures = [entry for entry in reversed(log) if entry.get("ExitCode")]
    last = next((entry for entry in failures if _spoke(entry)), failures[0])
    check = (container.get("Config") or {}).get("Healthcheck") or {}
    return _failed(check, _result(int(last["ExitCode"]), str(last.get("Output") or "")))


def _cut_short(entry: Mapping[str, Any]) -> bool:
    """Whether a check may have been killed with its container: that says nothing of its health."""
    return entry.get("ExitCode") == _KILLED and not _spoke(entry)


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
