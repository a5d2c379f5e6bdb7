"""Live objects of one type that are kept as they were parsed: by id, by name, and by owner."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from reconcilers.ports import LiveObject

OwnerKey = tuple[str, str]


class Owned:
    """Ids of our objects of one type, by owner, who has few of them: a tuple takes a fifth of a set."""

    def __init__(self) -> None:
        self._ids: dict[OwnerKey, tuple[str, ...]] = {}

    def put(self, object_id: str, owner: OwnerKey) -> None:
        """It is ``owner``'s."""
        known = self._ids.get(owner, ())
        if object_id not in known:
            self._ids[owner] = (*known, object_id)

    def drop(self, object_id: str, owner: OwnerKey) -> None:
        """It is ``owner``'s no longer; of an owner that has nothing, nothing is kept."""
        left = tuple(each for each in self._ids.get(owner, ()) if each != object_id)
        if left:
            self._ids[owner] = left
        else:
            self._ids.pop(owner, None)

    def of(self, owner: OwnerKey) -> Collection[str]:
        """Those of ``owner``."""
        return self._ids.get(owner, ())

    def all(self) -> Mapping[OwnerKey, Collection[str]]:
        """Those of everybody who has some."""
        return self._ids

    def __len__(self) -> int:
        """How many are anybody's of ours."""
        return sum(map(len, self._ids.values()))


class Cache(Protocol):
    """All that is known of the objects of one type."""

    @property
    def owned(self) -> Owned:
        """Those that are ours."""

    def __iter__(self) -> Iterator[str]:
        """Ids."""

    def get(self, object_id: str) -> LiveObject | None:
        """The one with this id."""

    def named(self, name: str) -> LiveObject | None:
        """The one of exactly this name."""

    def drop(self, object_id: str) -> OwnerKey | None:
        """Keep it no longer; whose it was, if it was ours."""


class ObjectCache:
    """All objects of one type that are known, ours or not."""

    def __init__(self) -> None:
        self._objects: dict[str, LiveObject] = {}
        self._ids: dict[str, str] = {}
        self._owners: dict[str, OwnerKey] = {}
        self.owned = Owned()

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

    def put(self, live: LiveObject, owner: OwnerKey | None) -> None:
        """Keep it; ``owner`` is None when it is not ours."""
        self._objects[live.id] = live
        self._ids[live.name] = live.id
        if owner is not None:
            self._owners[live.id] = owner
            self.owned.put(live.id, owner)

    def drop(self, object_id: str) -> OwnerKey | None:
        """Keep it no longer; whose it was, if it was ours."""
        known = self._objects.pop(object_id, None)
        if known is not None and self._ids.get(known.name) == object_id:
            del self._ids[known.name]
        owner = self._owners.pop(object_id, None)
        if owner is not None:
            self.owned.drop(object_id, owner)
        return owner
