"""The store: what the engine asks of PostgreSQL, one statement a question, grouped when many ask at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from anyio.lowlevel import checkpoint
from psycopg import errors, sql
from psycopg.types.json import Json, Jsonb

from controller.kit import clock
from controller.kit.batcher import Batcher, halved
from controller.postgres.database import Database, DatabaseUnavailable
from controller.postgres.statements import fenced, statement
from controller.records import (
    Assessment,
    Changed,
    DesiredObject,
    Holdings,
    Intent,
    Key,
    Loaded,
    Loss,
    Report,
)
from controller.store.lease import Lease
from controller.store.loading import consume_statement, load_statement, loaded, readable
from controller.store.prefetch import Prefetched
from controller.store.report_rows import apart, fields, report_parameters, storable
from controller.store.row_shapes import RowShape, upsert
from controller.store.sealed_rows import sealed_login, sealed_set
from controller.vault.sealed import LARGEST_SET, SealedLogin, SealedSet
from reconcilers.outcomes import FencedError
from specs.releases import Release
from specs.vulnerabilities import VulnerabilityReport

CONSUME_LIMIT = 2000
PROOF_SECONDS = 1.0
_SLICE = 1000
_LATE = 5000
"""Rows of the change log that are so much older than the newest are looked for on the timer alone: dead ones, which a
transaction that stays open keeps from being cleaned away, would be gone through for each change."""
_WHOLE_SECONDS = 5.0
RELEASES = 100
"""Releases of an environment that are kept at most; the oldest goes when there is another."""


class StateStore:
    """Everything in PostgreSQL that the engine reads and writes.

    Args:
        database: connections.
        lease: checked in the statement of every write.
        kinds: whose changed objects are loaded with the change, when they are few. Each is a part of the statement that
            every look executes: only what somebody waits for.
    """

    def __init__(self, database: Database, lease: Lease, *, kinds: Iterable[str] = ()) -> None:
        self._database = database
        self._lease = lease
        self._consume = consume_statement(sorted(kinds))
        self._ahead = Prefetched()
        self._given: list[int] = []
        """Rows of the change log that the last look gave."""
        self._newest = 0
        self._next_whole = 0.0
        self._loads: dict[str, Batcher[Key, Loaded]] = {}
        self._intents: Batcher[list[dict[str, Any]], list[str]] = Batcher(self._write_intents)
        self._reports: Batcher[Report, None] = Batcher(self._write_reports)
        self._releases: Batcher[dict[str, object], int | None] = Batcher(self._make_releases)
        self._rows: dict[RowShape, Batcher[dict[str, object], None]] = {}

    # -- desired state -------------------------------------------------------------------------------------------

    async def load(self, key: Key) -> Loaded:
        """One consistent look at one object; it may be a moment old, when it came with the change."""
        found = self._ahead.take(key)
        if found is not None:
            return found
        if key.kind not in self._loads:
            self._loads[key.kind] = Batcher(self._load)
        return await self._loads[key.kind].submit(key)

    async def _load(self, keys: Sequence[Key]) -> list[Loaded]:
        kind = keys[0].kind
        rows = await self._database.fetch(load_statement(kind), {"ids": list({k.id for k in keys})})
        found = {row[0]: row[1:] for row in rows}
        return [loaded(key, *found[key.id]) for key in keys]

    async def index(self) -> list[tuple[DesiredObject, bool, bool]]:
        """(object, whether its last status is Ready for this generation, whether its deletion is finished)."""
        rows = await self._database.fetch(statement("store/loop/index"))
        found = []
        for number, (kind, object_id, organization_id, generation, deleted, ready, finalized, requested) in enumerate(
            rows, 1
        ):
            entry = DesiredObject(Key(kind, object_id), organization_id, generation, deleted, requested)
            found.append((entry, ready, finalized))
            if not number % _SLICE:
                await checkpoint()
        return found

    async def leftovers(self, kinds: Sequence[str]) -> list[Key]:
        """Owners in the inventory, of subnets, and of statuses of ``kinds`` that are not final, whose rows are gone."""
        rows = await self._database.fetch(statement("store/loop/leftovers"), {"kinds": list(kinds)})
        return [Key(*row) for row in rows]

    async def consume(self, *, anew: bool = False) -> tuple[list[Changed], bool]:
        """Changes that were not given yet, and whether more may be there; none when this process does not lead.

        They stay in the log until the next call, which takes them off: an answer that is lost loses nothing.

        Args:
            anew: the caller may not have done with what the last call gave: it comes once more.
        """
        if anew:
            self._given = []
        whole = anew or clock.monotonic() >= self._next_whole
        since = 0 if whole else max(0, self._newest - _LATE)
        with self._ahead.reading():
            rows = await self._database.fetch(
                self._consume,
                {**self._lease.parameters, "given": self._given, "since": since, "limit": CONSUME_LIMIT},
            )
            changes = [row[:5] for row in rows if row[1] is not None]
            self._ahead.put(readable(row for row in rows if row[1] is None))
        if whole:
            self._next_whole = clock.monotonic() + _WHOLE_SECONDS
        self._given = [number for row in changes for number in row[2] or ()]
        self._newest = max([self._newest, *self._given])
        more = len(self._given) >= CONSUME_LIMIT
        return [Changed(Key(kind, i), organization, dependent) for kind, dependent, _, i, organization in changes], more

    async def dependents(self, key: Key) -> list[Key]:
        """Objects to look at again when ``key`` changed on the engine."""
        rows = await self._database.fetch(statement("store/loop/dependents"), {"kind": key.kind, "id": key.id})
        return [Key(*row) for row in rows]

    async def pauses(self) -> dict[str, int]:
        """How many pauses there are, by scope."""
        return dict(await self._database.fetch(statement("store/loop/pauses")))

    async def config_values(self, environment_id: str, digest: str) -> SealedSet:
        """What is set for an environment, as ciphertext; with another digest, what the release with ``digest`` has."""
        asked = {"id": environment_id, "digest": digest, "largest": LARGEST_SET}
        found = sealed_set(await self._database.fetch(statement("store/loop/config_values"), asked))
        if found.digest == digest:
            return found
        kept = sealed_set(await self._database.fetch(statement("store/loop/release_values"), asked))
        return kept if kept.digest else found

    async def sealed_login(self, login_id: str) -> SealedLogin | None:
        """A user of a registry, with the ciphertext of his password; None: there is none with a password."""
        rows = await self._database.fetch(statement("store/loop/sealed_login"), {"id": login_id})
        return sealed_login(rows[0]) if rows else None

    async def image_reports(self, digests: Sequence[str]) -> list[VulnerabilityReport]:
        """Vulnerability reports that name one of ``digests``, the newest first; without what was scanned."""
        rows = await self._database.fetch(statement("store/loop/image_reports"), {"digests": list(digests)})
        return [VulnerabilityReport.of_row(row) for row in rows]

    # -- writes, all fenced --------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether this process may believe that it leads, by the clock alone."""
        return self._lease.trusted

    @property
    def database_time(self) -> tuple[float, float]:
        """See ``Lease.database_time``."""
        return self._lease.database_time

    async def affirm(self) -> None:
        """Be sure to lead: by the clock, and by the database, unless that has said so within the last second.

        Raises:
            FencedError: this process does not lead.
        """
        if not self._lease.trusted:
            raise FencedError
        if self._lease.proven_seconds > PROOF_SECONDS:
            await self._intents.submit([])

    async def announce(self, key: Key, organization_id: str | None, intents: Sequence[Intent]) -> list[str]:
        """Write down what is about to be done, and check the lease.

        Returns:
            Names of things beyond the Swarm that are on record for another owner: those were not written.

        Raises:
            FencedError: this process does not lead; nothing was written.
        """
        try:
            return await self._intents.submit(
                [
                    {
                        **fields(i),
                        "owner_kind": key.kind,
                        "owner_id": key.id,
                        "organization_id": organization_id,
                    }
                    for i in intents
                ]
            )
        finally:
            self._ahead.spoil(key)

    async def _write_intents(self, groups: Sequence[list[dict[str, Any]]]) -> list[list[str]]:
        intents = {(i["object_type"], i["name"]): i for group in groups for i in group}
        _, refused = await self._fenced("store/loop/intend", {"intents": Jsonb(list(intents.values()))})

        def is_refused(intent: Mapping[str, Any]) -> bool:
            place = intent["object_type"], intent["name"]
            if "/" not in intent["object_type"]:
                return False  # an object of the Swarm changes hands with its name
            return " ".join(place) in refused or intents[place]["owner_id"] != intent["owner_id"]

        return [[i["name"] for i in group if is_refused(i)] for group in groups]

    async def report(self, report: Report) -> None:
        """Write the end of one reconcile: status, events, inventory.

        Raises:
            FencedError: this process does not lead; nothing was written.
        """
        if report.statuses or report.events or report.inventory:
            try:
                await self._reports.submit(report)
            finally:
                self._ahead.spoil(report.key)

    async def _write_reports(self, reports: Sequence[Report]) -> list[Exception | None]:
        answers: list[Exception | None] = []
        for group in apart(reports):  # what one group has written stays written when another cannot be
            answers += await halved(self._write_group, group)
        return answers

    async def _write_group(self, reports: Sequence[Report]) -> list[None]:
        await self._fenced("store/loop/report", report_parameters(reports))
        return [None] * len(reports)

    async def _fenced(self, name: str, parameters: Mapping[str, Any], *, many: bool = False) -> Sequence[Any]:
        asked = clock.monotonic()
        rows = await self._database.fetch(fenced(name), {**self._lease.parameters, **parameters}, many=many)
        if not rows or rows[0][0] != 1:
            raise FencedError
        self._lease.proved(asked)
        return rows[0]

    async def _fenced_value(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """The value of a function that writes."""
        return (await self._fenced_rows(fenced(name), parameters))[0][0]

    async def _fenced_rows(self, query: str | sql.Composed, parameters: Mapping[str, Any]) -> Sequence[Any]:
        """What comes back of a write that gives at least a row when it is done."""
        asked = clock.monotonic()
        rows = await self._database.fetch(query, {**self._lease.parameters, **parameters})
        if not rows:
            raise FencedError
        self._lease.proved(asked)
        return rows

    async def prune(self, what: str, days: int, most: int) -> int:
        """Take away a piece of what is older than ``days`` and not needed any more; how many rows.

        Args:
            what: one of ``controller.loop.retention.STEPS``.
            days: age.
            most: as many rows at once; fewer means that no more are left.
        """
        return int(await self._fenced_value("store/loop/prune", {"what": what, "days": days, "most": most}))

    async def write_row(self, table: str, where: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Insert or change the row of ``table`` with the unique columns ``where``.

        Raises:
            FencedError: this process does not lead any more; nothing was written.
        """
        row = {**where, **values}
        shape = RowShape(table, tuple(where), tuple(row))
        if shape not in self._rows:
            self._rows[shape] = Batcher(partial(self._write_rows, upsert(shape)))
        await self._rows[shape].submit(row)

    async def _write_rows(self, query: sql.Composed, rows: Sequence[Mapping[str, object]]) -> list[None]:
        try:
            await self._fenced_rows(query, {"rows": Jsonb(list(rows), dumps=storable)})
        except DatabaseUnavailable as error:
            if len(rows) > 1 and isinstance(error.__cause__, (errors.LockNotAvailable, errors.DeadlockDetected)):
                raise error.__cause__ from None  # somebody holds what one of them is about: the others go on
            raise
        return [None] * len(rows)

    async def make_release(self, environment_id: str, generation: int, release: Release) -> int | None:
        """The version of the newest release when it has this content, else of a new one; None: it is out of date.

        Raises:
            FencedError: this process does not lead any more; nothing was written.
        """
        return await self._releases.submit(
            {
                "id": environment_id,
                "generation": generation,
                "digest": release.digest,
                "config_digest": release.config,
                "image": release.image,
                "settings": release.settings,
                "processes": list(release.processes),
                "resolved": release.resolved,
            }
        )

    async def _make_releases(self, releases: Sequence[Mapping[str, object]]) -> list[int | None]:
        placed = [{"place": place, **release} for place, release in enumerate(releases)]
        asked = {"releases": Jsonb(placed, dumps=storable), "most": RELEASES}
        versions = dict(await self._fenced_rows(fenced("store/loop/make_releases"), asked))
        return [versions[place] for place in range(len(placed))]

    async def release_deployed(self, environment_id: str, version: int) -> None:
        """All tasks run it.

        Raises:
            FencedError: this process does not lead any more; nothing was written.
        """
        await self._fenced_value("store/loop/release_deployed", {"id": environment_id, "version": version})

    async def release_command_begins(self, environment_id: str, version: int, tries: int) -> bool:
        """Whether the command of a release is to be run now, by what is on record.

        Raises:
            FencedError: this process does not lead any more; nothing was written.
        """
        asked = {"id": environment_id, "version": version, "tries": tries}
        return bool(await self._fenced_value("store/loop/release_command_begins", asked))

    async def release_command_ended(
        self, environment_id: str, version: int, tries: int, exit_code: int | None, failure: str
    ) -> None:
        """The command of a release has ended; no ``failure``: well.

        Raises:
            FencedError: this process does not lead any more; nothing was written.
        """
        found = {"id": environment_id, "version": version, "tries": tries, "exit_code": exit_code, "failure": failure}
        await self._fenced_value("store/loop/release_command_ended", found)

    async def release_command_again(self, environment_id: str, version: int, tries: int) -> None:
        """The command of a release, which has failed, may be run once more.

        Raises:
            FencedError: this process does not lead any more; nothing was written.
        """
        asked = {"id": environment_id, "version": version, "tries": tries}
        await self._fenced_value("store/loop/release_command_again", asked)

    # -- subnets -------------------------------------------------------------------------------------------------

    async def allocate_subnet(
        self, organization_id: str, pool: str, prefix: int, taken: Sequence[str], quarantine_seconds: float
    ) -> str | None:
        """The organization's subnet; a new one if it has none, or if what it has is taken by somebody else."""
        subnet: str | None = await self._fenced_value(
            "store/subnets/allocate",
            {
                "organization_id": organization_id,
                "pool": pool,
                "prefix": prefix,
                "taken": list(taken),
                "quarantine": quarantine_seconds,
            },
        )
        return subnet

    async def adopt_subnet(self, organization_id: str, subnet: str, instead_of: str | None) -> str | None:
        """Have the plan say that a live network's subnet is the organization's; whose it is when it was left so."""
        holder: str | None = await self._fenced_value(
            "store/subnets/adopt", {"organization_id": organization_id, "subnet": subnet, "instead_of": instead_of}
        )
        return holder

    async def release_subnet(self, organization_id: str) -> None:
        """Give it back; it rests in quarantine for a while."""
        await self._fenced_value("store/subnets/release", {"organization_id": organization_id})

    # -- the fuse ------------------------------------------------------------------------------------------------

    async def assess_losses(self, holdings: Holdings) -> Assessment:
        """What of ``holdings`` would be lost, if all that is wanted now were made so."""
        rows = await self._database.fetch(
            statement("store/fuse/assess"),
            {
                "owners": await _columns((*key, count) for key, count in holdings.owners.items()),
                "processes": await _columns(holdings.processes),
                "hosts": await _columns(holdings.hosts),
            },
            many=True,
        )
        _, _, hidden, recorded, _, _, tripped = next(row for row in rows if row[0] is None)
        lost: dict[Key, Loss] = {}
        for start in range(0, len(rows), _SLICE):
            some = rows[start : start + _SLICE]
            lost |= {Key(kind, object_id): Loss(*loss) for kind, object_id, *loss in some if kind is not None}
            await checkpoint()
        return Assessment(bool(tripped), hidden, recorded, lost)

    async def record_losses(self, waiting: Mapping[Key, Loss], *, tripped: bool, live: int) -> None:
        """Write down all that waits for a confirmation, and whether the fuse has tripped, of ``live`` objects."""
        losses = await _columns((*key, *loss[:4]) for key, loss in waiting.items())
        await self._fenced("store/fuse/record", {"waiting": losses, "tripped": tripped, "live": live}, many=True)


async def _columns(rows: Iterable[Sequence[object]]) -> Json:
    """``rows`` as one JSON list a column: the driver would look at each value of an array by itself."""
    await checkpoint()
    return Json(list(zip(*rows, strict=True)), dumps=storable)
