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
from tests.sim.database.rows import Declared as Row
from tests.sim.ports import simulated


@simulated(Sources)
class SimSources(Sources):
    """Repositories of one world.

    Attributes:
        database: whose rows are declared.
        heads: commit of each repository.
        commits: by commit: fields by row, or what is wrong.
        failures: what fetching fails with, by repository.
        signed: commits that somebody has signed.
        verified: the commit of each source that was verified last.
        written: sources and commits whose files changed a row, in order.
        owned: what each source has declared last.
        fields: of each declared row, those that its source declares.
        pruned: rows that were marked deleted, in order.
    """

    def __init__(self) -> None:
        self.database: SimDatabase | None = None
        self.heads: dict[str, str] = {}
        self.commits: dict[str, Mapping[Key, Mapping[str, Any]] | SourceError] = {}
        self.failures: dict[str, SourceError] = {}
        self.signed: set[str] = set()
        self.verified: dict[str, str] = {}
        self.written: list[tuple[str, str]] = []
        self.owned: dict[str, set[Key]] = {}
        self.fields: dict[Key, tuple[Key, frozenset[str]]] = {}
        self.pruned: list[Key] = []
        self._declares = False

    def use(self, database: SimDatabase) -> None:
        """Declare in this one, and be woken by it."""
        self.database = database
        database.wakes = self._wakes

    def _wakes(self, key: Key, before: Row, after: Row | None) -> Key | None:
        if self._declares or key not in self.fields:
            return None
        source, fields = self.fields[key]
        row = self.database.objects.get(source) if self.database else None
        if row is None or row.deleted or orjson.loads(row.document).get("suspended"):
            return None
        was, now = orjson.loads(before.document), {} if after is None else orjson.loads(after.document)
        gone = after is None or (after.deleted and not before.deleted)
        return source if gone or any(was.get(name) != now.get(name) for name in fields) else None

    async def fetch(self, wanted: Wanted) -> str:
        """See ``Sources``."""
        assert wanted.repository is not None
        if wanted.repository in self.failures:
            raise self.failures[wanted.repository]
        return wanted.commit or self.heads[wanted.repository]

    async def verify(self, wanted: Wanted, commit: str) -> str:
        """See ``Sources``."""
        if commit not in self.signed:
            raise SourceError("CommitUnsigned", f"{commit[:19]} has no signature")
        self.verified[wanted.id] = commit
        return "ada"

    async def declare(self, wanted: Wanted, commit: str) -> Declared:
        """See ``Sources``; what was declared and is no longer goes, where the row says so."""
        assert self.database is not None
        row = self.database.objects.get(Key("source", wanted.id))
        said = {} if row is None or row.deleted else orjson.loads(row.document)
        if said.get("generation") != wanted.generation:
            raise ConflictError("SourceChanged", "the source has changed since it was read")
        if wanted.verify is not None and self.verified.get(wanted.id) != commit:
            raise AssertionError("what nobody has verified is declared")
        declared = self.commits[commit]
        if isinstance(declared, SourceError):
            raise declared
        self._declares = True
        try:
            left = self._write(self.database, wanted, commit, declared, prunes=bool(said.get("prune")))
        finally:
            self._declares = False
        self.pruned += sorted(left)
        self.owned[wanted.id] = set(declared)
        mine = Key("source", wanted.id)
        self.fields = {key: of for key, of in self.fields.items() if of[0] != mine}
        self.fields |= {key: (mine, frozenset(fields)) for key, fields in declared.items()}
        return Declared(len(declared), len(declared), len(left))

    def _write(
        self,
        database: SimDatabase,
        wanted: Wanted,
        commit: str,
        declared: Mapping[Key, Mapping[str, Any]],
        *,
        prunes: bool,
    ) -> set[Key]:
        """Have declared fields be so, and no other; what goes."""
        with database.transaction() as change:
            for key, fields in declared.items():
                now = database.objects[key]
                document = orjson.loads(now.document)
                if now.deleted:
                    change.take_back(key)
                if document != {**document, **fields}:
                    change.put(key, now.organization_id, {**document, **fields})
                    self.written.append((wanted.name, commit))
            left = self.owned.get(wanted.id, set()) - declared.keys() if prunes else set()
            for key in sorted(left):
                change.mark_deleted(key)
        return left
