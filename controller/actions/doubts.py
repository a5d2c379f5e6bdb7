"""What files say and hardly mean, with what is declared already; without: ``controller.actions.validate``."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from controller.declared import reader
from specs.doubts import doubts
from specs.loader import Located
from specs.resource import Resource


def of_rows(conn: psycopg.Connection, entries: Sequence[Located]) -> list[str]:
    """A sentence each, by what is declared in the database as well."""

    def below(resource: Resource, kind: str) -> list[str]:
        path = (*resource.metadata.parents.values(), resource.metadata.name)
        return [found.path[-1] for found in reader.objects(conn, kind, path)]

    return list(doubts(entries, below))
