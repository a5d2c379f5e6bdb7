"""Whether database, Swarm and installation belong together, and accepting what was found."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg

from controller.actions.swarm_view import client
from controller.declared.outlast import outlasting
from controller.loop.identity import mismatch
from controller.postgres.statements import statement
from controller.records import Claim, Mark
from controller.settings import Settings
from controller.swarm.identity import cluster_of, filters, mark_of, newest


@dataclass(frozen=True, slots=True)
class Identity:
    """What was found.

    Args:
        claim: what the database says.
        cluster_id: the Swarm's.
        mark: of the installation, in the Swarm; None when there is none.
        installation: as it is set here.
        problem: why they do not belong together; empty when they do.
    """

    claim: Claim
    cluster_id: str
    mark: Mark | None
    installation: str
    problem: str

    def document(self) -> dict[str, object]:
        """For programs."""
        claim = self.claim
        return {
            "fits": not self.problem,
            "problem": self.problem or None,
            "database": {"id": claim.database_id, "place": claim.here, "madeIn": claim.place},
            "swarm": {
                "id": self.cluster_id,
                "expected": claim.cluster_id,
                "mark": None if self.mark is None else str(self.mark),
            },
            "installation": {"name": self.installation, "expected": claim.installation},
        }


def compare(conn: psycopg.Connection, settings: Settings) -> Identity:
    """What database and Swarm say of each other.

    Raises:
        EngineError: the engine does not answer.
    """
    claim = _claim(conn)
    cluster_id, mark = _swarm(settings)
    installation = settings.skypanel_installation
    problem = mismatch(claim, mark, cluster_id=cluster_id, installation=installation)
    return Identity(claim, cluster_id, mark, installation, problem)


@outlasting
def accept(conn: psycopg.Connection, found: Identity) -> None:
    """Write down that what was found is meant."""
    conn.execute(
        statement("store/identity/accept"),
        {
            "place": found.claim.here,
            "cluster": found.cluster_id,
            "installation": found.installation,
            "mark": None if found.mark is None else str(found.mark),
        },
    )


def _claim(conn: psycopg.Connection) -> Claim:
    """What the database says."""
    row = conn.execute(statement("store/identity/read")).fetchone()
    assert row is not None
    return Claim(*row)


def _swarm(settings: Settings) -> tuple[str, Mark | None]:
    """Id of the Swarm, and the mark of the installation in it.

    Raises:
        EngineError: it does not answer.
    """
    engine = client(settings)
    try:
        cluster_id = cluster_of(engine.call("GET", "/info"))
        query = {"filters": filters(settings.skypanel_installation)}
        found = newest(engine.call("GET", "/configs", query=query) or [])
    finally:
        engine.close()
    return cluster_id, mark_of(found) if found is not None else None
