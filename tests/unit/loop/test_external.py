"""What objects have beyond the Swarm: intent before the act, nothing twice, nothing left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from controller.loop.doors import Doors
from controller.loop.draft import Draft
from controller.loop.external import Externals, written_for
from controller.loop.trace import Trace
from controller.records import Intent, InventoryRow, InventoryUpdate, Key, Loaded
from reconcilers.outcomes import FencedError, NotReadyError, TransientError
from reconcilers.port import External, Observed, Things

pytestmark = pytest.mark.anyio
KEY = Key("pond", "8e0f1c1e-0000-0000-0000-000000000001")


class Buckets(Things, name="buckets"):
    """Somewhere else."""


class BucketTable(Buckets):
    """An adapter that is a table, and says what is done to it."""

    def __init__(self, steps: list[str]) -> None:
        self.steps = steps
        self.found: dict[str, Observed] = {}
        self.broken: Exception | None = None

    async def observe(self, name: str) -> Observed | None:
        return self.found.get(name)

    async def create(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        return self._put("create", name, digest)

    async def update(self, name: str, document: Mapping[str, Any], digest: str) -> Observed:
        return self._put("update", name, digest)

    async def remove(self, name: str) -> None:
        self.steps.append(f"remove {name}")
        self.found.pop(name, None)

    def _put(self, what: str, name: str, digest: str) -> Observed:
        self.steps.append(f"{what} {name}")
        self.found[name] = Observed(f"id-{name}", digest)
        if self.broken is not None:
            raise self.broken
        return self.found[name]


class OneReconcile:
    """One reconcile of an object with ``rows``."""

    def __init__(self, *rows: InventoryRow, leads: bool = True) -> None:
        self.steps: list[str] = []
        self.table = BucketTable(self.steps)
        self._leads = leads
        self.taken = False
        store: Any = self
        loaded = Loaded(KEY, "acme", 3, deleted=False, document={}, inventory=rows, declared=True)
        self.draft = Draft(loaded)
        trace = Trace(KEY, "id", (), 0.0, 1)
        doors = Doors(KEY.kind, (Buckets,), {Buckets: self.table}, affirm=self.affirm, trace=trace)
        self.externals = Externals(loaded, uses=(Buckets,), doors=doors, store=store, draft=self.draft, trace=trace)

    async def affirm(self) -> None:
        if not self._leads:
            raise FencedError

    async def announce(self, _key: Key, _organization_id: str | None, intents: Sequence[Intent]) -> list[str]:
        await self.affirm()
        if self.taken:
            return [intent.name for intent in intents]
        self.steps.extend(f"intend {intent.state} {intent.name}" for intent in intents)
        return []

    @property
    def learned(self) -> list[InventoryUpdate]:
        return self.draft.report.inventory

    @property
    def events(self) -> list[str]:
        return [event.reason for event in self.draft.report.events]


def bucket(name: str = "acme-a", size: int = 1) -> External:
    return External(Buckets, name, {"size": size})


DIGEST = written_for(KEY, bucket().hash)


def made(thing: External, *, digest: str | None = None) -> InventoryRow:
    return InventoryRow(thing.object_type, thing.name, f"id-{thing.name}", digest or thing.hash, None, None, "present")


async def test_the_intent_is_written_down_before_the_thing_is_made() -> None:
    reconcile = OneReconcile()
    (found,) = await reconcile.externals.ensure([bucket()])
    assert reconcile.steps == ["intend applying acme-a", "create acme-a"]
    assert found.id == "id-acme-a"
    assert reconcile.learned == [
        InventoryUpdate("buckets/thing", "acme-a", engine_id="id-acme-a", spec_hash=bucket().hash)
    ]
    assert reconcile.events == ["Created"]


async def test_what_is_so_already_is_left_alone() -> None:
    reconcile = OneReconcile(made(bucket()))
    reconcile.table.found["acme-a"] = Observed("id-acme-a", DIGEST)
    await reconcile.externals.ensure([bucket()])
    await reconcile.externals.sweep()
    assert (reconcile.steps, reconcile.learned, reconcile.events) == ([], [], [])


async def test_a_thing_that_was_made_and_not_written_down_is_found_by_its_name() -> None:
    reconcile = OneReconcile(InventoryRow("buckets/thing", "acme-a", None, None, None, None, "applying"))
    reconcile.table.found["acme-a"] = Observed("id-acme-a", DIGEST)
    await reconcile.externals.ensure([bucket()])
    assert reconcile.steps == []
    assert [update.engine_id for update in reconcile.learned] == ["id-acme-a"]


@pytest.mark.parametrize(
    ("observed", "step", "event"),
    [
        (None, "create acme-a", "Repaired"),
        (Observed("id-acme-a", written_for(KEY, "another")), "update acme-a", "Repaired"),
        (Observed("id-acme-a", DIGEST, "it is public"), "update acme-a", "Repaired"),
    ],
)
async def test_what_somebody_changed_is_put_right(observed: Observed | None, step: str, event: str) -> None:
    reconcile = OneReconcile(made(bucket()))
    if observed is not None:
        reconcile.table.found["acme-a"] = observed
    await reconcile.externals.ensure([bucket()])
    assert reconcile.steps == ["intend applying acme-a", step]
    assert reconcile.events == [event]
    assert [update.engine_id for update in reconcile.learned] == ["id-acme-a"], "the intent stays on record"


async def test_another_wish_is_an_update() -> None:
    reconcile = OneReconcile(made(bucket()))
    reconcile.table.found["acme-a"] = Observed("id-acme-a", DIGEST)
    await reconcile.externals.ensure([bucket(size=2)])
    assert reconcile.steps == ["intend applying acme-a", "update acme-a"]
    assert reconcile.events == ["Updated"]


async def test_what_is_not_asked_for_any_more_goes_at_the_end_of_the_reconcile() -> None:
    reconcile = OneReconcile(made(bucket("old")), made(bucket()))
    reconcile.table.found = {name: Observed(f"id-{name}", DIGEST) for name in ("old", "acme-a")}
    await reconcile.externals.ensure([bucket()])
    assert reconcile.steps == []
    await reconcile.externals.sweep()
    assert reconcile.steps == ["intend deleting old", "remove old"]
    assert reconcile.learned == [InventoryUpdate("buckets/thing", "old", gone=True)]


async def test_everything_is_given_back_when_the_object_goes() -> None:
    reconcile = OneReconcile(made(bucket("a")), made(bucket("b")), made(bucket("gone")))
    reconcile.table.found = {name: Observed(f"id-{name}", DIGEST) for name in "ab"}
    await reconcile.externals.give_back()
    assert reconcile.steps == ["intend deleting a", "remove a", "intend deleting b", "remove b"]
    assert all(update.gone for update in reconcile.learned)


async def test_a_create_whose_answer_was_lost_leaves_its_intent_behind() -> None:
    reconcile = OneReconcile()
    reconcile.table.broken = OSError("reset")
    with pytest.raises(TransientError, match="buckets: create: OSError"):
        await reconcile.externals.ensure([bucket()])
    assert reconcile.steps == ["intend applying acme-a", "create acme-a"]
    assert reconcile.learned == []


async def test_who_does_not_lead_makes_nothing() -> None:
    reconcile = OneReconcile(leads=False)
    with pytest.raises(FencedError):
        await reconcile.externals.ensure([bucket()])
    assert reconcile.steps == []


async def test_a_thing_of_a_port_that_is_not_declared_any_more_is_not_forgotten() -> None:
    reconcile = OneReconcile(InventoryRow("ponds/thing", "x", "id", "h", None, None, "present"))
    with pytest.raises(LookupError, match="have it declare the port"):
        await reconcile.externals.give_back()
    assert reconcile.learned == []


async def test_who_comes_second_makes_nothing_though_the_thing_is_not_there_yet() -> None:
    reconcile = OneReconcile()
    reconcile.taken = True
    with pytest.raises(NotReadyError, match="is on record for another object"):
        await reconcile.externals.ensure([bucket()])
    assert (reconcile.steps, reconcile.learned) == ([], [])


async def test_a_thing_of_another_owner_is_neither_changed_nor_taken_away() -> None:
    theirs = Observed("id-acme-a", written_for(Key("pond", "another"), bucket().hash))
    reconcile = OneReconcile()
    reconcile.table.found["acme-a"] = theirs
    with pytest.raises(NotReadyError, match="was not made for this object"):
        await reconcile.externals.ensure([bucket()])
    assert (reconcile.steps, reconcile.learned) == ([], [])
    leaving = OneReconcile(made(bucket()))
    leaving.table.found["acme-a"] = theirs
    await leaving.externals.give_back()
    assert leaving.steps == []
    assert leaving.table.found["acme-a"] == theirs
