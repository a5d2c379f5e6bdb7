"""The store of one process on the simulated database: same methods, results and errors as ``controller.store.state``.

What is sent is copied before the link is used; what comes back is made anew. Every write checks the lease in the same
step as it writes. ``tests/conformance`` proves it equal to the real one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any, TypeVar

import orjson

from controller.postgres import decoding
from controller.records import (
    Assessment,
    Changed,
    DesiredObject,
    Holdings,
    Intent,
    InventoryRow,
    Key,
    Loaded,
    Loss,
    Report,
)
from controller.store import state as real
from controller.vault.sealed import SealedLogin, SealedSet
from reconcilers.outcomes import FencedError
from specs.problems import InvalidSpec
from specs.releases import Release
from specs.vulnerabilities import VulnerabilityReport
from tests.sim.database import config, logins, releases, retention, runs, scans, subnets
from tests.sim.database.database import SimDatabase
from tests.sim.database.lease import SimLease
from tests.sim.database.link import Link, direct, now
from tests.sim.database.losses import assess, record
from tests.sim.database.releases import Ended
from tests.sim.database.reports import Sent, write_intents, write_report
from tests.sim.database.rows import Version

R = TypeVar("R")


def newest(key: Key) -> int:
    """Every load is answered with the present look."""
    return 0


class SimStore:
    """What one process reads and writes.

    Args:
        database: the shared truth.
        lease: of the same process.
        link: see ``tests.sim.database.link``.

    Attributes:
        read_back: asked at every load how many looks back the answer is to be (see ``SimDatabase.versions``).
    """

    def __init__(self, database: SimDatabase, lease: SimLease, *, link: Link = direct) -> None:
        self._database = database
        self._lease = lease
        self._link = link
        self.read_back: Callable[[Key], int] = newest
        self._given: frozenset[int] = frozenset()

    # -- desired state -------------------------------------------------------------------------------------------

    async def load(self, key: Key) -> Loaded:
        """One consistent look at one object."""
        return await self._link("load", (key,), lambda: self._load(key))

    def _load(self, key: Key) -> Loaded:
        back = self.read_back(key)
        if back == 0:
            return _loaded(key, self._database.look(key))
        versions = self._database.versions(key)
        return _loaded(key, versions[max(0, len(versions) - 1 - back)])

    async def index(self) -> list[tuple[DesiredObject, bool, bool]]:
        """Every object, whether it is ready, whether its deletion is finished."""
        return await self._link("index", (), self._index)

    def _index(self) -> list[tuple[DesiredObject, bool, bool]]:
        found = []
        for key, row in self._database.objects.items():
            if key in self._database.removed:
                continue
            said = self._database.statuses.get(key)
            ready = said is not None and said.ready and said.observed_generation == row.generation
            finalized = said is not None and said.finalized_at is not None
            token = self._database.controls.tokens.get(key)
            asked = token is not None and token != (said.handled_token if said else None)
            entry = DesiredObject(key, row.organization_id, row.generation, row.deleted, asked)
            found.append((entry, ready, finalized))
        return found

    async def leftovers(self, kinds: Sequence[str]) -> list[Key]:
        """Owners in the inventory, of subnets, and of statuses that are not final, whose rows are gone."""
        sent = tuple(kinds)
        return await self._link("leftovers", (), lambda: self._leftovers(sent))

    def _leftovers(self, kinds: Sequence[str]) -> list[Key]:
        database = self._database
        open_ = [k for k, said in database.statuses.items() if said.finalized_at is None and k.kind in kinds]
        kept = [Key("organization", s.organization_id) for s in database.subnets if s.organization_id]
        return [key for key in dict.fromkeys([*database.owners(), *kept, *open_]) if key not in database.objects]

    async def consume(self, *, anew: bool = False) -> tuple[list[Changed], bool]:
        """Changes that were not given yet; those of the last call are taken off. None when it does not lead."""
        given, limit = frozenset[int]() if anew else self._given, real.CONSUME_LIMIT
        nothing: tuple[list[Changed], frozenset[int]] = ([], frozenset())
        changes, numbers = await self._write(
            "consume", (), lambda _n, _epoch: self._consume(given, limit), otherwise=nothing
        )
        self._given = numbers
        return changes, len(numbers) >= limit

    def _consume(self, given: frozenset[int], limit: int) -> tuple[tuple[list[Changed], frozenset[int]], int]:
        log = self._database.change_log
        gone = [log.pop(number) for number in given if number in log]
        numbers = sorted(log)[:limit]
        logged = dict.fromkeys(log[number] for number in numbers)
        changed = dict.fromkeys(Changed(key, organization, dependent=False) for key, organization in logged)
        changed |= dict.fromkeys(
            Changed(dependent, organization, dependent=True)
            for key, organization in logged
            for dependent in self._database.edges.get(key, ())
        )
        return (list(changed), frozenset(numbers)), len(gone)

    async def dependents(self, key: Key) -> list[Key]:
        """Objects to look at again when ``key`` changed on the engine."""
        return await self._link("dependents", (key,), lambda: list(self._database.edges.get(key, ())))

    async def pauses(self) -> dict[str, int]:
        """How many pauses there are, by scope."""
        return await self._link(
            "pauses", (), lambda: dict(Counter(p.scope for p in self._database.controls.pauses.values()))
        )

    async def config_values(self, environment_id: str, digest: str) -> SealedSet:
        """What is set for an environment, as ciphertext; with another digest, what the release with ``digest`` has."""
        key = Key("environment", environment_id)
        return await self._link("config_values", (key,), lambda: config.values(self._database, environment_id, digest))

    async def sealed_login(self, login_id: str) -> SealedLogin | None:
        """A user of a registry, with the ciphertext of his password; None: there is none with a password."""
        key = Key("registry", login_id)
        return await self._link("sealed_login", (key,), lambda: logins.found(self._database, login_id))

    async def image_reports(self, digests: Sequence[str]) -> list[VulnerabilityReport]:
        """Vulnerability reports that name one of ``digests``, the newest first; without what was scanned."""
        return await self._link("image_reports", (), lambda: scans.found(self._database, digests))

    # -- writes, all fenced --------------------------------------------------------------------------------------

    @property
    def leads(self) -> bool:
        """Whether this process may believe that it leads, by the clock alone."""
        return self._lease.trusted

    @property
    def database_time(self) -> tuple[float, float]:
        """By the database's clock, at least and at most."""
        return self._lease.database_time

    async def affirm(self) -> None:
        """Be sure to lead."""
        if not self._lease.trusted:
            raise FencedError
        if self._lease.proven_seconds > real.PROOF_SECONDS:
            await self._write("announce", (), lambda _n, _epoch: (None, 0))

    async def announce(self, key: Key, organization_id: str | None, intents: Sequence[Intent]) -> list[str]:
        """Write down what is about to be done, and check the lease; things that stay another owner's."""
        sent = tuple(intents)
        return await self._write(
            "announce",
            (key,),
            lambda _, epoch: write_intents(self._database, key, organization_id, sent, epoch),
        )

    async def report(self, report: Report) -> None:
        """Write the end of one reconcile: status, events, inventory."""
        if report.statuses or report.events or report.inventory:
            sent = Sent.of(report)
            await self._write(
                "report", (report.key,), lambda n, epoch: (None, write_report(self._database, n, sent, epoch))
            )

    async def prune(self, what: str, days: int, most: int) -> int:
        """A piece of what is older than ``days`` and not needed any more; rows that were declared here have no age."""

        def effect(_n: int, _epoch: int) -> tuple[int, int]:
            gone = retention.prune(self._database, what, now() - days * retention.DAY_SECONDS, most)
            return gone, gone

        return await self._write("prune", (), effect)

    async def write_row(self, table: str, where: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Insert or change a row of a table of a kind's own."""
        at, row = (table, tuple(sorted(where.items()))), {**where, **values}

        def effect(_n: int, _epoch: int) -> tuple[None, int]:
            runs.check(table, self._database.rows.get(at), row)
            known = self._database.rows.pop(at, None)  # the newest is the last
            self._database.rows[at] = {**(known or {}), **row}
            return None, int(self._database.rows[at] != known)

        await self._write("write_row", (), effect)

    async def make_release(self, environment_id: str, generation: int, release: Release) -> int | None:
        """The version of the newest release when it has this content, else of a new one; None: it is out of date."""

        def effect(_n: int, _epoch: int) -> tuple[int | None, int]:
            return releases.make(self._database, environment_id, generation, release)

        return await self._write("make_release", (Key("environment", environment_id),), effect)

    async def release_deployed(self, environment_id: str, version: int) -> None:
        """All tasks run it."""

        def effect(_n: int, _epoch: int) -> tuple[None, int]:
            return None, releases.deployed(self._database, environment_id, version)

        await self._write("release_deployed", (Key("environment", environment_id),), effect)

    async def release_command_begins(self, environment_id: str, version: int, tries: int) -> bool:
        """Whether its command is to be run now."""

        def effect(_n: int, _epoch: int) -> tuple[bool, int]:
            return releases.command_begins(self._database, environment_id, version, tries), 0

        return await self._write("release_command_begins", (Key("environment", environment_id),), effect)

    async def release_command_ended(
        self, environment_id: str, version: int, tries: int, exit_code: int | None, failure: str
    ) -> None:
        """Its command has ended."""

        def effect(_n: int, _epoch: int) -> tuple[None, int]:
            said = Ended(tries, now(), exit_code, failure or None)
            return None, releases.command_ended(self._database, environment_id, version, said)

        await self._write("release_command_ended", (Key("environment", environment_id),), effect)

    async def release_command_again(self, environment_id: str, version: int, tries: int) -> None:
        """Its command may be run once more."""

        def effect(_n: int, _epoch: int) -> tuple[None, int]:
            return None, releases.command_again(self._database, environment_id, version, tries)

        await self._write("release_command_again", (Key("environment", environment_id),), effect)

    # -- subnets -------------------------------------------------------------------------------------------------

    async def allocate_subnet(
        self, organization_id: str, pool: str, prefix: int, taken: Sequence[str], quarantine_seconds: float
    ) -> str | None:
        """The organization's subnet; a new one if it has none, or if what it has is taken by somebody else."""
        excluded = tuple(taken)

        def effect(_n: int, _epoch: int) -> tuple[str | None, int]:
            plan = self._database.subnets
            return subnets.allocate(plan, organization_id, pool, prefix, excluded, quarantine_seconds, now())

        return await self._write("allocate_subnet", (), effect)

    async def adopt_subnet(self, organization_id: str, subnet: str, instead_of: str | None) -> str | None:
        """Whose the subnet is in the plan, when that is somebody else; it is the organization's otherwise."""
        network = IPv4Network(subnet)

        def effect(_number: int, _epoch: int) -> tuple[str | None, int]:
            return subnets.adopt(self._database.subnets, organization_id, network, instead_of, now())

        return await self._write("adopt_subnet", (), effect)

    async def release_subnet(self, organization_id: str) -> None:
        """Give it back; it rests in quarantine for a while."""
        await self._write(
            "release_subnet",
            (),
            lambda _n, _epoch: (None, subnets.release(self._database.subnets, organization_id, now())),
        )

    # -- the fuse ------------------------------------------------------------------------------------------------

    async def assess_losses(self, holdings: Holdings) -> Assessment:
        """What of ``holdings`` would be lost, if all that is wanted now were made so."""
        return await self._link("assess_losses", (), lambda: assess(self._database, holdings))

    async def record_losses(self, waiting: Mapping[Key, Loss], *, tripped: bool, live: int) -> None:
        """Write down all that waits for a confirmation."""
        sent = dict(waiting)
        await self._write(
            "record_losses", (), lambda _n, _epoch: (None, record(self._database, sent, tripped=tripped, live=live))
        )

    # -- the fence -----------------------------------------------------------------------------------------------

    async def _write(
        self,
        operation: str,
        keys: tuple[Key, ...],
        effect: Callable[[int, int], tuple[R, int]],
        *,
        otherwise: R | None = None,
    ) -> R:
        """Do ``effect(n, epoch) -> (result, rows written)`` if the lease, as it is when this is sent, still holds then.

        ``otherwise`` is the result of a statement that does not say that this process does not lead.
        """
        name, holder, epoch = self._lease.name, self._lease.holder, self._lease.epoch
        asked = now()

        def fenced() -> R:
            database = self._database
            n = database.next_statement()
            if not database.leads(name, holder, epoch):
                database.wrote(n, (holder, epoch), operation, keys, accepted=False, rows=0)
                if otherwise is not None:
                    return otherwise
                raise FencedError
            result, rows = effect(n, epoch)
            database.wrote(n, (holder, epoch), operation, keys, accepted=True, rows=rows)
            return result

        result = await self._link(operation, keys, fenced)
        if otherwise is None:
            self._lease.proved(asked)
        return result


def _loaded(key: Key, look: Version) -> Loaded:
    declared, made, said, paused, token, hidden, tombstone = look
    status: dict[str, Any] | None = None
    if said is not None:
        status = {
            "observed_generation": said.observed_generation,
            "conditions": orjson.loads(said.conditions),
            "details": orjson.loads(said.details),
            "finalized": said.finalized_at is not None,
            "organization_id": said.organization_id,
            "handled_token": said.handled_token,
        }
    document, unreadable = _document(declared.document) if declared and not hidden else (None, None)
    return Loaded(
        key=key,
        organization_id=declared.organization_id if declared else said.organization_id if said else None,
        generation=declared.generation if declared else 0,
        deleted=declared.deleted if declared else False,
        document=document,
        unreadable=unreadable,
        inventory=tuple(
            InventoryRow(
                row.object_type,
                row.name,
                row.engine_id,
                row.spec_hash,
                row.failed_hash,
                orjson.loads(row.last_good) if row.last_good is not None else None,
                row.state,
                row.template_hash,
            )
            for row in made
        ),
        status=status,
        paused=paused,
        token=token,
        declared=declared is not None,
        tombstone=tombstone,
    )


def _document(text: bytes) -> tuple[dict[str, Any], InvalidSpec | None]:
    """What ``load`` makes of a document: of one that is too large only the small members come."""
    if len(text) <= decoding.LARGEST_DOCUMENT:
        return decoding.read(text.decode(), {})
    members = {name: orjson.dumps(value) for name, value in orjson.loads(text).items()}
    large = {name: len(value) for name, value in members.items() if len(value) > decoding.LARGEST_MEMBER}
    small = {name: orjson.loads(value) for name, value in members.items() if name not in large}
    return decoding.read(orjson.dumps(small).decode(), large)
