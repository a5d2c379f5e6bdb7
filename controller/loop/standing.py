"""How the objects of one kind stand between their reconciles, as far as this process knows.

Kept in memory only: another leader begins anew, and finds out by itself.
"""

from __future__ import annotations

from controller.kit import clock
from controller.records import Fingerprint, Key, Loaded


class Standing:
    """What was found of each object when it was looked at last."""

    def __init__(self) -> None:
        self._unready_since: dict[Key, tuple[int, float, int]] = {}
        """Of objects that are not ready: the generation, since when it has come no further, and how far it had come."""
        self._begun: dict[Key, str] = {}
        """Requests to look now that were begun and are not acknowledged yet."""
        self._verified: dict[Key, tuple[int, Fingerprint]] = {}
        """Keys that were found converged: the generation and what was live then. Equal again means: nothing to do."""

    def waiting_seconds(self, loaded: Loaded) -> float:
        """How long this generation has not come any further on its way to ready."""
        generation, since, _ = self._unready_since.get(loaded.key, (-1, 0.0, 0))
        return clock.monotonic() - since if generation == loaded.generation else 0.0

    def waits_anew(self, key: Key) -> None:
        """The time so far does not count: it waited in line, or is not looked after."""
        self._unready_since.pop(key, None)

    def begins_anew(self, loaded: Loaded) -> bool:
        """Whether somebody asks to look now and that begins with this look; the time so far does not count then."""
        if not loaded.requested:
            self._begun.pop(loaded.key, None)
            return False
        if self._begun.get(loaded.key) == loaded.token:
            return False
        self._begun[loaded.key] = loaded.token
        self.waits_anew(loaded.key)
        return True

    def looked(self, loaded: Loaded, *, over: bool, progress: int) -> None:
        """A look ended without an error.

        Args:
            loaded: the object.
            over: whether it is ready or gone, so that nothing is waited for.
            progress: how far it has come.
        """
        if over:
            self.waits_anew(loaded.key)
            return
        generation, _, furthest = self._unready_since.get(loaded.key, (-1, 0.0, 0))
        if generation != loaded.generation or progress > furthest:
            self._unready_since[loaded.key] = (loaded.generation, clock.monotonic(), progress)

    def verify(self, loaded: Loaded, fingerprint: Fingerprint) -> None:
        """It is as it should be, with what lives now."""
        self._verified[loaded.key] = (loaded.generation, fingerprint)

    def doubt(self, key: Key) -> None:
        """It is not known to be as it should be."""
        self._verified.pop(key, None)

    def is_verified(self, key: Key, generation: int, fingerprint: Fingerprint) -> bool:
        """Whether it was found as it should be, and nothing has changed since."""
        return self._verified.get(key) == (generation, fingerprint)
