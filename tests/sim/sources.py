"""Sources of a simulated world: what a repository has now, and what a commit declares, as scenarios say.

sources.heads["https://git.example.com/specs.git"] = "1" * 40
sources.commits["1" * 40] = {shop: {"instances": 2}}
sources.failures["https://git.example.com/specs.git"] = SourceError(...)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from controller.records import Key
from reconcilers.outcomes import ConflictError
from reconcilers.sources import Declared, SourceError, Sources, Wanted
from tests.sim.database.database import SimDatabase
from tests.sim.ports import simulated


@simulated(Sources)
class SimSources(Sources):
    """Repositories of one world.

    Attributes:
        database: whose rows are declared.
        heads: commit of each repository.
        commits: by commit: fields by row, or what is wrong.
        failures: what fetching fails with, by repository.
        written: sources and commits whose files changed a row, in order.
        owned: what each source has declared last.
        pruned: rows that were marked deleted, in order.
    """

    def __init__(self) -> None:
        self.database: SimDatabase | None = None
        self.heads: dict[str, str] = {}
        self.commits: dict[str, Mapping[Key, Mapping[str, Any]] | SourceError] = {}
        self.failures: dict[str, SourceError] = {}
        self.written: list[tuple[str, str]] = []
        self.owned: dict[str, set[Key]] = {}
        self.pruned: list[Key] = []

    async def fetch(self, wanted: Wanted) -> str:
        """See ``Sources``."""
        assert wanted.repository is not None
        if wanted.repository in self.failures:
            raise self.failures[wanted.repository]
        return wanted.commit or self.heads[wanted.repository]

    async def declare(self, wanted: Wanted, commit: str) -> Declared:
        """See ``Sources``; what was declared and is no longer goes, where the row says so."""
        assert self.database is not None
        row = self.database.objects.get(Key("source", wanted.id))
        said = {} if row is None or row.deleted else orjson.loads(row.document)
        if said.get("generation") != wanted.generation:
            raise ConflictError("SourceChanged", "the source has changed since it was read")
        declared = self.commits[commit]
        if isinstance(declared, SourceError):
            raise declared
        with self.database.transaction() as change:
            for key, fields in declared.items():
                now = self.database.objects[key]
                document = orjson.loads(now.document)
                if document != {**document, **fields}:
                    change.put(key, now.organization_id, {**document, **fields})
                    self.written.append((wanted.name, commit))
            left = self.owned.get(wanted.id, set()) - declared.keys() if said.get("prune") else set()
            for key in sorted(left):
                change.mark_deleted(key)
        self.pruned += sorted(left)
        self.owned[wanted.id] = set(declared)
        return Declared(len(declared), len(declared), len(left))
