"""What files say and hardly mean, with what is declared already; without: ``controller.actions.validate``."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from controller.declared import reader
from specs.doubts import doubts, of_variables
from specs.loader import Files, Located
from specs.resource import Resource


def of_rows(conn: psycopg.Connection, files: Files | Sequence[Located]) -> list[str]:
    """A sentence each, by what is declared in the database as well."""
    entries = files.resources if isinstance(files, Files) else files

    def below(resource: Resource, kind: str) -> list[str]:
        path = (*resource.metadata.parents.values(), resource.metadata.name)
        return [found.path[-1] for found in reader.objects(conn, kind, path)]

    return [*doubts(entries, below), *of_variables(files.variables if isinstance(files, Files) else ())]
