"""Vulnerability reports as a process reads them, and who is looked at again when one is handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.loop.vulnerabilities import StoredVulnerabilityReports
from controller.records import Key
from specs.releases import Release
from specs.vulnerabilities import SEVERITIES, VulnerabilityReport
from tests.conformance.store_world import Contender, StoreWorld
from tests.conformance.test_store_releases import make

pytestmark = pytest.mark.anyio

INDEX, MANIFEST, CONFIG, OTHER = (f"sha256:{letter * 64}" for letter in "abcd")
BEGAN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def web(store_world: StoreWorld) -> Key:
    return store_world.declare.environment(store_world.declare.organization("acme"), "production")


def report(*digests: str, hours: float = 0, **found: int) -> VulnerabilityReport:
    """All that is found can be mended."""
    counts = {name: found.get(name, 0) for name in SEVERITIES}
    at = BEGAN + timedelta(hours=hours)
    return VulnerabilityReport(digests[0], digests, "trivy", at, counts, counts, "registry.example.com/their/web:1")


async def look_up(one: Contender, web: Key, *digests: str) -> None:
    """What the controller writes down of the image that the environment names."""
    facts: dict[str, Any] = {"reference": "web:1", "pinned": f"web@{INDEX}", "architecture": "amd64"}
    facts |= {"entrypoint": [], "cmd": [], "healthcheck": None, "shell": ["/bin/sh"], "digests": list(digests)}
    await one.store.write_row("paas_image_facts", {"environment_id": web.id}, facts)


async def judge(one: Contender, web: Key, verdict: str) -> None:
    row = {"policy": "p", "verdict": verdict, "reason": "", "message": "m", "signed_by": []}
    await one.store.write_row("caas_image_verdicts", {"environment_id": web.id, "image": "web:1"}, row)


async def woken(one: Contender) -> set[Key]:
    return {each.key for each in (await one.store.consume())[0]}


async def test_a_report_is_found_by_all_that_its_image_goes_by_and_says_not_what_was_scanned(
    store_world: StoreWorld,
) -> None:
    store_world.declare.scan(report(CONFIG, INDEX, MANIFEST, critical=1, low=7))
    async with store_world.process() as one:
        reports = StoredVulnerabilityReports(one.store)
        for digest in (INDEX, MANIFEST, CONFIG):
            (found,) = await reports.of([OTHER, digest])
            assert (found.digest, found.scanned_at, found.reference) == (CONFIG, BEGAN, "")
            assert (found.found["critical"], found.fixable["low"]) == (1, 7)
        assert list(await reports.of([OTHER])) == []


async def test_the_newest_report_of_a_content_counts_and_names_of_before_stay(store_world: StoreWorld) -> None:
    assert store_world.declare.scan(report(CONFIG, INDEX, hours=1, high=1))
    assert not store_world.declare.scan(report(CONFIG, INDEX, hours=1, high=2))
    assert not store_world.declare.scan(report(CONFIG, MANIFEST, hours=0, high=3))
    assert store_world.declare.scan(report(CONFIG, MANIFEST, hours=2, high=4))
    assert store_world.declare.scan(report(OTHER, INDEX, hours=3))
    async with store_world.process() as one:
        other, found = await one.store.image_reports([INDEX])
    assert (other.digest, found.found["high"]) == (OTHER, 4)
    assert set(found.digests) == {CONFIG, INDEX, MANIFEST}


@pytest.mark.parametrize("known", [(INDEX, MANIFEST, CONFIG), ()])
async def test_who_wants_the_image_is_looked_at_again_and_has_no_other_generation(
    store_world: StoreWorld, web: Key, known: tuple[str, ...]
) -> None:
    async with store_world.leader() as one:
        await look_up(one, web, *known)
        await woken(one)
        before = (await one.store.load(web)).generation
        store_world.declare.scan(report(CONFIG, INDEX))
        assert await woken(one) == {web}
        store_world.declare.scan(report(OTHER))
        store_world.declare.scan(report(CONFIG, INDEX, hours=-1, high=1))
        assert await woken(one) == set()
        assert (await one.store.load(web)).generation == before


async def test_a_report_that_says_the_same_wakes_only_who_is_not_allowed(store_world: StoreWorld, web: Key) -> None:
    late = store_world.declare.environment(store_world.declare.organization("beta"), "production")
    async with store_world.leader() as one:
        for key, verdict in ((web, "allowed"), (late, "awaited")):
            await look_up(one, key, INDEX, MANIFEST, CONFIG)
            await judge(one, key, verdict)
        store_world.declare.scan(report(CONFIG, INDEX))
        await woken(one)
        store_world.declare.scan(report(CONFIG, INDEX, hours=1))
        assert await woken(one) == {late}
        store_world.declare.scan(report(CONFIG, INDEX, hours=2, low=1))
        assert await woken(one) == {web, late}


async def test_what_serves_while_another_image_is_wanted_is_looked_at_again_too(
    store_world: StoreWorld, web: Key
) -> None:
    async with store_world.leader() as one:
        for version, image in enumerate((f"web:1@{INDEX}", f"web:1@{MANIFEST}", "web:2"), 1):
            generation = (await one.store.load(web)).generation
            release = Release(image, {"image_ref": image}, (), None, None)
            assert await one.store.make_release(web.id, generation, release) == version
            if "@" in image:
                await one.store.release_deployed(web.id, version)
        await woken(one)
        store_world.declare.scan(report(CONFIG, INDEX))
        assert await woken(one) == set(), "that is over"
        store_world.declare.scan(report(OTHER, MANIFEST))
        assert await woken(one) == {web}


async def test_what_serves_is_looked_at_again_by_the_index_that_it_is_of(store_world: StoreWorld, web: Key) -> None:
    async with store_world.leader() as one:
        facts = {
            "reference": "web:1",
            "pinned": f"web@{MANIFEST}",
            "architecture": "amd64",
            "digests": [INDEX, MANIFEST],
        }
        for version, (image, known) in enumerate([(f"web:1@{MANIFEST}", facts), ("web:2", None)], 1):
            generation = (await one.store.load(web)).generation
            release = Release(image, {"image_ref": image}, (), None, known)
            assert await one.store.make_release(web.id, generation, release) == version
        await one.store.release_deployed(web.id, 1)
        await woken(one)
        store_world.declare.scan(report(INDEX))
        assert await woken(one) == {web}
        store_world.declare.scan(report(OTHER))
        assert await woken(one) == set()


async def test_what_a_named_release_runs_is_looked_at_again_too(store_world: StoreWorld, web: Key) -> None:
    async with store_world.leader() as one:
        await look_up(one, web, INDEX, MANIFEST, CONFIG)
        document = (await one.store.load(web)).document
        assert document is not None
        assert document["resolved"]["digests"] == [INDEX, MANIFEST, CONFIG]
        await make(one, web)
        store_world.declare.name_release(web, 1)
        await woken(one)
        store_world.declare.scan(report(CONFIG))
        assert await woken(one) == {web}
