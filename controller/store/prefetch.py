"""Looks at objects that came with their changes: one question to the database less on the way of a lone change.

Such a look is used if the key is worked on at once, and forgotten otherwise: it is only an earlier ``load``. What
changes after it has a change of its own in the log. What this process itself wrote about the object after it, or while
it was read, is not in it: then it is forgotten too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from controller.kit import clock
from controller.records import Key, Loaded

_FRESH_SECONDS = 0.1


class Prefetched:
    """Loaded objects that somebody will ask for in a moment."""

    def __init__(self) -> None:
        self._found: dict[Key, Loaded] = {}
        self._until = 0.0
        self._reading = False
        self._written: set[Key] = set()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While the look is on its way; what was there before is forgotten."""
        self._found = {}
        self._written.clear()
        self._reading = True
        try:
            yield
        finally:
            self._reading = False

    def put(self, found: Iterable[Loaded]) -> None:
        """What was read."""
        self._found = {loaded.key: loaded for loaded in found if loaded.key not in self._written}
        self._until = clock.monotonic() + _FRESH_SECONDS

    def take(self, key: Key) -> Loaded | None:
        """The look at ``key``, if there is one and it is fresh; once."""
        # Once: a second reconcile must see what came since.
        found = self._found.pop(key, None) if self._found else None
        return found if found is not None and clock.monotonic() < self._until else None

    def spoil(self, key: Key) -> None:
        """This process has written about ``key``."""
        self._found.pop(key, None)
        if self._reading:
            self._written.add(key)
