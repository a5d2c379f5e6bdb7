"""In which order the engine was asked, so that an answer that comes late does not undo what is newer.

The engine numbers the versions of one object, but not its answers: a list may be on its way for seconds while an object
of it is made, changed or removed here. So each question takes the number of the last thing that was learned before it
was asked, and what was learned of an object after that is newer than what the answer says of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Answers:
    """Questions that are on their way, and the objects of which something was learned meanwhile."""

    def __init__(self) -> None:
        self._learned = 0
        """So many things were learned: a clock that only counts."""
        self._asked: list[int] = []
        self._last: dict[str, int] = {}
        """What the clock was when something was learned of an object, by its id."""

    @contextmanager
    def asking(self) -> Iterator[int]:
        """While a question is on its way and its answer is taken in; gives the number that the answer is as of."""
        as_of = self._learned
        self._asked.append(as_of)
        try:
            yield as_of
        finally:
            self._asked.remove(as_of)

    def learned(self, object_id: str) -> None:
        """Something is known of the object now: what was asked for before knows less of it."""
        self._learned += 1
        self._last[object_id] = self._learned

    def is_outdated(self, object_id: str, as_of: int) -> bool:
        """Whether something was learned of the object after ``as_of``."""
        return self._last.get(object_id, 0) > as_of

    def forget(self) -> None:
        """Forget what no answer that is still on its way could undo."""
        oldest = min(self._asked, default=self._learned)
        self._last = {i: learned for i, learned in self._last.items() if learned > oldest}
