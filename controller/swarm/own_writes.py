"""What this process wrote to the engine a moment ago: the engine tells it everything that happens, that too.

The event of a write of ours tells nothing new: the answer was read back at once. To read each object once more for it
would double the requests of a rollout.
"""

from __future__ import annotations

from controller.kit import clock

_ECHO_SECONDS = 5.0
"""An event that comes later is somebody else's: better one read too many than a change that nobody has seen."""
_NEW_SECONDS = 60.0


class OwnWrites:
    """Writes whose events are expected, and services that were just made."""

    def __init__(self) -> None:
        self._expected: dict[tuple[str, str], list[float]] = {}
        self._new: dict[str, float] = {}
        self._next_cleaning = 0.0

    def wrote(self, known_by: str, action: str) -> None:
        """Expect an event; called before the request is sent, as the event can come before its answer.

        Args:
            known_by: the name for ``create``, as the id comes with the answer; else the id.
            action: as the event will name it.
        """
        now = clock.monotonic()
        if now >= self._next_cleaning:
            self._clean(now)
        self._expected.setdefault((known_by, action), []).append(now)

    def did_not_write(self, known_by: str, action: str) -> None:
        """Take ``wrote`` back: the next such event is somebody else's."""
        self.is_own_event(known_by, action)

    def is_own_event(self, known_by: str, action: str) -> bool:
        """Whether an event is the echo of ``wrote``; each echo is taken once, and only for some seconds."""
        stamps = self._expected.get((known_by, action))
        while stamps:
            stamp = stamps.pop(0)
            if not stamps:
                del self._expected[(known_by, action)]
            if clock.monotonic() - stamp < _ECHO_SECONDS:
                return True
        return False

    def made(self, service_id: str) -> None:
        """A service was just created: nothing that the engine could tell of it is older."""
        self._new[service_id] = clock.monotonic()

    def take_new(self, service_id: str) -> bool:
        """Whether this process created the service a moment ago and nobody has asked since."""
        return self._new.pop(service_id, None) is not None

    def _clean(self, now: float) -> None:
        """Let go of events that never came, as the stream was cut, and of services that nobody asked for."""
        self._next_cleaning = now + _ECHO_SECONDS
        self._expected = {k: stamps for k, stamps in self._expected.items() if now - stamps[-1] < _ECHO_SECONDS}
        self._new = {i: stamp for i, stamp in self._new.items() if now - stamp < _NEW_SECONDS}
