"""Live objects of one type that are kept as they were parsed: by id, by name, and by owner."""

from __future__ import annotations

from collections.abc import Iterator

from reconcilers.ports import LiveObject

OwnerKey = tuple[str, str]


class ObjectCache:
    """All objects of one type that are known, ours or not."""

    def __init__(self) -> None:
        self._objects: dict[str, LiveObject] = {}
        self._ids: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        """Ids."""
        return iter(self._objects)

    def __contains__(self, object_id: object) -> bool:
        return object_id in self._objects

    def values(self) -> Iterator[LiveObject]:
        """The objects."""
        return iter(self._objects.values())

    def get(self, object_id: str) -> LiveObject | None:
        """The one with this id."""
        return self._objects.get(object_id)

    def named(self, name: str) -> LiveObject | None:
        """The one of exactly this name."""
        return self._objects.get(self._ids.get(name, ""))

    def put(self, live: LiveObject) -> None:
        """Keep it."""
        self._objects[live.id] = live
        self._ids[live.name] = live.id

    def drop(self, object_id: str) -> LiveObject | None:
        """Keep it no longer; what it was."""
        known = self._objects.pop(object_id, None)
        if known is not None and self._ids.get(known.name) == object_id:
            del self._ids[known.name]
        return known
