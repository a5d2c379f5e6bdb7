"""Start-time fair queueing: who of several organizations comes next, when each should get an equal share.

The next item of an organization gets a tag one above its last, or the tag of the item served last when that is more;
the smallest tag is served first. So the first item of an organization stands right behind what was served, however many
another one has waiting, and nobody saves up a share while he has nothing to do.
"""

from __future__ import annotations


class Shares:
    """Tags of what waits in one line."""

    __slots__ = ("_last", "_size", "_time")

    def __init__(self) -> None:
        self._last: dict[str, int] = {}
        self._size = 0
        self._time = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._size

    def enter(self, organization: str) -> int:
        """The tag of the organization's next item."""
        self._size += 1
        self._last[organization] = tag = max(self._time, self._last.get(organization, -1) + 1)
        return tag

    def served(self, tag: int) -> None:
        """The item with the smallest tag is served; ``leave`` follows."""
        self._time = tag

    def leave(self) -> None:
        """One item less; an empty line begins anew: nothing is kept of organizations that have nothing in it."""
        self._size -= 1
        if not self._size:
            self._last.clear()
            self._time = 0
