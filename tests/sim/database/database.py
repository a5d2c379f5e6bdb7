"""The shared truth of the simulator: what PostgreSQL would hold, whatever kinds there are.

Scenarios declare rows (``put``, ``mark_deleted``, ``drop``, ``transaction``); a process reads and writes through its
own ``SimStore`` and ``SimLease``. ``tests/conformance`` runs the same steps here and on PostgreSQL.

Guarantees: no randomness, no time but the event loop's, and each statement happens at once or not at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import orjson

from controller.records import Claim, Key
from controller.vault.sealed import SealedLogin, SealedSet
from specs.vulnerabilities import VulnerabilityReport
from tests.sim.database import runs
from tests.sim.database.controls import Controls, place
from tests.sim.database.documents import image_facts, verdicts, with_facts, with_verdicts
from tests.sim.database.link import now
from tests.sim.database.releases import Kept, with_releases
from tests.sim.database.rows import (
    Declared,
    Fuse,
    Happened,
    Held,
    History,
    Logged,
    Made,
    Said,
    StatusWritten,
    Subnet,
    Version,
    Waiting,
    Write,
)
from tests.sim.database.transaction import Transaction

OLD_VERSIONS = 8


class SimDatabase:
    """Rows of all tables, and what was ever written.

    Attributes:
        listeners: called without arguments after every commit that logged a change: one for each process.
        notify_hook: called with the delivery to one listener instead; it may make it never, twice or later.
        history: for oracles.
    """

    def __init__(self) -> None:
        self.wakes: Callable[[Key, Declared, Declared | None], Key | None] = lambda *_: None
        """Who is woken by a change of a row, of what it declares."""
        self.objects: dict[Key, Declared] = {}
        self.change_log: dict[int, Logged] = {}
        self.edges: dict[Key, dict[Key, None]] = {}
        self.statuses: dict[Key, Said] = {}
        self.parts: dict[Key, set[Key]] = {}
        self.events: dict[int, Happened] = {}
        self.last_event: dict[Key, int] = {}
        self.inventory: dict[tuple[str, str], Made] = {}
        self.leases: dict[str, Held] = {}
        self.subnets: list[Subnet] = []
        self.rows: dict[tuple[str, tuple[tuple[str, object], ...]], dict[str, object]] = {}
        """Rows that kinds write, by table and unique columns."""
        self.sealed: dict[str, SealedSet] = {}
        self.logins: dict[str, SealedLogin] = {}
        """Config vars by environment; see ``tests.sim.database.config``."""
        self.sealed_before: dict[tuple[str, str], SealedSet] = {}
        """What was set, by environment and digest."""
        self.releases: dict[str, list[Kept]] = {}
        """By environment, the newest last; see ``tests.sim.database.releases``."""
        self.scans: dict[str, VulnerabilityReport] = {}
        """Vulnerability reports by digest; see ``tests.sim.database.scans``."""
        self.scanned_at: dict[str, float] = {}
        """When each was handed in."""
        self.sealed_numbers = count(1 << 96)
        self.fuse: Fuse | None = None
        self.losses: dict[Key, Waiting] = {}
        self.tombstones: set[Key] = set()
        self.removed: set[Key] = set()
        self.hidden: set[Key] = set()
        self.identity: Claim | None = None
        self.place = "server/1"
        """Where the database is; another one in a copy."""
        self.controls = Controls()
        self.history = History()
        self.on_commit: Callable[[Mapping[Key, Declared | None]], None] = lambda _rows: None
        """Called with the rows of each commit, right before they become visible."""
        self.on_status: Callable[[StatusWritten], None] = lambda _said: None
        """Called with each status that changed its row."""
        self.listeners: list[Callable[[], None]] = []
        self.notify_hook: Callable[[Callable[[], None]], None] = lambda deliver: deliver()
        self._owned: dict[Key, dict[tuple[str, str], Made]] = {}
        self._versions: dict[Key, deque[Version]] = {}
        self._changed: dict[Key, None] = {}
        self._writers: dict[Key, Transaction] = {}
        self._numbers = count(1)
        self._statements = count(1)
        self._events = count(1)

    # -- what scenarios do ---------------------------------------------------------------------------------------

    def transaction(self) -> Transaction:
        """Several changes that become visible together; see ``Transaction``."""
        return Transaction(self)

    def put(self, key: Key, organization_id: str, document: Any) -> None:
        """Insert or change a row."""
        with self.transaction() as one:
            one.put(key, organization_id, document)

    def mark_deleted(self, key: Key) -> None:
        """Ask for a deletion."""
        with self.transaction() as one:
            one.mark_deleted(key)

    def take_back(self, key: Key) -> None:
        """Take that back."""
        with self.transaction() as one:
            one.take_back(key)

    def drop(self, key: Key) -> None:
        """DELETE the row."""
        with self.transaction() as one:
            one.drop(key)

    def lose(self, *keys: Key) -> None:
        """The rows are not there any more, and nobody says so: TRUNCATE, an older copy, a trigger that did not fire."""
        for key in keys:
            del self.objects[key]
            self._cut(key)
            self._remember(key)

    def hide(self, *keys: Key) -> None:
        """The rows are there and the snapshot views do not show them: row-level security, a lost parent."""
        self.hidden.update(keys)
        for key in keys:
            self._remember(key)

    def show(self) -> None:
        """The views show everything again."""
        keys, self.hidden = self.hidden, set()
        for key in keys:
            self._remember(key)

    def depends(self, dependent: Key, on: Key) -> None:
        """``dependent`` has to be looked at again when ``on`` changes."""
        with self.transaction() as one:
            one.depends(dependent, on)

    def touch(self, *keys: Key) -> None:
        """Put ``keys`` into the change log."""
        with self.transaction() as one:
            for key in keys:
                one.touch(key)

    def pause(self, scope: str, key: Key | None = None, *, reason: str = "", by: str = "ops") -> None:
        """What ``skypanel pause`` does; ``key`` is the object or the organization."""
        if self.controls.pause(place(scope, key), reason, by, now()):
            self._control(scope, key)

    def resume(self, scope: str, key: Key | None = None) -> None:
        """What ``skypanel resume`` does."""
        if self.controls.pauses.pop(place(scope, key), None):
            self._control(scope, key)

    def ask(self, key: Key, token: str) -> None:
        """What ``skypanel reconcile`` does."""
        if self.controls.tokens.get(key) != token:
            self.controls.tokens[key] = token
            self._control("object", key)

    def _control(self, scope: str, key: Key | None) -> None:
        """Into the change log with every object concerned, also one that only lives on, for each organization known."""
        rows: dict[tuple[Key, str | None], None] = {}
        rows |= dict.fromkeys((each, row.organization_id) for each, row in self.objects.items())
        rows |= dict.fromkeys((made.owner, made.organization_id) for made in self.inventory.values())
        with self.transaction() as one:
            for each, whose in rows:
                if {"object": each == key, "organization": key and whose == key.id}.get(scope, True):
                    one.touch(each, whose)
                    self._remember(each)

    def confirm_fuse(self, *owners: Key) -> None:
        """What ``skypanel gc --confirm`` does, of these owners or all."""
        chosen = [key for key, row in self.losses.items() if not row.confirmed and (not owners or key in owners)]
        self.losses |= {key: self.losses[key]._replace(confirmed=True) for key in chosen}
        if chosen:
            self.touch(Key("fuse", "00000000-0000-0000-0000-000000000000"), *chosen)

    def run_out(self, name: str) -> None:
        """Let a lease run out now."""
        self.leases[name] = self.leases[name]._replace(expires_at=now())

    def versions(self, key: Key) -> Sequence[Version]:
        """How the object looked, the oldest of the last few first and the present one last."""
        self._remember(key)
        return tuple(self._versions[key])

    # -- what transactions do ------------------------------------------------------------------------------------

    def next_number(self) -> int:
        """The next of the change log; one that is rolled back leaves a gap."""
        return next(self._numbers)

    def lock(self, key: Key, writer: Transaction) -> None:
        """Only one open transaction writes a row."""
        if self._writers.setdefault(key, writer) is not writer:
            raise RuntimeError(f"{key} is written by a transaction that is still open: PostgreSQL would wait for it")

    def unlock(self, keys: Iterable[Key]) -> None:
        """The transaction that wrote ``keys`` is over."""
        for key in keys:
            del self._writers[key]

    def commit(
        self,
        rows: Mapping[Key, Declared | None],
        edges: Iterable[tuple[Key, Key]],
        logged: Mapping[int, Logged],
    ) -> None:
        """Make rows, edges and log entries visible, and notify."""
        self.unlock(rows)
        self.on_commit(rows)
        for key, row in rows.items():
            if row is None or not row.deleted:
                self.removed.discard(key)
            if row is not None:
                self.objects[key] = row
                self.tombstones.discard(key)
            elif self.objects.pop(key, None) is not None:
                self.tombstones.add(key)
                self._cut(key)
            self._remember(key)
        for dependent, on in edges:
            self.edges.setdefault(on, {})[dependent] = None
        self.change_log.update(logged)
        if logged:
            for listener in tuple(self.listeners):
                self.notify_hook(listener)

    def _remember(self, key: Key) -> None:
        versions = self._versions.setdefault(key, deque((Version(None, (), None),), maxlen=OLD_VERSIONS))
        if (present := self.look(key)) != versions[-1]:
            versions.append(present)

    def _cut(self, key: Key) -> None:
        self.edges.pop(key, None)
        for dependents in self.edges.values():
            dependents.pop(key, None)

    # -- what stores and leases do -------------------------------------------------------------------------------

    def next_statement(self) -> int:
        """The number of a statement that writes."""
        return next(self._statements)

    def leads(self, name: str, holder: str, epoch: int) -> bool:
        """What ``sql/leader.sql`` asks."""
        held = self.leases.get(name)
        return held is not None and (held.holder, held.epoch) == (holder, epoch) and held.expires_at > now()

    def look(self, key: Key) -> Version:
        """How the object looks."""
        row, said, made = self.objects.get(key), self.statuses.get(key), tuple(self._owned.get(key, {}).values())
        if row is not None and (facts := self.rows.get(image_facts(key))) is not None:
            row = row._replace(document=with_facts(row.document, facts))
        table, of = verdicts(key)
        if row is not None and (judged := [each for at, each in self.rows.items() if at[0] == table and of in at[1]]):
            row = row._replace(document=with_verdicts(row.document, judged))
        if row is not None and (kept := self.releases.get(key.id)):
            row = row._replace(document=with_releases(row.document, kept))
        if row is not None and key.kind == "run":
            row = row._replace(document=self._in_environment(key, row.document))
        paused = self.controls.pause_of(key, self.organization_of(key))
        hidden, tombstone = row is not None and key in self.hidden, row is None and key in self.tombstones
        return Version(row, made, said, paused, self.controls.tokens.get(key, ""), hidden, tombstone)

    def _in_environment(self, key: Key, document: bytes) -> bytes:
        """The document of a run, with that of its environment."""
        environment = runs.environment_of(document)
        above = self.look(environment).declared
        if above is None:
            return document
        kept = self.releases.get(environment.id, ())
        return runs.with_environment(document, orjson.loads(above.document), kept, self.rows.get(runs.record(key)))

    def organization_of(self, key: Key) -> str | None:
        """Whose it is, by its row, or by what is left of it."""
        row, said, made = self.objects.get(key), self.statuses.get(key), self._owned.get(key, {})
        known = [row.organization_id if row else None, said.organization_id if said else None]
        known += [m.organization_id for m in made.values()]
        return next((organization for organization in known if organization is not None), None)

    def say(self, key: Key, row: Said) -> None:
        """Insert or replace a status."""
        before = self.statuses.get(key)
        if before is not None and before.parent is not None:
            self.parts[before.parent].discard(key)
        if row.parent is not None:
            self.parts.setdefault(row.parent, set()).add(key)
        self.statuses[key] = row
        self._changed[key] = None

    def unsay(self, key: Key) -> None:
        """Remove a status."""
        row = self.statuses.pop(key)
        if row.parent is not None:
            self.parts[row.parent].discard(key)
        self._changed[key] = None

    def keep(self, row: Made) -> None:
        """Insert or replace a row of the inventory."""
        place = (row.object_type, row.name)
        before = self.inventory.get(place)
        if before is not None and before.owner != row.owner:
            self.forget(before)
        self.inventory[place] = row
        self._owned.setdefault(row.owner, {})[place] = row
        self._changed[row.owner] = None

    def forget(self, row: Made) -> None:
        """Remove a row of the inventory."""
        place = (row.object_type, row.name)
        del self.inventory[place]
        owned = self._owned[row.owner]
        del owned[place]
        if not owned:
            del self._owned[row.owner]
        self._changed[row.owner] = None

    def owners(self) -> list[Key]:
        """Who has rows in the inventory."""
        return list(self._owned)

    def insert_event(self, event: Happened) -> None:
        """Append a row to the events."""
        number = next(self._events)
        self.events[number] = event
        self.last_event[event.key] = number

    def wrote(
        self, n: int, who: tuple[str, int], operation: str, keys: tuple[Key, ...], *, accepted: bool, rows: int
    ) -> None:
        """A statement is over: put it into the history."""
        for key in self._changed:
            self._remember(key)
        self._changed.clear()
        self.history.writes.append(Write(n, now(), *who, operation, keys, accepted, rows))
