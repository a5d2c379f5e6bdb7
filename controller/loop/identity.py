"""Database, Swarm and installation know each other: nothing is written where one of them is not the one it was.

The database has a row that names the Swarm and the installation it is for, and the place it was made in. The Swarm has
a mark (an empty config with labels) that names the database and the newest term of office. A restored copy, a wrong
DOCKER_HOST or DATABASE_URL, a second installation on one database: each differs in one of these. Whoever finds that
stands by and says so, until it is right again or somebody says that it is meant (``skypanel identity --accept``).

A physical copy of the server (a base backup, a snapshot of the machine) is told from its original only by the term in
the mark: the one that led last goes on, and the other stops at its next look.
"""

from __future__ import annotations

from typing import Protocol

from controller.records import Claim, Mark
from reconcilers.outcomes import ReconcileError
from reconcilers.port import read, write

MEND = "correct the setting, or accept it with `skypanel identity --accept`"


class IdentityMismatchError(ReconcileError):
    """This process must not write: something is not what it was."""

    def __init__(self, what: str) -> None:
        super().__init__("IdentityMismatch", f"nothing is written: {what}; {MEND}")


class Register(Protocol):
    """The database's side."""

    @write
    async def claim(self, place: str, cluster_id: str, installation: str) -> str:
        """Write the row if there is none; the database's id. Fenced."""

    @read
    async def read(self) -> Claim:
        """What it says."""


class Marks(Protocol):
    """The Swarm's side."""

    async def cluster_id(self) -> str:
        """Id of the Swarm."""

    async def read(self) -> Mark | None:
        """What it says, if anything."""

    async def write(self, mark: Mark) -> None:
        """Have it say this."""


class Identity:
    """Looks whether all is as it was, for one process.

    Args:
        installation: that this process works for.
    """

    def __init__(self, register: Register, marks: Marks, installation: str) -> None:
        self._register = register
        self._marks = marks
        self._installation = installation

    async def check(self) -> None:
        """Return when database and Swarm are what they were.

        Raises:
            IdentityMismatchError: they are not.
            TransientError: one of them does not answer.
        """
        await self._look()

    async def claim(self, epoch: int) -> None:
        """As ``check``, and write down what is not there yet; this process leads in ``epoch``."""
        here, cluster_id = await self._look()
        database_id = await self._register.claim(here, cluster_id, self._installation)
        await self._marks.write(Mark(database_id, epoch))

    async def _look(self) -> tuple[str, str]:
        """Where the database is, and the id of the Swarm."""
        cluster_id, mark = await self._marks.cluster_id(), await self._marks.read()
        claim = await self._register.read()  # last: a term that began meanwhile is in it
        found = mismatch(claim, mark, cluster_id=cluster_id, installation=self._installation)
        if found:
            raise IdentityMismatchError(found)
        return claim.here, cluster_id


def mismatch(claim: Claim, mark: Mark | None, *, cluster_id: str, installation: str) -> str:
    """What is not as it was, with what was found where; empty when all is."""
    found = []
    if claim.installation is not None and claim.installation != installation:
        found.append(
            f"this database belongs to installation {claim.installation}, and SKYPANEL_INSTALLATION is {installation}"
        )
    if claim.cluster_id is not None and claim.cluster_id != cluster_id:
        found.append(f"this database belongs to Swarm {claim.cluster_id}, and DOCKER_HOST leads to Swarm {cluster_id}")
    if claim.place is not None and claim.place != claim.here:
        found.append(f"this database is a copy: it was made in place {claim.place} and is now in {claim.here}")
    if mark is not None and str(mark) != claim.accepted:
        if mark.database_id != claim.database_id:
            found.append(
                f"the Swarm's mark for installation {installation} names database {mark.database_id}, and this one is "
                f"{claim.database_id or 'a new one'}"
            )
        elif mark.epoch > claim.epoch:
            found.append(
                f"the Swarm's mark is of term {mark.epoch}, and this database has given out {claim.epoch} at most: it "
                "is an older copy"
            )
    return "; ".join(found)
