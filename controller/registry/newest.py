"""What tags mean now, asked for many environments that follow some: shared, few at a time, and patient.

What was answered a while ago is given again, also that there was no answer. A registry that is slow, or says when it
wants to be asked again, holds up nobody: who follows a tag has time, and may be told to ask another time.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass

import anyio

from controller.kit import clock
from controller.registry.errors import RegistryUnavailable
from reconcilers.images import Meaning
from reconcilers.outcomes import ReconcileError, TransientError

MOST_ASKING = 16
"""Of one registry, with those that wait for their turn; each takes a worker."""
ASK_SECONDS = 10.0
_MOST_KEPT = 16_384
_LATE_SECONDS = 30.0
_ERROR_SECONDS = 60.0
"""So long the next ones are told of a failure that passes."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was answered when, by the monotonic clock."""

    at: float
    meaning: Meaning | None = None
    error: ReconcileError | None = None


class Newest:
    """What was answered of late."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, _Answer] = OrderedDict()
        self._asking: Counter[str] = Counter()
        self._quiet: OrderedDict[Hashable, tuple[float, RegistryUnavailable]] = OrderedDict()

    async def of(
        self,
        host: str,
        asked: Hashable,
        within_seconds: float,
        ask: Callable[[], Awaitable[Meaning]],
        *,
        user: Hashable = None,
        patient: bool = True,
    ) -> Meaning | None:
        """What is answered to ``asked`` by ``ask``, or was within some seconds; None: too many ask this host.

        Args:
            host: who is asked.
            asked: for what, and as whom.
            within_seconds: how old an answer may be.
            ask: asks.
            user: as whom; what a registry says of one user's patience is nothing of another's.
            patient: whether nobody else is asked in its place, while it wants to be left alone.

        Raises:
            ReconcileError: as ``ask``; and ``RegistryUnavailable`` where the host wants to be left alone.
        """
        kept = self._answers.get(asked)
        if kept is not None:
            lasts = min(within_seconds, _ERROR_SECONDS) if isinstance(kept.error, TransientError) else within_seconds
            if clock.monotonic() - kept.at < lasts:
                return _told(kept)
        if patient:
            self._refuse_quiet((host, user))
        if self._asking[host] >= MOST_ASKING:
            return None
        self._asking[host] += 1
        try:
            answer = await self._ask(host, user, ask)
        finally:
            self._asking[host] -= 1
            if not self._asking[host]:
                del self._asking[host]
        self._answers[asked] = answer
        self._answers.move_to_end(asked)
        if len(self._answers) > _MOST_KEPT:
            self._answers.popitem(last=False)
        return _told(answer)

    async def _ask(self, host: str, user: Hashable, ask: Callable[[], Awaitable[Meaning]]) -> _Answer:
        error: ReconcileError
        try:
            with anyio.fail_after(ASK_SECONDS):
                return _Answer(clock.monotonic(), await ask())
        except TimeoutError:
            why = f"does not say within {ASK_SECONDS:g} s what the tag means"
            error = RegistryUnavailable(host, why, again_seconds=_LATE_SECONDS)
        except ReconcileError as failed:
            error = failed
        if isinstance(error, RegistryUnavailable) and error.patient_seconds:
            self._quiet[host, user] = (clock.monotonic() + error.patient_seconds, error)
            self._quiet.move_to_end((host, user))
            if len(self._quiet) > _MOST_KEPT:
                self._quiet.popitem(last=False)
        return _Answer(clock.monotonic(), error=error)

    def _refuse_quiet(self, host: Hashable) -> None:
        until, error = self._quiet.get(host, (0.0, None))
        if error is None:
            return
        if clock.monotonic() < until:
            raise RegistryUnavailable(error.host, error.why)
        del self._quiet[host]


def _told(answer: _Answer) -> Meaning | None:
    if answer.error is not None:
        raise answer.error.with_traceback(None)
    return answer.meaning
