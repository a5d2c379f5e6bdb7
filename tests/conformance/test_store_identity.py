"""The database's side of the identity: made once, by a leader, and kept."""

from __future__ import annotations

import pytest

from controller.records import Claim
from reconcilers.outcomes import FencedError
from tests.conformance.store_world import StoreWorld

pytestmark = pytest.mark.anyio


async def test_what_was_never_claimed_says_only_where_it_is(store_world: StoreWorld) -> None:
    async with store_world.process() as one:
        found = await one.register.read()
        assert found == Claim(found.here, None, None, None, None, None, 0)
        assert "/" in found.here


async def test_the_first_leader_claims_it_and_a_later_one_finds_it(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        here = (await one.register.read()).here
        first = await one.register.claim(here, "swarm", "blue")
        assert await one.register.claim("there", "another", "green") == first
        found = await one.register.read()
        assert found == Claim(here, first, here, "swarm", "blue", None, one.lease.epoch)


async def test_who_does_not_lead_claims_nothing(store_world: StoreWorld) -> None:
    async with store_world.process() as one:
        with pytest.raises(FencedError):
            await one.register.claim("here", "swarm", "blue")
        assert (await one.register.read()).database_id is None
