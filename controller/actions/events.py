"""What happened, by path; and what goes on to happen."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg

from controller.actions.asked_events import asked
from controller.declared import happened
from controller.declared.happened import Happened

POLL_SECONDS = 0.5
_PAGE = 200


def listed(conn: psycopg.Connection, word: str | None, most: int, before: int | None = None) -> list[Happened]:
    """The last ``most`` events, the oldest first.

    Raises:
        ActionError: ``word`` names nothing.
    """
    kind, path = asked(word)
    return happened.listed(conn, tenant=None, kind=kind, path=path, before=before, most=most)[::-1]


def followed(conn: psycopg.Connection, word: str | None, most: int) -> Iterator[Happened]:
    """The last ``most``, and then each as it happens, or happens again; without an end.

    Raises:
        ActionError: ``word`` names nothing.
    """
    found = listed(conn, word, max(most, _PAGE))
    yield from found[len(found) - most :] if most else ()
    while True:
        said, first = {each.id: each.count for each in found}, found[0].id if len(found) >= _PAGE else 0
        time.sleep(POLL_SECONDS)
        found = _since(conn, word, max(said, default=0))
        yield from (each for each in found if each.id >= first and said.get(each.id) != each.count)


def _since(conn: psycopg.Connection, word: str | None, newest: int) -> list[Happened]:
    """A page of the last ones, and as many more as there are after ``newest``."""
    found = page = listed(conn, word, _PAGE)
    while newest and len(page) == _PAGE and page[0].id > newest:
        page = listed(conn, word, _PAGE, before=page[0].id)
        found = page + found
    return found
