"""Config vars of an organization, an app or an environment: set, unset and listed, and never read back.

What sets or unsets several, does so for all of them or for none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import TypeVar, cast

import psycopg

from controller.actions.errors import ActionError
from controller.actions.objects import find_one
from controller.actions.variables import (
    Assignment,
    Done,
    Place,
    layer_of,
    parse,
    refusals,
    variable_document,
)
from controller.declared import config_vars, sealing
from controller.declared.config_vars import Variable
from controller.declared.constraint_messages import RETRYABLE, explain
from controller.declared.sealing import Owner
from controller.vault.vault import Vault
from specs.config import Layer, check_all, check_name, check_value
from specs.kinds import KINDS, LAYERS, SOURCE, TENANT, ancestors

__all__ = [
    "LAYERS",
    "Assignment",
    "Done",
    "Place",
    "again",
    "assign",
    "change",
    "listed",
    "own",
    "parse",
    "place",
    "refusals",
    "takes_back",
    "unset",
    "variable_document",
]

T = TypeVar("T")


def place(conn: psycopg.Connection, path: str) -> Place:
    """The object at ``path``: as many names as it has, as many layers.

    Raises:
        ActionError: there is none, or none that variables can be set for.
    """
    kind, names = layer_of(path)
    found = {each: find_one(conn, each, names[:depth]) for depth, each in enumerate([*ancestors(kind), kind], 1)}
    for each, declared in found.items():
        if declared.deleted_at is not None:
            said = f"{KINDS[each].word()} {declared.name}"
            raise ActionError(f"{said} is deleted", f"`skypanel restore {said}`")
    tenant = str(found[TENANT].id)
    owners = (Owner(tenant, cast("Layer", KINDS[each].word()), str(declared.id)) for each, declared in found.items())
    words = (f"{KINDS[each].word()} {declared.name}" for each, declared in found.items())
    return Place(tuple(owners), tuple(words))


def listed(conn: psycopg.Connection, where: Place) -> list[Variable]:
    """What is set there and above; by name, the one that counts last."""
    return config_vars.listed(conn, where.owners)


def own(conn: psycopg.Connection, where: Place) -> list[Variable]:
    """What is set there itself, by name."""
    return config_vars.listed(conn, where.owners[-1:])


def takes_back(conn: psycopg.Connection, where: Place, names: Collection[str]) -> Iterator[str]:
    """What of a change of these will not last, as a source declares it."""
    by_source: dict[str, list[str]] = {}
    for name, source, _ in config_vars.owned(conn, where.owners[-1].id):
        if name in names:
            by_source.setdefault(source, []).append(name)
    for source, lost in by_source.items():
        said = f"{KINDS[SOURCE].word()} {source}"
        yield f"{said} declares {', '.join(lost)} of {where.words[-1]}, and takes it back at once"


def assign(conn: psycopg.Connection, vault: Vault, where: Place, wanted: Sequence[Assignment]) -> list[Done]:
    """Set all of ``wanted``, or nothing; raises as ``change``."""
    return change(conn, vault, where, wanted, ())


def change(
    conn: psycopg.Connection, vault: Vault, where: Place, wanted: Sequence[Assignment], names: Collection[str]
) -> list[Done]:
    """Set all of ``wanted`` and take away what is set of ``names``, or do nothing of it.

    Raises:
        ActionError: a name or a value is refused; says which and what to do, and never the value.
        ExpectedError: there is no key.
    """
    by_name = {each.name: each for each in wanted}
    for each in by_name.values():
        with refusals(each.place):
            check_value(check_name(each.name), each.value)
    with refusals():
        check_all({each.name: each.value for each in by_name.values()})

    def attempt() -> list[Done]:
        owner = where.owners[-1]
        with conn.transaction():
            files = {v.name for v in config_vars.listed(conn, [owner]) if v.as_file}
            _refuse_empty_files(by_name.values(), files)
            gone = sealing.remove(conn, owner, sorted(names)) if names else []
            done = [
                Done(
                    name,
                    sealing.put(
                        conn,
                        vault,
                        owner,
                        name,
                        each.value,
                        as_file=name in files if each.as_file is None else each.as_file,
                    ),
                )
                for name, each in sorted(by_name.items())  # always in one order: two that set the same do not block
            ]
            return [*done, *map(Done, gone)]

    return again(attempt)


def unset(conn: psycopg.Connection, where: Place, names: Sequence[str]) -> list[Done]:
    """Take all of ``names`` away, or nothing.

    Raises:
        ActionError: one is not set there.
    """

    def attempt() -> list[Done]:
        with conn.transaction():
            gone = sealing.remove(conn, where.owners[-1], names)
            if missing := sorted(set(names) - set(gone)):
                raise ActionError(
                    f"{', '.join(missing)}: not set for {where.words[-1]}",
                    "`skypanel config list` shows what is set, and where",
                )
            return [Done(name) for name in gone]

    return again(attempt)


def _refuse_empty_files(wanted: Iterable[Assignment], files: Collection[str]) -> None:
    for each in wanted:
        if not each.value and (each.name in files if each.as_file is None else each.as_file):
            raise ActionError(
                ": ".join(filter(None, (each.place, f"{each.name} is a file, and a file must not be empty"))),
                "set it to something, unset it, or make it a variable (--as-variable)",
            )


def again(attempt: Callable[[], T]) -> T:
    """What ``attempt`` gives; once more when somebody else did the same at the same time."""
    for last in (False, True):
        try:
            return attempt()
        except psycopg.Error as error:
            if isinstance(error, RETRYABLE) and not last:
                continue
            if (meaning := explain(error)) is None:
                raise
            raise ActionError(*meaning) from None
    raise AssertionError
