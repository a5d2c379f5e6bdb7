"""Config vars as a process reads them: ciphertext of what is set now, under the digest that the document has."""

from __future__ import annotations

import pytest

from controller.loop.config_vars import StoredConfigVars
from controller.records import Key
from controller.vault.sealed import SealedSet
from controller.vault.vault import Vault
from reconcilers.config_vars import ConfigValue
from reconcilers.outcomes import ConflictError, NotReadyError, TerminalError
from specs.snapshots import EnvironmentSnapshot
from tests.conformance.store_world import Contender, StoreWorld
from tests.sim.database.config import VAULT

pytestmark = pytest.mark.anyio


@pytest.fixture
def web(store_world: StoreWorld) -> Key:
    return store_world.declare.environment(store_world.declare.organization("acme"), "production")


async def digest_of(one: Contender, web: Key) -> str:
    document = (await one.store.load(web)).document
    assert document is not None
    found = EnvironmentSnapshot.model_validate(document).config
    return found.digest if found else ""


async def test_values_come_by_name_under_the_digest_of_the_document(store_world: StoreWorld, web: Key) -> None:
    store_world.declare.config(web, {"b": b"", "A": b"one\n\xff", "_C": b"c"}, files=["_C"])
    async with store_world.process() as one:
        found = await StoredConfigVars(one.store, VAULT).values(web.id, await digest_of(one, web))
        document = (await one.store.load(web)).document
    assert found == [ConfigValue("A", b"one\n\xff"), ConfigValue("_C", b"c", as_file=True), ConfigValue("b", b"")]
    assert document is not None
    assert (document["config"]["variables"], document["config"]["files"]) == (3, ["_C"])
    assert "one" not in repr(found)


async def test_nothing_is_set_and_nobody_is_there(store_world: StoreWorld, web: Key) -> None:
    async with store_world.process() as one:
        assert await digest_of(one, web) == ""
        assert await one.store.config_values(web.id, "") == SealedSet(None)
        assert await one.store.config_values(str(Key("environment", "0" * 8 + web.id[8:]).id), "") == SealedSet(None)


async def test_each_change_is_another_digest_and_the_one_before_is_refused(store_world: StoreWorld, web: Key) -> None:
    seen: list[str] = []
    async with store_world.process() as one:
        ports = StoredConfigVars(one.store, VAULT)
        steps: list[tuple[dict[str, bytes], list[str]]] = [
            ({"A": b"1"}, []),
            ({"A": b"2"}, []),
            ({"A": b"2"}, ["A"]),
            ({"A": b"2", "B": b"x"}, ["A"]),
            ({"B": b"x"}, []),
            ({"A": b"1", "B": b"x"}, []),
        ]
        for values, files in steps:
            store_world.declare.config(web, values, files)
            seen.append(await digest_of(one, web))
            assert {v.name: v.value for v in await ports.values(web.id, seen[-1])} == values
        for old in seen[:-1]:
            with pytest.raises(ConflictError, match="read again"):
                await ports.values(web.id, old)
        store_world.declare.config(web, {})
        assert await digest_of(one, web) == ""
    assert len(set(seen)) == len(seen)


async def test_more_than_can_be_delivered_is_named_and_not_read(store_world: StoreWorld, web: Key) -> None:
    store_world.declare.config(web, {f"A{n}": b"planted" + b"x" * 120_000 + b"x" * n for n in range(9)})
    async with store_world.process() as one:
        found = await one.store.config_values(web.id, "")
        digest = await digest_of(one, web)
        assert found == SealedSet(digest, too_large=("A8", "A7", "A6"))
        with pytest.raises(TerminalError, match="the largest: A8, A7, A6") as refused:
            await StoredConfigVars(one.store, VAULT).values(web.id, digest)
    assert refused.value.reason == "ConfigTooLarge"
    assert "planted" not in str(refused.value)


async def test_more_than_a_program_can_be_started_with_is_named(store_world: StoreWorld, web: Key) -> None:
    store_world.declare.config(web, {"A": b"x" * 100_000, "B": b"x" * 100_000, "C": b"x" * 100_000})
    async with store_world.process() as one:
        with pytest.raises(TerminalError, match=r"300009 bytes of at most 262144; the largest: A \(100003\)"):
            await StoredConfigVars(one.store, VAULT).values(web.id, await digest_of(one, web))


async def test_a_process_without_the_key_says_which_one_is_missing(store_world: StoreWorld, web: Key) -> None:
    store_world.declare.config(web, {"A": b"x"})
    async with store_world.process() as one:
        found = await one.store.config_values(web.id, "")
        assert found.data_key is not None
        with pytest.raises(NotReadyError, match=f"{found.data_key.kek_id}.*SKYPANEL_KEY_FILE.*tried again") as refused:
            await StoredConfigVars(one.store, Vault()).values(web.id, found.digest or "")
    assert refused.value.reason == "KeyUnavailable"
