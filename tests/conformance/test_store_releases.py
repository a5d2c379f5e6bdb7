"""Releases as a process makes and reads them: one for each other content, with the config vars that it had."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.loop.config_vars import StoredConfigVars
from controller.loop.releases import StoredReleases
from controller.records import Key, Loaded
from controller.store.state import RELEASES
from reconcilers.outcomes import ConflictError
from specs.releases import Release, release_of
from specs.snapshots import EnvironmentSnapshot
from tests.conformance.store_world import Contender, StoreWorld
from tests.sim.database.config import VAULT

pytestmark = pytest.mark.anyio


@pytest.fixture
def web(store_world: StoreWorld) -> Key:
    return store_world.declare.environment(store_world.declare.organization("acme"), "production")


def read(loaded: Loaded) -> EnvironmentSnapshot:
    assert loaded.document is not None
    return EnvironmentSnapshot.model_validate(loaded.document)


async def make(one: Contender, web: Key) -> int:
    """The release of what is declared."""
    loaded = await one.store.load(web)
    snapshot = read(loaded)
    release = release_of(snapshot, snapshot.image_ref or "")
    return (await StoredReleases(one.store).make(web.id, loaded.generation, release)).version


async def test_each_other_content_is_another_release_and_the_same_is_the_same(
    store_world: StoreWorld, web: Key
) -> None:
    async with store_world.leader() as one:
        assert [await make(one, web), await make(one, web)] == [1, 1]
        store_world.declare.change(web, instances=3)
        assert await make(one, web) == 1
        store_world.declare.change(web, image_ref="web:2")
        assert await make(one, web) == 2
        store_world.declare.change(web, image_ref="web:1")
        assert await make(one, web) == 3
        newest = read(await one.store.load(web)).release
        assert newest is not None
        assert (newest.version, newest.deployed) == (3, False)
        await one.store.release_deployed(web.id, 3)
        await one.store.release_deployed(web.id, 3)
        newest = read(await one.store.load(web)).release
        assert newest is not None
        assert newest.deployed


async def test_what_is_out_of_date_is_no_release(store_world: StoreWorld, web: Key) -> None:
    async with store_world.leader() as one:
        await make(one, web)
        loaded = await one.store.load(web)
        release = Release("web:9", {"image_ref": "web:9"}, (), None, None)
        assert await one.store.make_release(web.id, loaded.generation - 1, release) is None
        assert await one.store.make_release(web.id, loaded.generation, replace(release, config="0" * 32)) is None
        with pytest.raises(ConflictError, match="read again"):
            await StoredReleases(one.store).make(web.id, loaded.generation + 1, release)
        assert await one.store.make_release(Key("environment", "f" * 8 + web.id[8:]).id, 1, release) is None
        assert await one.store.make_release(web.id, loaded.generation, release) == 2


async def test_a_named_release_runs_with_its_settings_processes_and_values(store_world: StoreWorld, web: Key) -> None:
    declare = store_world.declare
    declare.change(web, cmd=["serve"], tmpfs_paths=[], port=9000)
    declare.process(web, "web", args=["--fast"], instances=2)
    declare.config(web, {"A": b"one", "B": b"file"}, files=["B"])
    async with store_world.leader() as one:
        first = read(await one.store.load(web))
        assert await make(one, web) == 1
        declare.config(web, {"A": b"two"})
        declare.change(web, image_ref="web:2", cmd=None, tmpfs_paths=["/tmp"], instances=7)
        assert await make(one, web) == 2
        declare.name_release(web, 1)
        pinned = read(await one.store.load(web))
        same = {"id", "release", "pinned", "instances"}
        assert pinned.model_dump(exclude=same) == first.model_dump(exclude=same)
        assert pinned.instances == 7
        assert pinned.config is not None
        values = await StoredConfigVars(one.store, VAULT).values(web.id, pinned.config.digest)
        assert {v.name: (v.value, v.as_file) for v in values} == {"A": (b"one", False), "B": (b"file", True)}
        assert await make(one, web) == 3
        declare.name_release(web, None)
        assert read(await one.store.load(web)).image_ref == "web:2"
        assert await make(one, web) == 4


async def test_no_more_than_so_many_are_kept_and_the_one_that_is_named(store_world: StoreWorld, web: Key) -> None:
    async with store_world.leader() as one:
        assert await make(one, web) == 1
        store_world.declare.name_release(web, 1)
        loaded = await one.store.load(web)
        for number in range(RELEASES + 3):
            release = Release(f"web:{number}", {"image_ref": f"web:{number}"}, (), None, None)
            assert await one.store.make_release(web.id, loaded.generation, release) == number + 2
        assert read(await one.store.load(web)).image_ref == "web:1"


async def test_the_last_one_that_ran_stays_however_many_follow_that_never_did(
    store_world: StoreWorld, web: Key
) -> None:
    async with store_world.leader() as one:
        assert await make(one, web) == 1
        await one.store.release_deployed(web.id, 1)
        loaded = await one.store.load(web)
        for number in range(RELEASES + 3):
            release = Release(f"web:{number}", {"image_ref": f"web:{number}"}, (), None, None)
            assert await one.store.make_release(web.id, loaded.generation, release) == number + 2
        store_world.declare.name_release(web, 1)
        assert read(await one.store.load(web)).image_ref == "web:1"


async def test_a_document_has_what_images_go_by_of_the_releases_that_may_serve(
    store_world: StoreWorld, web: Key
) -> None:
    async def images(one: Contender) -> list[tuple[str, tuple[str, ...] | None]]:
        newest = read(await one.store.load(web)).release
        assert newest is not None
        return [(each.image, each.digests) for each in newest.images or ()]

    async with store_world.leader() as one:
        loaded = await one.store.load(web)
        for number in range(1, 15):
            facts = {"reference": "web", "pinned": f"web@{number}", "architecture": "amd64", "digests": [str(number)]}
            release = Release(f"web:{number}", {"cmd": [str(number)]}, (), None, facts if number != 3 else None)
            assert await one.store.make_release(web.id, loaded.generation, release) == number
            if number == 1:
                assert await images(one) == [("web:1", ("1",))], "it never ran, and may"
            if number in {1, 2}:
                await one.store.release_deployed(web.id, number)
                assert await images(one) == [(f"web:{number}", (str(number),))], "it alone serves"
            if number == 4:
                assert await images(one) == [("web:4", ("4",)), ("web:3", None), ("web:2", ("2",))]
        newest = [(f"web:{number}", (str(number),)) for number in range(14, 5, -1)]
        assert await images(one) == [*newest, ("web:2", ("2",))], "so many, and the one that ran"


async def test_a_command_begins_until_it_has_ended_and_what_ended_well_stays_so(
    store_world: StoreWorld, web: Key
) -> None:
    async def command(one: Contender) -> tuple[int, int | None, str | None, bool]:
        newest = read(await one.store.load(web)).release
        assert newest is not None
        found = newest.command
        return found.tries, found.exit_code, found.failure, found.succeeded

    async with store_world.leader() as one:
        version = await make(one, web)
        assert await command(one) == (0, None, None, False)
        assert [await one.store.release_command_begins(web.id, version, tries) for tries in (0, 0, 1)] == [
            True,
            True,
            False,
        ]
        await one.store.release_command_ended(web.id, version, 0, 3, "it ended with exit code 3")
        assert await command(one) == (0, 3, "it ended with exit code 3", False)
        assert not await one.store.release_command_begins(web.id, version, 0)
        await one.store.release_command_again(web.id, version, 0)
        await one.store.release_command_again(web.id, version, 0)
        assert await command(one) == (1, None, None, False)
        await one.store.release_command_ended(web.id, version, 0, 0, "")
        assert await command(one) == (1, None, None, False), "of another try"
        await one.store.release_command_ended(web.id, version, 1, 0, "")
        await one.store.release_command_ended(web.id, version, 1, 3, "it ended with exit code 3")
        await one.store.release_command_again(web.id, version, 1)
        assert await command(one) == (1, 0, None, True)
        assert not await one.store.release_command_begins(web.id, version, 1)


async def test_no_command_begins_of_a_release_that_is_not_the_newest_or_has_run(
    store_world: StoreWorld, web: Key
) -> None:
    async with store_world.leader() as one:
        first = await make(one, web)
        store_world.declare.change(web, image_ref="web:2")
        second = await make(one, web)
        assert not await one.store.release_command_begins(web.id, first, 0)
        assert await one.store.release_command_begins(web.id, second, 0)
        await one.store.release_deployed(web.id, second)
        assert not await one.store.release_command_begins(web.id, second, 0)
