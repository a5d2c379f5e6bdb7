"""The address plan: lowest free subnet, the same one again, excluded ranges, quarantine, a used-up pool."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from tests.conformance.store_world import Contender, StoreWorld

pytestmark = pytest.mark.anyio

POOL = "10.64.0.0/22"


def organization(number: int) -> str:
    return str(UUID(int=(1 << 100) + number))


async def allocate(
    one: Contender, number: int, *taken: str, prefix: int = 24, quarantine: float = 600.0, pool: str = POOL
) -> str | None:
    return await one.store.allocate_subnet(organization(number), pool, prefix, taken, quarantine)


async def test_the_lowest_free_one_is_given_and_given_again_to_the_same(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        assert await allocate(one, 1) == "10.64.0.0/24"
        assert await allocate(one, 2) == "10.64.1.0/24"
        before = store_world.tables.written()
        assert await allocate(one, 1, prefix=23) == "10.64.0.0/24", "what it has, whatever is asked for"
        assert store_world.tables.written() == before
    assert store_world.tables.subnets() == {
        "10.64.0.0/24": (organization(1), "allocated"),
        "10.64.1.0/24": (organization(2), "allocated"),
    }


async def test_what_is_excluded_is_not_given_whatever_its_size_or_family(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        taken = ("10.64.0.0/25", "10.64.1.128/25", "10.0.0.0/13", "192.168.0.0/16", "fd00::/8")
        assert await allocate(one, 1, *taken) == "10.64.2.0/24"
        assert await allocate(one, 2, "10.0.0.0/8") is None


async def test_what_is_taken_by_another_network_rests_and_another_is_given(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await allocate(one, 1)
        assert await allocate(one, 1, "10.64.0.128/25") == "10.64.1.0/24"
        assert await allocate(one, 2) == "10.64.2.0/24"
    assert store_world.tables.subnets()["10.64.0.0/24"] == (None, "quarantined")


async def test_a_taken_one_is_given_up_also_when_there_is_no_other(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await allocate(one, 1, pool="10.64.0.0/24")
        assert await allocate(one, 1, "10.64.0.0/16", pool="10.64.0.0/24") is None
    assert store_world.tables.subnets() == {"10.64.0.0/24": (None, "quarantined")}


async def test_sizes_are_mixed_without_overlap_and_gaps_are_filled(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        given_out = [await allocate(one, number, prefix=size) for number, size in enumerate((28, 23, 24, 28))]
    assert given_out == ["10.64.0.0/28", "10.64.2.0/23", "10.64.1.0/24", "10.64.0.16/28"]


async def test_a_released_one_rests_before_it_is_given_again(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        await allocate(one, 1)
        await one.store.release_subnet(organization(1))
        await one.store.release_subnet(organization(1))
        assert await allocate(one, 1) == "10.64.1.0/24"
        assert await allocate(one, 2, prefix=25, quarantine=0) == "10.64.0.0/25"
    assert store_world.tables.subnets() == {
        "10.64.0.0/25": (organization(2), "allocated"),
        "10.64.1.0/24": (organization(1), "allocated"),
    }


async def test_a_used_up_pool_gives_none(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        for number in range(4):
            assert await allocate(one, number) == f"10.64.{number}.0/24"
        assert await allocate(one, 4) is None
        await one.store.release_subnet(organization(2))
        assert await allocate(one, 4) is None, "the released one rests in quarantine"
        assert await allocate(one, 4, quarantine=0) == "10.64.2.0/24"


@pytest.mark.parametrize(("pool", "prefix"), [(POOL, 21), (POOL, 31), ("fd00::/64", 28)])
async def test_a_size_that_does_not_fit_the_pool_is_refused(store_world: StoreWorld, pool: str, prefix: int) -> None:
    async with store_world.leader() as one:
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="does not fit into the pool"):
            await allocate(one, 1, prefix=prefix, pool=pool)


async def test_what_is_no_network_is_refused(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        for text in ("10.64.0.1/24", "here"):
            with pytest.raises(psycopg.errors.InvalidTextRepresentation):
                await allocate(one, 1, text)


async def adopt(one: Contender, number: int, subnet: str, instead_of: int | None = None) -> str | None:
    return await one.store.adopt_subnet(
        organization(number), subnet, organization(instead_of) if instead_of is not None else None
    )


async def test_the_plan_follows_a_live_network(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        assert await adopt(one, 1, "10.99.0.0/24") is None, "it was in no plan"
        assert await adopt(one, 1, "10.99.0.0/24") is None
        assert await allocate(one, 2) == "10.64.0.0/24"
        assert await adopt(one, 2, "10.64.0.0/23") is None, "its own row gives way, also where they overlap"
        await one.store.release_subnet(organization(1))
        assert await adopt(one, 3, "10.99.0.0/24") is None, "what rests is taken out of quarantine"
    assert store_world.tables.subnets() == {
        "10.64.0.0/23": (organization(2), "allocated"),
        "10.99.0.0/24": (organization(3), "allocated"),
    }


async def test_what_is_somebody_else_s_in_the_plan_is_left_and_named(store_world: StoreWorld) -> None:
    async with store_world.leader() as one:
        assert await allocate(one, 1) == "10.64.0.0/24"
        assert await allocate(one, 2) == "10.64.1.0/24"
        before = store_world.tables.subnets()
        assert await adopt(one, 2, "10.64.0.0/24") == f"organization {organization(1)}"
        assert await adopt(one, 2, "10.64.0.0/24", 3) == f"organization {organization(1)}"
        assert store_world.tables.subnets() == before
        assert await adopt(one, 2, "10.64.0.0/24", 1) is None
    assert store_world.tables.subnets() == {
        "10.64.0.0/24": (organization(2), "allocated"),
        "10.64.1.0/24": (None, "quarantined"),
    }
