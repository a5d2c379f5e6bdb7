"""Numbers of the whole platform: how many objects of each kind stand how, and how many nodes."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from controller.postgres.statements import statement


def of_platform(conn: psycopg.Connection) -> Mapping[str, Mapping[str, int]]:
    """By kind and by how they stand; empty for who does not act for the platform."""
    found: dict[str, dict[str, int]] = {}
    for kind, state, number in conn.execute(statement("declared/numbers/of_platform")):
        found.setdefault(kind, {})[state] = number
    return found
