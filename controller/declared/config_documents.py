"""Config vars that documents declare, as rows: what is set already stays as it is, and no value is in what comes of it.

What a document leaves out is not looked at. All is within a transaction of the caller's, after the objects that it is
for are written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

import psycopg

from controller.declared import rows, sealing
from controller.declared.constraint_messages import RETRYABLE, Refusal, SpecRefused, explain
from controller.declared.fields import VARIABLE, FieldChange
from controller.declared.sealing import Owner
from controller.declared.writer import Target, Written
from controller.vault.sealed import DataKey, Place, Seal
from controller.vault.vault import Vault
from specs.config import Layer
from specs.kinds import KINDS, LAYERS, ancestors
from specs.loader import LocatedVars

Seals = Callable[[psycopg.Connection, Owner, Sequence[str]], Mapping[str, Seal]]
"""Of some variables of an owner: what tells whether a value is there already. ``sealing.seals`` is one."""


@dataclass(frozen=True, slots=True)
class Variable:
    """What became of one.

    Args:
        owner: what it is set for.
        target: the same, by its names.
        name: of the variable.
        id: of its row.
        change: added, changed, or None: it was so.
        place: ``file:line:column``.
    """

    owner: Owner
    target: Target
    name: str
    id: str
    change: FieldChange | None
    place: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A variable as a document says it; ``repr`` has no value."""

    name: str
    as_file: bool
    value: bytes
    place: str

    def __repr__(self) -> str:
        return f"Wish({self.name!r})"


class ConfigDocuments:
    """Documents of config vars, to be written together with objects.

    Args:
        documents: as they were read: no variable twice.
        vault: with the current key.
        seals: what tells whether a value is there already.
    """

    def __init__(self, documents: Sequence[LocatedVars], vault: Vault, seals: Seals = sealing.seals) -> None:
        self._wishes: dict[tuple[str, ...], list[Wish]] = {}
        self._places: dict[tuple[str, ...], LocatedVars] = {}
        for each in documents:
            self._places.setdefault(each.vars.path, each)
            wishes = self._wishes.setdefault(each.vars.path, [])
            for field, name, value in each.vars.values():
                wishes.append(Wish(name, field == "files", value.encode(), each.at(("spec", field, name))))
        self._vault = vault
        self._seals = seals
        self._key: DataKey | None = None
        self.done: list[Variable] = []

    def names(self) -> set[str]:
        """Of all variables."""
        return {wish.name for wishes in self._wishes.values() for wish in wishes}

    def write(self, conn: psycopg.Connection, written: Sequence[Written]) -> list[Written]:
        """Set what differs; ``written`` with what became of the variables among what became of their owners.

        Raises:
            SpecRefused: an owner is not there, or the database refuses a variable.
            KeyUnavailable: there is no key.
        """
        self.done, self._key = [], None
        refusals: list[Refusal] = []
        found = {(each.target.kind, each.target.path): each for each in written}
        for path in sorted(self._wishes, key=lambda path: (len(path), path)):
            kind = next(kind for kind in LAYERS if len(ancestors(kind)) + 1 == len(path))
            target = Target(kind, path, self._places[path].at(()))
            try:
                owner = self._owner(conn, target, found)
            except LookupError as error:
                word, hint = KINDS[str(error.args[0])].word(), "add it to the files, or check the names in metadata"
                place = self._places[path].at(("metadata", word))
                said = f"the {word} {'/'.join(error.args[1])} of its config vars does not exist"
                refusals.append(Refusal(place, str(target), said, hint))
                continue
            done = list(self._set_all(conn, owner, target))
            self.done += done
            changes = tuple(each.change for each in done if each.change is not None)
            key = kind, path
            before = found.get(key) or Written(target, UUID(owner.id), "unchanged")
            action = "updated" if changes and before.action == "unchanged" else before.action
            found[key] = replace(before, action=action, changes=(*before.changes, *changes))
        if refusals:
            raise SpecRefused(refusals)
        return list(found.values())

    def _set_all(self, conn: psycopg.Connection, owner: Owner, target: Target) -> Iterator[Variable]:
        """What becomes of each, in one order whoever asks: two that set the same do not block each other."""
        wishes = sorted(self._wishes[target.path], key=lambda wish: wish.name)
        names = [wish.name for wish in wishes]
        standing, seals = sealing.standing(conn, owner, names), self._seals(conn, owner, names)
        for wish in wishes:
            seal, row = seals.get(wish.name), standing.get(wish.name)
            as_wished = seal is not None and row == (seal.id, seal.version, wish.as_file)
            if seal is not None and as_wished and self._holds(conn, owner, wish, seal):
                yield Variable(owner, target, wish.name, seal.id, None, wish.place)
            else:
                change = FieldChange(f"{VARIABLE}{wish.name}", None if row is None else True, True)
                yield Variable(owner, target, wish.name, self._put(conn, owner, target, wish), change, wish.place)

    def _put(self, conn: psycopg.Connection, owner: Owner, target: Target, wish: Wish) -> str:
        try:
            return sealing.put_row(conn, self._vault, owner, wish.name, wish.value, as_file=wish.as_file)[0]
        except RETRYABLE:
            raise
        except psycopg.Error as error:
            if (meaning := explain(error)) is None:
                raise
            message = f"{VARIABLE}{wish.name}: {meaning[0]}"
            raise SpecRefused([Refusal(wish.place, str(target), message, meaning[1])]) from None

    def _holds(self, conn: psycopg.Connection, owner: Owner, wish: Wish, seal: Seal) -> bool:
        if self._key is None or self._key.organization_id != owner.organization_id:
            self._key = sealing.data_key(conn, self._vault, owner.organization_id)
        place = Place(owner.organization_id, owner.layer, owner.id, seal.id, wish.name, seal.version)
        return self._vault.holds(self._key, place, seal, wish.value)

    @staticmethod
    def _owner(conn: psycopg.Connection, target: Target, found: Mapping[tuple[str, tuple[str, ...]], Written]) -> Owner:
        """The living object that is meant.

        Raises:
            LookupError: it, or one that it belongs to, is not there; with kind and path of that.
        """
        ids: list[UUID] = []
        for depth, kind in enumerate([*ancestors(target.kind), target.kind], 1):
            path = target.path[:depth]
            known = found.get((kind, path))
            if known is not None and known.id is not None:
                ids.append(known.id)
                continue
            row = rows.find(conn, KINDS[kind].binding, path[-1], ids[-1] if ids else None)
            if row is None or (KINDS[kind].binding.deleted_in or "") in row.deleted:
                raise LookupError(kind, path)
            ids.append(row.id)
        return Owner(str(ids[0]), cast("Layer", KINDS[target.kind].word()), str(ids[-1]))
