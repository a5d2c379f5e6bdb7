"""What a tag means now: one request without a body, shared, bounded, and not before the registry wants to be asked."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import anyio
import pytest

from controller.kit import clock
from controller.registry.addresses import Reach
from controller.registry.images import RegistryImages
from controller.registry.newest import MOST_ASKING, Newest
from controller.registry.session import unavailable
from controller.registry.wire import Answer
from reconcilers.images import Meaning
from reconcilers.outcomes import TerminalError, TransientError
from tests.registry.engine import StandIn, inspected
from tests.registry.internet import IMAGE, REGISTRY, Internet, Request, digest, reply
from tests.registry.real import RealRegistry

pytestmark = pytest.mark.anyio


class Hands:
    """A clock that goes when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(clock, "monotonic", lambda: self.now)


@pytest.fixture
def hands(monkeypatch: pytest.MonkeyPatch) -> Hands:
    return Hands(monkeypatch)


async def test_a_real_registry_says_what_a_tag_means_and_that_it_moved(registry: RealRegistry) -> None:
    images = RegistryImages(StandIn(), Reach(allowed=("127.0.0.1:*",)))
    reference, name = f"{registry.host}/followed:1", f"{registry.host}/followed"
    first = registry.push("followed", "1", {"Cmd": ["one"]})
    assert await images.newest(reference, "a") == Meaning(f"{name}@{first['digest']}")
    second = registry.push("followed", "1", {"Cmd": ["two"]})
    assert await images.newest(reference, "a") == Meaning(f"{name}@{second['digest']}")
    facts = await images.look_up(f"{name}@{second['digest']}", "a")
    assert facts.cmd == ("two",)
    with pytest.raises(TerminalError, match="is not there"):
        await images.newest(f"{name}:2", "a")


async def test_one_request_without_a_body_is_all_that_it_takes(internet: Internet) -> None:
    found = await internet.images().newest(IMAGE, "a")
    assert found == Meaning(f"{REGISTRY}/team/app@{digest(internet.server.manifest_body)}")
    assert [(asked.method, asked.path) for asked in internet.server.asked] == [("HEAD", "/v2/team/app/manifests/1")]


async def test_a_registry_that_does_not_know_such_requests_is_asked_for_the_manifest(internet: Internet) -> None:
    internet.server.says = lambda request: reply(405) if request.method == "HEAD" else None
    found = await internet.images().newest(IMAGE, "a")
    assert found == Meaning(f"{REGISTRY}/team/app@{digest(internet.server.manifest_body)}")


async def test_many_that_follow_a_tag_share_an_answer_for_a_while_be_it_none(internet: Internet, hands: Hands) -> None:
    images, asked = internet.images(), internet.server.asked
    for _ in range(100):
        await images.newest(IMAGE, "a", within_seconds=150)
    assert len(asked) == 1
    hands.now += 151
    internet.server.says = lambda _: reply(404)
    for _ in range(100):
        with pytest.raises(TerminalError, match="is not there"):
            await images.newest(IMAGE, "a", within_seconds=150)
    assert len(asked) == 2
    with pytest.raises(TerminalError):
        await images.newest(IMAGE, "a")
    assert len(asked) == 3, "whoever wants to know it now is told what is so now"


@pytest.mark.parametrize("form", ["seconds", "date"])
async def test_a_registry_that_counts_is_left_alone_as_long_as_it_says(
    internet: Internet, hands: Hands, form: str
) -> None:
    images, asked = internet.images(), internet.server.asked
    after = "7200" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=7201), usegmt=True)
    internet.server.says = lambda _: reply(429, retry_after=after)
    with pytest.raises(TransientError, match="429"):
        await images.newest(IMAGE, "a")
    hands.now += 7000
    internet.server.says = lambda _: None
    with pytest.raises(TransientError, match="429"):
        await images.newest(IMAGE, "a")
    assert len(asked) == 1
    assert (await images.look_up(IMAGE, "a")).cmd == ("x",), "a new image waits five minutes at most"
    hands.now += 300
    assert await images.newest(IMAGE, "a")


async def test_a_slow_registry_takes_few_workers_and_the_others_are_told_to_come_again(internet: Internet) -> None:
    images, told = internet.images(), []

    def slow(request: Request) -> bytes:
        held.wait(10)
        return internet.server.honest(request)

    held = threading.Event()
    internet.server.says = slow

    async def one(number: int) -> None:
        told.append(await images.newest(f"{REGISTRY}/team/app:1", f"o{number}"))

    async with anyio.create_task_group() as tasks:
        for number in range(MOST_ASKING + 5):
            tasks.start_soon(one, number)
        await anyio.wait_all_tasks_blocked()
        assert told == [None] * 5
        held.set()
    assert told[5:] == [Meaning(f"{REGISTRY}/team/app@{digest(internet.server.manifest_body)}")] * MOST_ASKING


async def test_what_was_never_pushed_is_the_engine_s_and_nobody_is_asked(internet: Internet) -> None:
    engine = StandIn({IMAGE: inspected(IMAGE)})
    assert await internet.images(engine=engine).newest(IMAGE, "a") == Meaning(IMAGE)
    assert not internet.server.asked


async def test_what_a_registry_says_of_one_user_s_patience_holds_back_nobody_else(hands: Hands) -> None:
    newest, asked = Newest(), []

    async def refused() -> Meaning:
        asked.append("mallory")
        raise unavailable("ghcr.io", Answer(429, [("retry-after", "86400")]), "answered 429")

    async def answered() -> Meaning:
        return Meaning("ghcr.io/alice/app@sha256:1")

    for _ in range(2):
        with pytest.raises(TransientError):
            await newest.of("ghcr.io", ("mallory/app:1", "mallory"), 0, refused, user="mallory")
    assert asked == ["mallory"]
    assert await newest.of("ghcr.io", ("alice/app:1", "alice"), 0, answered, user="alice")


async def test_a_failure_that_passes_is_told_for_a_minute_at_most(hands: Hands) -> None:
    newest, asked = Newest(), []

    async def fails() -> Meaning:
        asked.append(hands.now)
        raise unavailable("ghcr.io", Answer(503, []), "answered 503")

    for seconds in (0, 30, 31):
        hands.now += seconds
        with pytest.raises(TransientError):
            await newest.of("ghcr.io", "app:1", 43_200, fails)
    assert asked == [1000.0, 1061.0]
