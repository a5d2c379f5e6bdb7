"""When the tag of an image is asked about, what is remembered of the answer, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import pytest

from reconcilers.environment.follow import followed, following, sooner
from reconcilers.images import ImageFacts, Meaning
from reconcilers.options import Options
from reconcilers.outcomes import Done, RequeueAfter, TerminalError, TransientError
from reconcilers.ports import Context
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import environment

pytestmark = pytest.mark.anyio

NAME = "registry.example.com/shop"
FIRST, SECOND, THIRD = (f"{NAME}@sha256:{digit * 64}" for digit in "123")
MIDNIGHT = datetime(2026, 11, 27, tzinfo=UTC)
NAMED = {"version": 3, "settings": {"image_ref": f"{NAME}:1"}, "processes": [], "config": None, "resolved": None}
KNOWN = {"reference": f"{NAME}:1", "pinned": FIRST, "architecture": "amd64"}


class World:
    """A context of one environment, and the registry that it asks."""

    organization_id = "acme"
    options = Options(installation="blue")
    id = "e"

    def __init__(self, at: datetime = MIDNIGHT, *, requested: bool = False) -> None:
        self.at = at
        self.requested = requested
        self.means: str | None = FIRST
        self.mirror: str | None = None
        """What a mirror says; None: there is none."""
        self.error: Exception | None = None
        self.architecture = "amd64"
        self.own: dict[str, str] = {}
        """Of an index, what of it runs by its own digest."""
        self.asked: list[float] = []
        self.rows: list[Mapping[str, Any]] = []

    def now(self) -> datetime:
        return self.at

    def port(self, _: Any) -> World:
        return self

    async def newest(
        self, reference: str, organization_id: str, login: Any, *, within_seconds: float, itself: bool = False
    ) -> Meaning | None:
        self.asked.append(within_seconds)
        if self.mirror is not None and not itself:
            return Meaning(self.mirror, second_hand=True)
        if self.error is not None:
            raise self.error
        return Meaning(self.means) if self.means else None

    async def look_up(self, reference: str, organization_id: str, login: Any) -> ImageFacts:
        if self.architecture != "amd64":
            raise TerminalError("ImageRefused", "it is for another machine")
        own = self.own.get(reference)
        digests = (reference.partition("@")[2], own.partition("@")[2]) if own else ()
        return ImageFacts(own or reference, self.architecture, digests=digests)

    async def write_row(self, table: str, key: Mapping[str, object], values: Mapping[str, object]) -> None:
        self.rows.append(values)

    async def looks(self, snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
        return await followed(cast("Context", self), snapshot)


def shop(**changes: Any) -> EnvironmentSnapshot:
    """Its turn is at midnight."""
    return environment(**{"id": str(UUID(int=0)), "follow_seconds": 300, "resolved": KNOWN, **changes})


def pinned(snapshot: EnvironmentSnapshot) -> str:
    assert snapshot.resolved is not None
    return snapshot.resolved.pinned


def state(snapshot: EnvironmentSnapshot, *, failed: bool = False) -> tuple[object, object]:
    said = following(snapshot, failed=failed)
    return said.get("state"), said.get("reason")


@pytest.mark.parametrize(("seconds", "asks"), [(0, True), (29, True), (31, False), (299, False), (300, True)], ids=str)
async def test_it_is_asked_once_an_interval_and_only_from_its_turn_on(seconds: int, asks: bool) -> None:
    world = World(MIDNIGHT + timedelta(seconds=seconds))
    await world.looks(shop())
    assert world.asked == [150.0] * asks, "an answer that another one was given of late does as well"
    left = Done(after=300.0 - seconds % 300)
    assert sooner(Done(), cast("Context", world), shop()) == left
    assert sooner(RequeueAfter(1e9), cast("Context", world), shop()) == RequeueAfter(300.0 - seconds % 300)


async def test_many_environments_have_turns_of_their_own() -> None:
    world = World()
    many = [shop(id=str(UUID(int=n * 2**64 + 12_345))) for n in range(1000)]
    for each in many:
        await world.looks(each)
    assert 50 < len(world.asked) < 200, "about a tenth"


async def test_whoever_asks_for_a_look_is_told_what_is_so_now() -> None:
    world = World(MIDNIGHT + timedelta(seconds=200), requested=True)
    await world.looks(shop())
    assert world.asked == [0.0]


@pytest.mark.parametrize(
    "changes",
    [
        {"follow_seconds": None},
        {"suspended": True},
        {"resolved": None},
        {"image_ref": FIRST},
        {"pinned": NAMED},
    ],
    ids=["not declared", "suspended", "never looked up", "a digest", "a release is named"],
)
async def test_nobody_is_asked_where_nothing_is_to_be_followed(changes: dict[str, Any]) -> None:
    world, snapshot = World(), shop(**changes)
    assert await world.looks(snapshot) == snapshot
    assert not world.asked
    if snapshot.follow_seconds and snapshot.resolved:
        assert state(snapshot)[0] == "paused"
        assert sooner(Done(), cast("Context", world), snapshot) == Done()


async def test_what_has_not_moved_is_written_nowhere() -> None:
    world = World()
    assert state(await world.looks(shop()))[0] == "following"
    world.means = None  # so many ask
    await world.looks(shop())
    assert not world.rows


async def test_what_moved_is_on_record_with_where_it_came_from() -> None:
    world = World()
    world.means = SECOND
    found = await world.looks(shop())
    assert pinned(found) == SECOND
    assert [(row["pinned"], row["reference"], row["follow_from"]) for row in world.rows] == [
        (SECOND, f"{NAME}:1", FIRST)
    ]


async def test_a_tag_that_is_back_is_followed_when_it_is_so_at_two_looks() -> None:
    world = World()
    world.means = SECOND
    moved = await world.looks(shop())
    world.means = FIRST
    back = await world.looks(moved)
    assert (pinned(back), state(back)) == (SECOND, ("held", "TagMovedBack"))
    world.at += timedelta(seconds=20)
    assert pinned(await world.looks(back)) == SECOND, "the same look once more is no second one"
    world.at = MIDNIGHT + timedelta(seconds=300)
    assert pinned(await world.looks(back)) == FIRST
    world.means = SECOND
    assert state(await world.looks(back)) == ("following", None)
    world.means = THIRD
    assert pinned(await world.looks(back)) == THIRD


async def test_a_mirror_that_is_behind_for_however_long_leads_nowhere() -> None:
    world = World()
    world.means = world.mirror = SECOND
    moved = await world.looks(shop())
    world.mirror, rows = FIRST, len(world.rows)
    for interval in range(1, 5):
        world.at = MIDNIGHT + timedelta(seconds=300 * interval)
        moved = await world.looks(moved)
    assert (pinned(moved), state(moved), len(world.rows)) == (SECOND, ("following", None), rows)


async def test_what_a_mirror_tells_of_a_move_is_what_the_registry_itself_says_it_means() -> None:
    world = World()
    world.means, world.mirror = THIRD, SECOND
    assert pinned(await world.looks(shop())) == THIRD
    world.means = None  # so many ask
    assert pinned(await world.looks(shop())) == FIRST


@pytest.mark.parametrize("kind", [TransientError, TerminalError])
async def test_a_move_that_only_a_mirror_tells_waits_for_the_registry(
    kind: type[TransientError | TerminalError],
) -> None:
    world = World()
    world.mirror, world.error = SECOND, kind("RegistryUnavailable", "registry.example.com answered 503")
    found = await world.looks(shop())
    assert (pinned(found), state(found)) == (FIRST, ("held", "RegistryUnavailable"))
    assert "a mirror says that it moved" in str(following(found, failed=False)["message"])
    world.mirror = FIRST
    assert state(await world.looks(found)) == ("following", None), "what has not moved needs nobody's word"


async def test_a_tag_that_means_an_index_of_which_one_image_runs_by_its_own_digest_has_not_moved() -> None:
    world = World()
    world.means, world.own[SECOND] = SECOND, THIRD
    moved = await world.looks(shop())
    assert (pinned(moved), moved.resolved and moved.resolved.meant) == (THIRD, SECOND)
    rows = len(world.rows)
    for interval in (1, 2):
        world.at = MIDNIGHT + timedelta(seconds=300 * interval)
        assert await world.looks(moved) == moved
    assert len(world.rows) == rows
    world.means = FIRST
    back = await world.looks(moved)
    assert (pinned(back), state(back)) == (THIRD, ("held", "TagMovedBack"))
    fourth = f"{NAME}@sha256:{'4' * 64}"
    world.means = fourth
    again = await world.looks(moved)
    world.means = SECOND
    world.at += timedelta(seconds=300)
    assert state(await world.looks(again))[1] == "TagMovedBack", "where it came from is what the tag meant"


async def test_since_when_it_cannot_be_asked_is_said_and_goes_with_it() -> None:
    world = World()
    world.error = TransientError("RegistryUnavailable", "registry.example.com answered 503")
    found = await world.looks(shop())
    assert (pinned(found), state(found)) == (FIRST, ("held", "RegistryUnavailable"))
    world.at += timedelta(seconds=300)
    later = await world.looks(found)
    assert following(later, failed=False)["since"] == "2026-11-27T00:00:00Z"
    assert len(world.rows) == 1
    world.error = None
    assert state(await world.looks(later)) == ("following", None)


@pytest.mark.parametrize("why", ["ImageRefused", "ImageBlocked"])
async def test_what_must_not_run_here_changes_nothing_and_is_said(why: str) -> None:
    world = World()
    world.means = SECOND
    snapshot = shop()
    if why == "ImageRefused":
        world.architecture = "s390x"
    else:
        blocks = {"blocked_patterns": [f"*@{SECOND.partition('@')[2]}"], "enforcement": "all"}
        snapshot = shop(image_policy=blocks)
    found = await world.looks(snapshot)
    assert (pinned(found), state(found)) == (FIRST, ("held", why))


def test_what_fails_says_that_nothing_else_is_tried() -> None:
    assert state(shop(), failed=True) == ("failed", None)
