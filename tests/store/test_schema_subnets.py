"""The address plan: lowest free subnet, no overlaps, quarantine, and many callers at once."""

from __future__ import annotations

import ipaddress
import os
import random
import threading
from collections.abc import Iterator
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.postgres import Server
from tests.store.conftest import Database


@pytest.fixture(scope="module")
def connection(server: Server) -> Iterator[psycopg.Connection]:
    """One for all examples of a property."""
    name = f"test_{os.getpid()}_subnets"
    server.create_database(name)
    with server.connect("controller", name) as conn:
        yield conn
    server.drop_database(name)


def allocate(
    database: Database,
    organization: UUID,
    *,
    pool: str = "10.8.0.0/16",
    prefix: int = 24,
    excluded: list[str] | None = None,
    quarantine: str = "1 hour",
) -> str | None:
    value = database.one(
        "SELECT skypanel.allocate_subnet(%s, %s, %s, %s::cidr[], %s)::text",
        organization,
        pool,
        prefix,
        excluded or [],
        quarantine,
        role="controller",
    )
    assert value is None or isinstance(value, str)
    return value


def release(database: Database, organization: UUID) -> None:
    database.execute("SELECT skypanel.release_subnet(%s)", organization, role="controller")


def test_the_lowest_free_one_is_given_and_given_again_to_the_same(database: Database) -> None:
    first, second = uuid4(), uuid4()
    assert allocate(database, first) == "10.8.0.0/24"
    assert allocate(database, second) == "10.8.1.0/24"
    assert allocate(database, first, prefix=20) == "10.8.0.0/24"


def test_what_is_excluded_is_not_given_whatever_its_size(database: Database) -> None:
    excluded = ["10.8.0.0/23", "10.8.2.128/25", "10.0.0.0/13", "192.168.0.0/16"]
    assert allocate(database, uuid4(), excluded=excluded) == "10.8.3.0/24"


def test_sizes_are_mixed_without_overlap_and_gaps_are_filled(database: Database) -> None:
    assert allocate(database, uuid4(), prefix=28) == "10.8.0.0/28"
    assert allocate(database, uuid4(), prefix=22) == "10.8.4.0/22"
    assert allocate(database, uuid4(), prefix=24) == "10.8.1.0/24"
    assert allocate(database, uuid4(), prefix=28) == "10.8.0.16/28"


def test_a_released_one_rests_before_it_is_given_again(database: Database) -> None:
    first = uuid4()
    allocate(database, first)
    release(database, first)
    assert allocate(database, uuid4()) == "10.8.1.0/24"
    assert allocate(database, uuid4(), quarantine="0 s") == "10.8.0.0/24"
    release(database, uuid4())


def test_a_used_up_pool_gives_null(database: Database) -> None:
    assert allocate(database, uuid4(), pool="10.9.0.0/24", prefix=25) == "10.9.0.0/25"
    assert allocate(database, uuid4(), pool="10.9.0.0/24", prefix=25) == "10.9.0.128/25"
    assert allocate(database, uuid4(), pool="10.9.0.0/24", prefix=25) is None


def test_the_ends_of_the_address_space_are_no_special_case(database: Database) -> None:
    assert allocate(database, uuid4(), pool="0.0.0.0/0", prefix=16, excluded=["0.0.0.0/8"]) == "1.0.0.0/16"
    assert allocate(database, uuid4(), pool="255.255.255.0/24", prefix=25) == "255.255.255.0/25"
    assert allocate(database, uuid4(), pool="255.255.255.0/24", prefix=25) == "255.255.255.128/25"
    assert allocate(database, uuid4(), pool="255.255.255.0/24", prefix=25) is None


def test_a_size_that_does_not_fit_the_pool_is_refused(database: Database) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="a /15 network does not fit into the pool"):
        allocate(database, uuid4(), prefix=15)


def test_overlaps_are_refused_by_the_table_itself(database: Database) -> None:
    allocate(database, uuid4())
    with pytest.raises(psycopg.errors.ExclusionViolation, match="subnets_no_overlap"):
        database.execute(
            "INSERT INTO skypanel.subnets (subnet, state) VALUES ('10.8.0.128/25', 'reserved')",
            role="controller",
        )


def test_callers_at_the_same_time_get_different_ones(database: Database) -> None:
    given_out: list[str] = []

    def call() -> None:
        with database.connect("controller") as conn:
            for _ in range(10):
                row = conn.execute(
                    "SELECT skypanel.allocate_subnet(%s, '10.8.0.0/16', 24, '{}', '1 hour')::text", [uuid4()]
                ).fetchone()
                given_out.append(row[0] if row else "")

    threads = [threading.Thread(target=call) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(given_out, key=ipaddress.ip_network) == [f"10.8.{n}.0/24" for n in range(60)]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), prefix=st.integers(26, 30), count=st.integers(0, 40))
def test_the_search_agrees_with_trying_each_in_turn(
    connection: psycopg.Connection, seed: int, prefix: int, count: int
) -> None:
    chance = random.Random(seed)
    pool = ipaddress.ip_network("10.0.0.0/25")
    taken = [
        ipaddress.ip_network(
            (int(pool.network_address) - 64 + chance.randrange(256), chance.randint(27, 32)), strict=False
        )
        for _ in range(count)
    ]
    wanted = next((net for net in pool.subnets(new_prefix=prefix) if not any(net.overlaps(t) for t in taken)), None)
    row = connection.execute(
        "SELECT skypanel.lowest_free_subnet(%s, %s, %s::cidr[])::text",
        [str(pool), prefix, [str(t) for t in taken]],
    ).fetchone()
    assert row == (str(wanted) if wanted else None,)
