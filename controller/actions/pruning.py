"""What is below a path and in no file any more: deleted in the transaction that declares the files, or shown ahead.

What a source declares, or sets config vars of, stays, and so does whatever has something below it that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import psycopg

from controller.actions.objects import reads
from controller.actions.prune_paths import pruned_at, refuse_absent
from controller.actions.variables import layer_of
from controller.declared import config_vars, lookups, writer
from controller.declared.config_documents import ConfigDocuments
from controller.declared.objects import DeclaredObject
from controller.declared.writer import Also
from controller.declared.written import Target, Written
from specs.kinds import KINDS, ancestors
from specs.loader import Files

Named = tuple[str, tuple[str, ...]]


def _anybody(_: Target) -> None:
    """Who has the database may."""


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is not among some files.

    Args:
        kind: of the object that it is all below; that itself stays.
        path: its names.
        declared: kind and names of what the files declare, or say something of.
        may: raises where somebody may not delete an object.
    """

    kind: str
    path: tuple[str, ...]
    declared: frozenset[Named]
    may: Callable[[Target], None] = _anybody

    @classmethod
    def of(cls, path: str, files: Files, may: Callable[[Target], None] = _anybody) -> Pruning | None:
        """What is below ``path``, such as ``acme/shop``, and not in ``files``; None: no path is given.

        Raises:
            ActionError: it is no path of what has something below it.
        """
        if not path:
            return None
        kind, names = pruned_at(path)
        named = {layer_of("/".join(each.vars.path)) for each in files.variables}
        targets = [Target.of(entry) for entry in files.resources]
        return cls(kind, names, frozenset({(each.kind, each.path) for each in targets} | named), may)

    def write(self, conn: psycopg.Connection, written: Sequence[Written]) -> list[Written]:
        """Delete it, within the caller's transaction; ``written`` with what became of it.

        Raises:
            ActionError: nothing is at the path.
            SpecRefused: one is still used.
        """
        gone = [Target(each.kind, each.path) for each in self._gone(conn)]
        for target in gone:
            self.may(target)
        return [*written, *(writer.delete(conn, gone) if gone else ())]

    def _gone(self, conn: psycopg.Connection) -> Iterator[DeclaredObject]:
        read = reads(conn)
        refuse_absent(read, self.kind, self.path)
        kinds = [kind for kind in KINDS if self.kind in ancestors(kind) and not KINDS[kind].facts.once]
        there = [each for kind in kinds for each in read(kind, self.path) if each.deleted_at is None]
        kept = _with_owners([*self.declared, *_of_sources(conn, there)])
        gone: set[Named] = set()
        for each in there:  # owners first: what one has goes with it
            if (each.kind, each.path) not in kept:
                if not gone & _with_owners([(each.kind, each.path)]):
                    yield each
                gone.add((each.kind, each.path))


def also(variables: ConfigDocuments | None, pruning: Pruning | None) -> Also | None:
    """What is written beside objects: config vars first, and what is deleted last."""
    if pruning is None:
        return variables.write if variables else None

    def both(conn: psycopg.Connection, written: Sequence[Written]) -> list[Written]:
        return pruning.write(conn, variables.write(conn, written) if variables else written)

    return both


def deletes(written: Iterable[Written]) -> bool:
    """Whether something was deleted."""
    return any(each.action == "deleted" for each in written)


def _of_sources(conn: psycopg.Connection, there: Sequence[DeclaredObject]) -> Iterator[Named]:
    for kind in dict.fromkeys(each.kind for each in there):
        found = {each.id: each.path for each in there if each.kind == kind}
        yield from ((kind, found[row_id]) for row_id in lookups.owners(conn, KINDS[kind].word(), list(found)))
        if KINDS[kind].facts.configurable:
            yield from ((kind, path) for row_id, path in found.items() if list(config_vars.owned(conn, str(row_id))))


def _with_owners(named: Iterable[Named]) -> set[Named]:
    return {(owner, path[: depth + 1]) for kind, path in named for depth, owner in enumerate((*ancestors(kind), kind))}
