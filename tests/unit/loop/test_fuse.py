"""The fuse's judgement: what is too much, what counts together, and that one look serves all who ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from controller.kit import clock
from controller.loop.gates.fuse import WINDOW_SECONDS, Amount, Fuse, FuseTrippedError, HiddenRowsError, Peak, too_much
from controller.records import Assessment, Holdings, Key, Loss
from reconcilers.outcomes import ConflictError

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def keys(count: int) -> list[Key]:
    return [Key("environment", str(number)) for number in range(count)]


@dataclass
class Books:
    """A store that is asked, and a Swarm that holds one object of each key."""

    live: list[Key]
    lost: dict[Key, Loss] = field(default_factory=dict)
    hidden: str = ""
    tripped: bool = False
    recorded: dict[Key, Loss] = field(default_factory=dict)
    asked: int = 0
    writes: int = 0

    def lose(self, *lost: Key, why: str = "deleted") -> None:
        self.lost |= {key: Loss(why, 1, 0, 0) for key in lost}

    def go(self, *gone: Key) -> None:
        self.live = [key for key in self.live if key not in gone]
        self.lost = {key: loss for key, loss in self.lost.items() if key not in gone}

    def confirm(self, *chosen: Key) -> None:
        self.lost |= {key: self.lost[key]._replace(confirmed=True) for key in chosen}

    def amounts(self) -> tuple[int, int, int]:
        return len(self.live), 0, 0

    async def holdings(self) -> Holdings:
        return Holdings(dict.fromkeys(self.live, 1))

    async def assess_losses(self, holdings: Holdings) -> Assessment:
        self.asked += 1
        found = Assessment(self.tripped, self.hidden, len(self.recorded), dict(self.lost))
        await anyio.lowlevel.checkpoint()
        return found

    async def record_losses(self, waiting: Mapping[Key, Loss], *, tripped: bool, live: int) -> None:
        self.writes += 1
        self.recorded, self.tripped = dict(waiting), tripped


def fuse(books: Any) -> Fuse:
    return Fuse(books, books, share=0.25, minimum=10)


@pytest.mark.parametrize(
    ("lost", "live", "most", "much"),
    [
        (10, 10, 10, False),
        (11, 11, 11, True),
        (25, 100, 100, False),
        (26, 100, 100, True),
        (1, 75, 100, True),
        (1, 76, 100, False),
        (0, 10, 100, False),
    ],
)
def test_too_much_is_more_than_the_minimum_and_the_share_of_what_lived(
    lost: int, live: int, most: int, much: bool
) -> None:
    for place in range(3):
        amounts = [Amount(*(number if at == place else 0 for at in range(3))) for number in (lost, live, most)]
        assert too_much(*amounts, share=0.25, minimum=10) is much


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    return now


def test_the_peak_is_forgotten_after_the_window(time: list[float]) -> None:
    peak = Peak()
    for at, amount in ((0.0, 100), (1.0, 90), (2.0, 95), (WINDOW_SECONDS, 50)):
        time[0] = at
        peak.see(Amount(amount, 0, amount))
        assert peak() == Amount(100, 0, 100)
    time[0] += 1.5
    peak.see(Amount(50, 0, 50))
    assert peak() == Amount(95, 0, 95)


async def test_few_that_were_deleted_go_and_one_that_is_absent_waits() -> None:
    deleted, absent, *_ = all_ = keys(5)
    books = Books(all_)
    books.lose(deleted)
    books.lose(absent, why="absent")
    judge = fuse(books)
    await judge.removal(deleted)
    with pytest.raises(FuseTrippedError, match="nobody deleted it"):
        await judge.removal(absent)
    assert books.recorded.keys() == {absent}
    assert not books.tripped
    books.confirm(absent)
    judge.changed()
    await judge.removal(absent)


async def test_it_closes_when_what_was_confirmed_is_gone_and_asks_nobody_before() -> None:
    absent, *_ = all_ = keys(5)
    books = Books(all_)
    books.lose(absent, why="absent")
    judge = fuse(books)
    with pytest.raises(FuseTrippedError):
        await judge.removal(absent)
    looks = books.asked
    await judge.settled()
    assert books.asked == looks, "it waits for a person"
    books.confirm(absent)
    judge.changed()
    await judge.removal(absent)
    books.go(absent)
    await judge.settled()
    assert books.recorded == {}
    looks = books.asked
    await judge.settled()
    assert books.asked == looks


async def test_what_the_look_knows_as_wanted_is_not_removed() -> None:
    books = Books(keys(5))
    with pytest.raises(ConflictError):
        await fuse(books).removal(books.live[0])
    await fuse(books).reduction(books.live[0])


async def test_where_rows_may_be_hidden_nothing_goes_and_nothing_is_recorded() -> None:
    books = Books(keys(50), hidden="organizations")
    books.lose(*books.live)
    with pytest.raises(HiddenRowsError, match="organizations"):
        await fuse(books).removal(books.live[0])
    assert books.writes == 0


async def test_one_look_serves_all_who_ask() -> None:
    all_ = keys(1000)
    books = Books(all_)
    books.lose(*all_)
    judge = fuse(books)
    for key in all_:
        with pytest.raises(FuseTrippedError):
            await judge.removal(key)
    assert books.asked <= 2
    assert books.writes == 1
    assert books.recorded.keys() == set(all_)


async def test_a_trip_outlasts_the_share_and_the_process_and_ends_when_nothing_waits() -> None:
    all_ = keys(60)
    books = Books(all_)
    books.lose(*all_)
    with pytest.raises(FuseTrippedError):
        await fuse(books).removal(all_[0])
    books.lost = {key: books.lost[key] for key in all_[:3]}  # the others were written back
    judge = fuse(books)
    with pytest.raises(FuseTrippedError):
        await judge.removal(all_[0])
    books.confirm(all_[0])
    judge.changed()
    await judge.removal(all_[0])
    with pytest.raises(FuseTrippedError):
        await judge.removal(all_[1])
    books.confirm(*all_[1:3])
    await judge.compared(deep=False)
    assert not books.tripped
    await judge.removal(all_[1])
    assert books.recorded.keys() == set(all_[:3]), "a confirmation stays until what it is about is gone"


async def test_slices_within_the_window_count_together() -> None:
    all_ = keys(40)
    books = Books(all_)
    judge = fuse(books)
    gone = 0
    for key in all_:
        books.lose(key)
        try:
            await judge.removal(key)
        except FuseTrippedError:
            break
        books.go(key)
        gone += 1
    assert gone == 10
