"""Sources: commits that declare, commits that are wrong, servers that are away; nothing is ever taken away for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from controller.records import Key
from reconcilers.sources import SourceError, Sources
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import environment
from tests.sim.scenarios.organization import organization

IMAGE = "registry.example.com/shop:1"
URL = "https://git.example.com/specs.git"
ONE, TWO, BAD = "1" * 40, "2" * 40, "b" * 40
SIGNER = "ada@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO2VOLlKJzEaOzYwXvUtkFKOxXFVe1xxCFMJlzNRdSsP"
WRONG = SourceError("SpecRefused", "web.yaml:3:1: App/shop: spec.colour: is not known", problems=("web.yaml:3:1",))
AWAY = SourceError("FetchFailed", "git.example.com does not answer", passes=True)


def source(sim: Simulation, home: Key, name: str = "main", **fields: Any) -> Key:
    """A source as the panel declares it."""
    document = {
        "id": sim.identify("source", name),
        "name": name,
        "organization": {"id": home.id, "slug": sim.document(home)["slug"]},
        "repo_url": URL,
        "revision": str(UUID(int=1)),
        "generation": 1,
        "interval_seconds": 60,
        **fields,
    }
    return sim.put("source", name, document, organization=home.id)


def commit(sim: Simulation, name: str, declares: Mapping[Key, Mapping[str, Any]] | SourceError) -> None:
    """Have the repository's branch be at a commit that declares this."""
    port = sim.port(Sources)
    port.use(sim.database)
    port.commits[name] = declares
    port.heads[URL] = name


async def sync(sim: Simulation, main: Key, token: str) -> None:
    """Ask for a look, and wait until everything is as it is declared then."""
    sim.database.ask(main, token)
    await sim.settle()


@scenario()
async def a_commit_is_declared_and_the_next_one_too(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    main = source(sim, home)
    await sim.settle()
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Applied", 2]
    commit(sim, TWO, {shop: {"instances": 3}})
    await sync(sim, main, "push")
    assert [sim.reason(main), sim.reason(shop), sim.document(shop)["instances"]] == ["Applied", "Deployed", 3]


@scenario()
async def a_bad_commit_and_a_server_that_is_away_change_nothing(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    main = source(sim, home)
    await sim.settle()
    written = list(sim.port(Sources).written)
    commit(sim, BAD, WRONG)
    await sync(sim, main, "bad")
    assert [sim.reason(main), sim.reason(shop), sim.document(shop)["instances"]] == ["SpecRefused", "Deployed", 2]
    sim.port(Sources).failures[URL] = AWAY
    await sync(sim, main, "away")
    assert [sim.reason(main), sim.reason(shop), sim.document(shop)["instances"]] == ["FetchFailed", "Deployed", 2]
    assert sim.port(Sources).written == written
    del sim.port(Sources).failures[URL]
    commit(sim, ONE, {shop: {"instances": 2}})
    await sync(sim, main, "good again")
    assert sim.reason(main) == "Applied"


@scenario()
async def a_source_goes_and_what_it_declared_stays(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    main = source(sim, home)
    await sim.settle()
    sim.delete(main)
    await sim.settle()
    assert [sim.reason(shop), sim.document(shop)["instances"]] == ["Deployed", 2]


@scenario()
async def a_suspended_source_is_not_looked_at(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    main = source(sim, home, suspended=True)
    await sim.settle()
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Suspended", 1]
    sim.change(main, suspended=False, generation=2)
    await sim.settle()
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Applied", 2]


@scenario(counts=False)
async def what_somebody_changes_is_declared_again(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    main = source(sim, home)
    await sim.settle()
    for instances in (5, 6):
        sim.change(shop, instances=instances, suspended=False, port=8080 + instances)
        await sim.sleep(5)  # its interval is a minute
        await sim.settle()
        found = sim.document(shop)
        assert [sim.reason(main), found["instances"], found["port"]] == ["Applied", 2, 8080 + instances]


@scenario()
async def a_suspended_source_leaves_changes_alone_until_it_goes_on(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    main = source(sim, home)
    await sim.settle()
    sim.change(main, suspended=True, generation=2)
    await sim.settle()
    sim.change(shop, instances=5)
    await sim.sleep(120)
    await sim.settle()
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Suspended", 5]
    sim.change(main, suspended=False, generation=3)
    await sim.settle()
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Applied", 2]


@scenario(counts=False)
async def what_somebody_deletes_of_what_is_declared_comes_back(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    commit(sim, ONE, {shop: {"instances": 2}})
    source(sim, home)
    await sim.settle()
    sim.delete(shop)
    await sim.sleep(5)
    await sim.settle()
    assert [sim.reason(shop), sim.document(shop)["instances"]] == ["Deployed", 2]


@scenario()
async def what_a_commit_declares_no_longer_goes_and_nothing_else(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop, blog, wiki = (environment(sim, home, name, image_ref=IMAGE) for name in ("shop", "blog", "wiki"))
    commit(sim, ONE, {shop: {"instances": 2}, blog: {"instances": 2}})
    main = source(sim, home, prune=True)
    await sim.settle()
    commit(sim, BAD, WRONG)
    await sync(sim, main, "bad")
    sim.port(Sources).failures[URL] = AWAY
    await sync(sim, main, "away")
    assert sim.port(Sources).pruned == []
    del sim.port(Sources).failures[URL]
    commit(sim, TWO, {shop: {"instances": 2}})
    await sync(sim, main, "dropped")
    assert sim.port(Sources).pruned == [blog]
    assert [sim.reason(shop), sim.reason(blog), sim.reason(wiki)] == ["Deployed", "Deleted", "Deployed"]


@scenario()
async def a_commit_that_nobody_signed_changes_nothing(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop, blog = (environment(sim, home, name, image_ref=IMAGE) for name in ("shop", "blog"))
    commit(sim, ONE, {shop: {"instances": 2}, blog: {"instances": 2}})
    sim.port(Sources).signed.add(ONE)
    main = source(sim, home, prune=True, verify={"ssh": [SIGNER]})
    await sim.settle()
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Applied", 2]
    commit(sim, TWO, {shop: {"instances": 3}})
    await sync(sim, main, "unsigned")
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["CommitUnsigned", 2]
    sim.change(shop, instances=5)
    await sync(sim, main, "by hand")
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["CommitUnsigned", 5]
    assert sim.port(Sources).pruned == []
    sim.port(Sources).signed.add(TWO)
    await sync(sim, main, "signed")
    assert [sim.reason(main), sim.document(shop)["instances"]] == ["Applied", 3]
    assert sim.port(Sources).pruned == [blog]
