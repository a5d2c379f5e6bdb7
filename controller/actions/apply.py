"""Writes spec files into the database: all of them or none, and nothing that would only stall."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg

from controller.actions.admit import check_whole
from controller.actions.pruning import Pruning, also
from controller.declared import readiness, writer
from controller.declared.config_documents import ConfigDocuments
from controller.declared.holding import Holding
from controller.declared.written import Written, written_document
from reconcilers.ports import Options
from specs.loader import Located

__all__ = ["apply", "apply_checked", "concerned", "written_document"]


def apply(
    conn: psycopg.Connection,
    entries: Sequence[Located],
    options: Options,
    variables: ConfigDocuments | None = None,
    pruning: Pruning | None = None,
) -> list[Written]:
    """Declare ``entries``, and config vars with them, in one transaction; what became of each object.

    Args:
        conn: the database.
        entries: what is declared.
        options: of the installation.
        variables: config vars that are declared as well.
        pruning: what is deleted as well.

    Raises:
        ActionError: there is nothing where it is to be pruned; nothing was written.
        SpecRefused: a resource is refused; nothing was written.
    """
    beside = also(variables, pruning)
    return writer.apply(conn, entries, check=lambda done: check_whole(conn, done, options), also=beside)


def apply_checked(
    conn: psycopg.Connection,
    entries: Sequence[Located],
    options: Options,
    conclude: Callable[[Sequence[Written]], None],
    holding: Callable[[], Holding],
    *,
    variables: ConfigDocuments | None = None,
) -> list[Written]:
    """As ``apply``, of what is declared again and again: of rows that are there, declared fields alone are written.

    Args:
        conn: as ``apply`` has it.
        entries: as well.
        options: as well.
        conclude: called last; what it raises undoes everything as well.
        holding: called first, in the transaction: what was declared before.
        variables: config vars that are declared with them.
    """

    def check(written: Sequence[Written]) -> None:
        check_whole(conn, written, options)
        conclude(written)

    return writer.apply(conn, entries, check=check, holding=holding, also=variables.write if variables else None)


def concerned(conn: psycopg.Connection, written: Sequence[Written], *, deleted: bool = False) -> list[tuple[str, UUID]]:
    """Kind and id of the reconciled objects that ``written`` concerns; ``deleted``: also those that go with it."""
    return readiness.affected(conn, [w.status_key for w in written if w.id], deleted=deleted)
