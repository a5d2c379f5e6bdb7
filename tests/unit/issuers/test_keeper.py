"""When issuers are asked for their keys, and how long what they said is believed."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import anyio
import pytest

from controller.access.issued_tokens import PublicKey
from controller.issuers.fetching import NoKeysError
from controller.issuers.keeper import AGAIN_SECONDS, FRESH_SECONDS, STALE_SECONDS, Keeper
from controller.issuers.published import keys
from tests.unit.access.issuing import AUDIENCE, ISSUER, jwk, published

OLD, NEW = keys(published(jwk())), keys(published(jwk("ES256", 1)))


class Issuer:
    """One that is asked, at a time that we say."""

    def __init__(self, *, away: bool = False) -> None:
        self.now, self.asked, self.away = 0.0, 0, away
        self.keys: Sequence[PublicKey] = OLD
        self.keeper = Keeper([ISSUER], AUDIENCE, self.ask, lambda: self.now)

    def ask(self, _issuer: str) -> tuple[PublicKey, ...]:
        self.asked += 1
        if self.away:
            raise NoKeysError("away")
        return tuple(self.keys)

    async def until(self, times: int) -> None:
        """That it was asked so often."""
        with anyio.fail_after(5):
            while self.asked < times:  # noqa: ASYNC110 - asked on a thread
                await anyio.sleep(0.01)

    def due(self) -> bool:
        return self.keeper._known[ISSUER].due(self.now)


@pytest.mark.anyio
async def test_keys_are_there_soon_and_asked_for_again_when_they_are_old() -> None:
    issuer = Issuer()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(issuer.keeper.run)
        await issuer.until(1)
        assert issuer.keeper.keys_of(ISSUER) == OLD
        issuer.keys, issuer.now = NEW, FRESH_SECONDS
        await issuer.until(2)
        assert issuer.keeper.keys_of(ISSUER) == NEW
        tasks.cancel_scope.cancel()


@pytest.mark.anyio
async def test_an_issuer_that_does_not_end_its_answer_keeps_no_other_from_being_asked() -> None:
    ended, asked, now = threading.Event(), list[str](), [0.0]

    def ask(issuer: str) -> tuple[PublicKey, ...]:
        asked.append(issuer)
        if issuer == "https://slow.example":
            ended.wait(30)
        return OLD

    keeper = Keeper(["https://slow.example", ISSUER], AUDIENCE, ask, lambda: now[0])
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(keeper.run)
        try:
            with anyio.fail_after(10):
                for times in (1, 2):
                    while asked.count(ISSUER) < times:  # noqa: ASYNC110 - asked on a thread
                        await anyio.sleep(0.01)
                    now[0] += FRESH_SECONDS
            assert asked.count("https://slow.example") == 1
        finally:
            ended.set()
        tasks.cancel_scope.cancel()


def test_a_name_that_is_not_there_has_it_asked_at_once_and_not_too_often() -> None:
    issuer = Issuer()
    issuer.keeper.look(ISSUER)
    assert not issuer.due()
    issuer.keeper.missed(ISSUER)
    issuer.now = AGAIN_SECONDS - 1
    assert not issuer.due()
    issuer.now = AGAIN_SECONDS
    assert issuer.due()
    issuer.keeper.look(ISSUER)
    assert not issuer.due()
    issuer.keeper.missed("https://evil.example")
    assert not issuer.keeper.trusts("https://evil.example")


def test_what_was_known_of_an_issuer_that_is_away_is_good_for_a_day() -> None:
    issuer = Issuer()
    issuer.keeper.look(ISSUER)
    issuer.away = True
    issuer.now = STALE_SECONDS
    with pytest.raises(NoKeysError):
        issuer.keeper.look(ISSUER)
    assert issuer.keeper.keys_of(ISSUER) == OLD
    issuer.now += 1
    assert issuer.keeper.keys_of(ISSUER) == ()
    issuer.away = False
    issuer.keeper.look(ISSUER)
    assert issuer.keeper.keys_of(ISSUER) == OLD
    assert issuer.keeper.keys_of("https://evil.example") == ()
