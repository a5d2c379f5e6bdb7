"""Database, Swarm and installation: what fits, what does not, and that nobody leads meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from controller.loop.config import LoopConfig
from controller.loop.election import Candidate
from controller.loop.identity import Identity, mismatch
from controller.loop.outside import Outside
from controller.records import Claim, Mark
from reconcilers.outcomes import TransientError
from reconcilers.ports import Options
from tests.unit.loop.parts import Nothing, Table

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


OURS = Claim("here", "db", "here", "swarm", "blue", None, 7)
NEW = Claim("here", None, None, None, None, None, 0)
MARK = Mark("db", 7)


@pytest.mark.parametrize(
    ("claim", "mark", "said"),
    [
        (OURS, MARK, ""),
        (OURS, None, ""),
        (OURS, Mark("db", 3), ""),
        (NEW, None, ""),
        (replace(OURS, installation="green"), MARK, "belongs to installation green"),
        (replace(OURS, cluster_id="other"), MARK, "belongs to Swarm other, and DOCKER_HOST leads to Swarm swarm"),
        (replace(OURS, place="there"), MARK, "this database is a copy: it was made in place there and is now in here"),
        (OURS, Mark("another", 3), "names database another, and this one is db"),
        (NEW, MARK, "names database db, and this one is a new one"),
        (OURS, Mark("db", 8), "of term 8, and this database has given out 7 at most"),
        (replace(OURS, accepted="another/3"), Mark("another", 3), ""),
        (replace(OURS, accepted="another/3"), Mark("another", 4), "names database another"),
    ],
)
def test_what_does_not_fit_is_said_with_what_was_found_where(claim: Claim, mark: Mark | None, said: str) -> None:
    found = mismatch(claim, mark, cluster_id="swarm", installation="blue")
    assert bool(found) == bool(said)
    assert said in found


@dataclass
class Sides:
    """Both sides, and a lease that is always free."""

    claim_: Claim = NEW
    mark: Mark | None = None
    away: bool = False
    name: str = "blue"
    seconds: float = 30.0
    epoch: int = 0
    trusted: bool = True
    trusted_seconds: float = 30.0
    written: list[Mark] = field(default_factory=list)
    leading: int = 0

    async def cluster_id(self) -> str:
        if self.away:
            raise TransientError("EngineUnavailable", "it is away")
        return "swarm"

    async def read_mark(self) -> Mark | None:
        return self.mark

    async def write(self, mark: Mark) -> None:
        self.mark = mark
        self.written.append(mark)

    async def read(self) -> Claim:
        return replace(self.claim_, epoch=max(self.epoch, self.claim_.epoch))

    async def claim(self, place: str, cluster_id: str, installation: str) -> str:
        if self.claim_.database_id is None:
            self.claim_ = Claim(place, "db", place, cluster_id, installation, None, 0)
        return self.claim_.database_id or ""

    async def acquire(self, silent: float | None = None) -> bool:
        self.epoch += 1
        self.leading += 1
        return True

    async def renew(self, silent: float | None = None) -> bool:
        return True

    async def release(self) -> None:
        self.leading -= 1


class Marks:
    """The Swarm's side of a place."""

    def __init__(self, place: Sides) -> None:
        self.cluster_id, self.read, self.write = place.cluster_id, place.read_mark, place.write


def process(place: Sides, stopping: anyio.Event) -> Candidate:
    async def listen(*_: Any) -> None:
        await anyio.sleep_forever()

    return Candidate(
        {},
        lease=place,
        outside=Outside(Table(), Nothing()),
        listen=listen,
        options=Options("blue"),
        tuning=LoopConfig(resync_seconds=0.05),
        stopping=stopping,
        identity=Identity(place, Marks(place), "blue"),
    )


async def until(true: Any) -> None:
    with anyio.fail_after(10):
        while not true():  # noqa: ASYNC110 - it is another task that decides
            await anyio.sleep(0.01)


async def test_the_first_leader_writes_both_sides_and_each_later_one_its_term() -> None:
    place = Sides()
    for term in (1, 2):
        stopping = anyio.Event()
        one = process(place, stopping)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(one.run)
            await until(lambda one=one: one.manager is not None)
            stopping.set()
        assert place.mark == Mark("db", term)
    assert (place.claim_.cluster_id, place.claim_.installation) == ("swarm", "blue")


async def test_where_it_does_not_fit_nobody_leads_until_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.loop.election._MISMATCH_SECONDS", 0.05)
    place, stopping = Sides(OURS, Mark("another", 9)), anyio.Event()
    one = process(place, stopping)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.run)
        await until(lambda: "names database another" in one.mismatch)
        await anyio.sleep(0.3)
        assert (one.manager, place.written, place.leading) == (None, [], 0)
        place.claim_ = replace(place.claim_, accepted="another/9")
        await until(lambda: one.manager is not None)
        assert (one.mismatch, place.mark) == ("", Mark("db", place.epoch))
        stopping.set()


async def test_a_leader_stops_when_it_is_not_right_any_more() -> None:
    place, stopping = Sides(), anyio.Event()
    one = process(place, stopping)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.run)
        await until(lambda: one.manager is not None)
        place.mark = Mark("db", 1000)
        await until(lambda: one.manager is None)
        await until(lambda: place.leading == 0)
        assert "an older copy" in one.mismatch
        stopping.set()


async def test_while_it_cannot_be_known_nobody_leads() -> None:
    place, stopping = Sides(away=True), anyio.Event()
    one = process(place, stopping)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(one.run)
        await until(lambda: place.epoch > 0)
        assert one.manager is None
        place.away = False
        await until(lambda: one.manager is not None)
        stopping.set()
