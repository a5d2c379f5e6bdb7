"""Changes of declared rows that become visible together, now or later, as a panel's transaction does.

Expected flow::

    database.put(key, organization, document)      # a transaction of its own
    with database.transaction() as both:           # one commit, one notification
        both.put(...)
        both.mark_deleted(...)
    late = database.transaction()                  # nobody sees it until it commits
    late.put(...)
    late.commit()

A change takes its number in the change log when it is written, not when it commits, so a late one comes with an old
number. PostgreSQL makes a second writer of a row wait for the first; here that is an error of the scenario.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from controller.records import Key
from tests.sim.database.rows import Declared, Logged, dumps

if TYPE_CHECKING:
    from tests.sim.database.database import SimDatabase


class Transaction:
    """Made by ``SimDatabase.transaction``; as a context manager it commits at the end, or takes all back."""

    def __init__(self, database: SimDatabase) -> None:
        self._database = database
        self._rows: dict[Key, Declared | None] = {}
        self._edges: list[tuple[Key, Key]] = []
        self._logged: dict[int, Logged] = {}

    def put(self, key: Key, organization_id: str, document: Any) -> None:
        """Insert or change a row. The generation grows with a changed document; an equal one changes nothing."""
        text = dumps(document)
        row = self._current(key)
        if row is None:
            self._write(key, Declared(organization_id, 1, text, deleted=False), organization_id)
        elif (row.organization_id, row.document) != (organization_id, text):
            changed = row._replace(organization_id=organization_id, document=text, generation=row.generation + 1)
            self._write(key, changed, organization_id)

    def mark_deleted(self, key: Key) -> None:
        """Ask for a deletion; nothing when it was asked for."""
        self._mark(key, deleted=True)

    def take_back(self, key: Key) -> None:
        """Take that back."""
        self._mark(key, deleted=False)

    def drop(self, key: Key, *, cascaded: bool = False) -> None:
        """DELETE the row: a tombstone in the change log.

        The caller drops what goes with it, ``cascaded``: PostgreSQL cannot tell any more whose such a row was.
        """
        row = self._existing(key)
        self._write(key, None, None if cascaded else row.organization_id)

    def depends(self, dependent: Key, on: Key) -> None:
        """``dependent`` has to be looked at again when ``on`` changes."""
        self._edges.append((dependent, on))

    def touch(self, key: Key, organization_id: str | None = None) -> None:
        """Put ``key`` into the change log, whatever became of its row."""
        self._logged[self._database.next_number()] = Logged(key, organization_id)

    def commit(self) -> None:
        """Make it visible and notify."""
        self._database.commit(self._rows, self._edges, self._logged)
        self._forget()

    def rollback(self) -> None:
        """It never was."""
        self._database.unlock(self._rows)
        self._forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:
            self.commit()
        else:
            self.rollback()

    def _current(self, key: Key) -> Declared | None:
        return self._rows[key] if key in self._rows else self._database.objects.get(key)

    def _existing(self, key: Key) -> Declared:
        row = self._current(key)
        if row is None:
            raise KeyError(f"no row {key}: the scenario put none, or dropped it")
        return row

    def _mark(self, key: Key, *, deleted: bool) -> None:
        row = self._existing(key)
        if row.deleted != deleted:
            self._write(key, row._replace(deleted=deleted, generation=row.generation + 1), row.organization_id)

    def _write(self, key: Key, row: Declared | None, organization_id: str | None) -> None:
        self._database.lock(key, self)
        before = self._current(key)
        self._rows[key] = row
        self.touch(key, organization_id)
        if before is not None and (woken := self._database.wakes(key, before, row)) is not None:
            self.touch(woken, organization_id)

    def _forget(self) -> None:
        self._rows, self._edges, self._logged = {}, [], {}
