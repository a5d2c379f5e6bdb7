"""What the Docker Engine's refusals mean, by their messages: the status codes alone mislead.

EngineError
├── EngineUnavailable    no answer: connection refused or cut, time-out, no leader; a write may have happened
├── OutOfSequence        the object changed since it was read; HTTP 500, not 409 (swarmkit memory.go)
├── NameTaken            an object of this name exists; HTTP 409
├── NotFound             HTTP 404
├── InUse                something still uses it; HTTP 400, 403 or 409
└── Refused              the document is wrong; nothing was written, and trying again cannot help
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from reconcilers.outcomes import TransientError


class EngineError(Exception):
    """The engine did not do what it was asked.

    Args:
        status: HTTP status, or 0 when there was no answer.
        message: the engine's own words, in one line.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class EngineUnavailable(EngineError):  # noqa: N818 - the tree reads better by what happened
    """There was no answer, or none that can be relied on; a write may or may not have happened."""


class OutOfSequence(EngineError):  # noqa: N818
    """Compare-and-swap lost: read again and plan again."""


class NameTaken(EngineError):  # noqa: N818
    """An object of that name exists."""


class NotFound(EngineError):  # noqa: N818
    """No such object."""


class InUse(EngineError):  # noqa: N818
    """It cannot be removed while something uses it."""


class Refused(EngineError):  # noqa: N818
    """The engine refuses the document itself."""


AWAY = "what runs goes on, and it is tried again"
"""What follows for what is declared when the engine does not do what it is asked."""
_IN_USE = re.compile(r"in use|has active endpoints|is being used|attached to", re.IGNORECASE)
_NO_LEADER = re.compile(
    r"does not have a leader|deadline ?exceeded|context canceled|not a swarm manager", re.IGNORECASE
)
# Some are 500: a network that the Swarm has forgotten and the node still lists.
_NOT_FOUND = re.compile(
    r"^network \S+ not found$|^(service|network|task) .* not found|\b(secret|config)s? not found: ", re.IGNORECASE
)
_NAME = re.compile(r"already exists|name conflicts|name must be unique", re.IGNORECASE)


def classify(status: int, message: str) -> EngineError:
    """The error for an answer with ``status`` >= 400."""
    text = " ".join(message.split())
    if "update out of sequence" in text:
        return OutOfSequence(status, text)
    if status == 404 or _NOT_FOUND.search(text):
        return NotFound(status, text)
    if _NAME.search(text):
        return NameTaken(status, text)
    if _IN_USE.search(text):
        return InUse(status, text)
    # 501 is a rename or another mode: no later attempt can do it.
    if (status >= 500 and status != 501) or _NO_LEADER.search(text):
        return EngineUnavailable(status, text)
    return Refused(status, text)


class UnsupportedEngine(Exception):  # noqa: N818 - it is refused, not broken
    """The engine is too old, or is not a Swarm manager."""


@asynccontextmanager
async def outcomes() -> AsyncIterator[None]:
    """Errors of the Engine API become the outcomes of reconciles within."""
    try:
        yield
    except EngineError as error:
        raise TransientError("EngineUnavailable", f"Docker Engine: {error.message}; {AWAY}") from error
    except ExceptionGroup as group:
        engine_errors = group.subgroup(EngineError)
        if engine_errors is None:
            raise
        first = next(e for e in _leaves(engine_errors) if isinstance(e, EngineError))
        raise TransientError("EngineUnavailable", f"Docker Engine: {first.message}; {AWAY}") from group


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found
