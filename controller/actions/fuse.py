"""What the fuse holds back, by owner, and the confirmation of its removal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg

from controller.actions.errors import ActionError
from controller.declared.outlast import outlasting
from controller.postgres.statements import PLAN_FOR_MANY, statement

_SHOWN_NAMES = 3


@dataclass(frozen=True, slots=True)
class Waiting:
    """One owner; ``name`` is empty when nothing knows it any more, ``made`` some of its objects."""

    kind: str
    id: str
    name: str
    organization: str
    why: str
    objects: int
    processes: int
    hosts: int
    made: Sequence[str]
    since: datetime
    confirmed_at: datetime | None
    confirmed_by: str | None

    @property
    def loses(self) -> str:
        """What would be removed, in words."""
        if self.objects:
            names = list(self.made[:_SHOWN_NAMES])
            more = (
                f"{'' if not names else ' and '}{self.objects - len(names)} more" if self.objects > len(names) else ""
            )
            return ", ".join(names) + more
        stop = "1 process stops" if self.processes == 1 else f"{self.processes} processes stop"
        lose = "1 host name loses its route" if self.hosts == 1 else f"{self.hosts} host names lose their routes"
        return ", ".join([stop] * bool(self.processes) + [lose] * bool(self.hosts))

    def is_meant_by(self, text: str) -> bool:
        """By its name or id, or by its organization's name, which means all of that."""
        return text in {self.name, self.id, f"{self.kind}/{self.id}", self.organization} - {""}


def state(conn: psycopg.Connection) -> tuple[datetime | None, int]:
    """Since when the fuse is tripped, and how many objects lived then."""
    row = conn.execute(statement("store/fuse/read")).fetchone()
    assert row is not None
    return row[0], row[1]


def waiting(conn: psycopg.Connection) -> list[Waiting]:
    """Every owner of whom something waits for a confirmation."""
    with conn.transaction():
        conn.execute(PLAN_FOR_MANY)
        return [Waiting(*row) for row in conn.execute(statement("store/fuse/owners"))]


def chosen(found: list[Waiting], asked: Sequence[str]) -> list[Waiting]:
    """Those of ``found`` that ``asked`` means; all when it is empty.

    Raises:
        ActionError: nothing of one of them waits.
    """
    unknown = [text for text in asked if not any(owner.is_meant_by(text) for owner in found)]
    if unknown:
        raise ActionError(f"nothing of {', '.join(unknown)} is held back", "`skypanel gc` lists what is")
    return [owner for owner in found if not asked or any(owner.is_meant_by(text) for text in asked)]


@outlasting
def confirm(conn: psycopg.Connection, shown: Sequence[Waiting], *, for_api: bool = False) -> int:
    """Confirm each owner as it was shown; of how many that could be done.

    Args:
        conn: of a role of skypanel_controller.
        shown: the owners.
        for_api: it is of skypanel_api, and acts for the platform.
    """
    with conn.transaction():
        conn.execute(PLAN_FOR_MANY)
        row = conn.execute(
            statement("store/fuse/confirm_for" if for_api else "store/fuse/confirm"),
            {
                "kinds": [owner.kind for owner in shown],
                "ids": [owner.id for owner in shown],
                "objects": [owner.objects for owner in shown],
                "processes": [owner.processes for owner in shown],
                "hosts": [owner.hosts for owner in shown],
            },
        ).fetchone()
    assert row is not None
    return int(row[0])


@dataclass(frozen=True, slots=True)
class State:
    """How the controller is, as the database knows it.

    Args:
        held_since: since when the fuse holds all removals back; None: it does not.
        live: objects that live, as the fuse counted last.
        changes: that the controller has not looked at.
        oldest_change: when the first of them was written.
        behind: objects of which it has not said anything in their present generation, or that it has not removed.
        leading_since: when the last leader began to lead.
    """

    held_since: datetime | None
    live: int
    changes: int
    oldest_change: datetime | None
    behind: int
    leading_since: datetime | None


def controller_state(conn: psycopg.Connection) -> State | None:
    """The state; None for who does not act for the platform."""
    row = conn.execute(statement("store/fuse/controller")).fetchone()
    return None if row is None else State(*row)
