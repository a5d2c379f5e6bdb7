"""Do database, Swarm and installation belong together?"""

from __future__ import annotations

from collections.abc import Iterator

import psycopg

from controller.actions.connection import connected
from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.actions.errors import ActionError
from controller.actions.identity import compare
from controller.settings import Settings
from controller.swarm.errors import EngineError


def examine(settings: Settings) -> Iterator[Check]:
    """Do they belong together?"""
    try:
        with connected(settings.database_url.get_secret_value()) as conn:
            found = compare(conn, settings)
    except (ActionError, EngineError, psycopg.Error):
        yield warn("identity", "unknown while the database or the engine does not answer", mend="")
        return
    if found.problem:
        yield fail("identity", f"nothing is written: {found.problem}", "see `skypanel identity`")
    else:
        yield ok(
            "identity", f"database {found.claim.database_id or 'new'}, Swarm {found.cluster_id}, {found.installation}"
        )
