"""Users of registries: set, changed, refused, taken away, or not to be opened; what nodes pull with meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from controller.records import Key
from reconcilers import labels
from reconcilers.images import Images
from reconcilers.logins import NOBODY, Login
from tests.sim import images
from tests.sim.database import logins
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.world import MARKER

REGISTRY = "registry.example.com"
IMAGE, IMAGE2 = f"{REGISTRY}/shop:1", f"{REGISTRY}/shop:2"


def signs_in(
    sim: Simulation, home: Key, number: int, *environments: Key, user: str = "ada", works: bool = True
) -> Login:
    """Have the organization's user there set with another password, and its environments touched, in one moment."""
    login = Login(REGISTRY, user, f"{MARKER} {number}")
    slug = sim.document(home)["slug"]
    key = Key("registry", sim.identify("registry", f"{slug} {REGISTRY}"))
    said = logins.put(sim.database, key, home.id, REGISTRY, user, login.password)
    document = {
        **said,
        "username": user,
        "sealed": True,
        "organization": {"id": home.id, "slug": slug},
    }
    with sim.database.transaction() as change:
        change.put(key, home.id, document)
        for each in environments:
            change.put(each, home.id, {**sim.document(each), "registries": [said]})
    if works:
        sim.port(Images).private[REGISTRY] = login
        sim.swarm.behaviours.private[REGISTRY] = login.header
    return login


def row(sim: Simulation, slug: str = "acme") -> Key:
    """Of the organization's user there."""
    return Key("registry", sim.identify("registry", f"{slug} {REGISTRY}"))


def signs_out(sim: Simulation, home: Key, environments: Sequence[Key]) -> None:
    """Take the user away."""
    with sim.database.transaction() as change:
        change.drop(row(sim))
        for each in environments:
            change.put(each, home.id, {**sim.document(each), "registries": None})


def pulls(sim: Simulation, shop: Key, name: str = "web") -> str:
    """What the nodes of a service pull with."""
    found = next(s for s in sim.swarm.store.services.values() if s.name == sim.service(shop, name))
    return found.pulls[found.spec_version]


def tasks(sim: Simulation, shop: Key) -> list[str]:
    """Ids of all tasks that a service ever had."""
    return [task.meta.id for task in sim.swarm.tasks(sim.service(shop))]


@scenario()
async def a_private_image_is_pulled_and_a_changed_password_restarts_nothing(sim: Simulation) -> None:
    home = organization(sim, "acme")
    first = signs_in(sim, home, 1)
    both = [process(sim, "shop", "web"), process(sim, "shop", "worker")]
    shop = environment(sim, home, "shop", image_ref=IMAGE, processes=both)
    signs_in(sim, home, 1, shop)
    await sim.settle()
    assert [sim.reason(row(sim)), sim.reason(shop)] == ["SignedIn", "Deployed"]
    assert pulls(sim, shop) == pulls(sim, shop, "worker") == first.header
    before = tasks(sim, shop)
    second = signs_in(sim, home, 2, shop)
    await sim.settle()
    assert pulls(sim, shop) == pulls(sim, shop, "worker") == second.header
    assert tasks(sim, shop) == before, "a task was restarted for a password"
    sim.change(shop, image_ref=IMAGE2)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario()
async def a_user_goes_and_nodes_forget_him(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    signs_in(sim, home, 1, shop)
    await sim.settle()
    before = tasks(sim, shop)
    signs_out(sim, home, [shop])
    await sim.settle()
    assert pulls(sim, shop) == NOBODY
    assert tasks(sim, shop) == before
    (service,) = (s for s in sim.swarm.store.services.values() if s.name == sim.service(shop))
    assert labels.PULLS_AS not in service.labels


@scenario()
async def a_refused_password_holds_a_new_image_until_it_is_the_right_one(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    wrong = Login(REGISTRY, "ada", "another")
    sim.port(Images).private[REGISTRY], sim.swarm.behaviours.private[REGISTRY] = wrong, wrong.header
    signs_in(sim, home, 1, shop, works=False)
    await sim.settle()
    assert [sim.reason(row(sim)), sim.reason(shop)] == ["LoginRefused", "ImageDenied"]
    assert not any(s.name == sim.service(shop) for s in sim.swarm.store.services.values())
    signs_in(sim, home, 2, shop)
    await sim.settle()
    assert [sim.reason(row(sim)), sim.reason(shop)] == ["SignedIn", "Deployed"]


@scenario(counts=False)
async def a_password_that_runs_out_is_told(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    login = signs_in(sim, home, 1, shop)
    await sim.settle()
    sim.port(Images).private[REGISTRY] = Login(REGISTRY, "ada", "another")
    sim.database.ask(row(sim), "once")
    await sim.settle()
    assert [sim.reason(row(sim)), sim.reason(shop)] == ["LoginRefused", "Deployed"]
    sim.port(Images).private[REGISTRY] = login
    sim.database.ask(row(sim), "again")
    await sim.settle()
    assert sim.reason(row(sim)) == "SignedIn"


@scenario(counts=False)
async def a_registry_that_is_away_is_told_and_nothing_else_happens(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    signs_in(sim, home, 1, shop)
    await sim.settle()
    sim.port(Images).failures[REGISTRY] = images.unavailable
    signs_in(sim, home, 2, shop)
    await sim.settle()
    assert [sim.reason(row(sim)), sim.reason(shop)] == ["RegistryUnavailable", "Deployed"]
    del sim.port(Images).failures[REGISTRY]
    await sim.settle()


@scenario()
async def a_lost_key_changes_nothing_that_runs(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    first = signs_in(sim, home, 1, shop)
    await sim.settle()
    second = signs_in(sim, home, 2, shop, works=False)
    sealed = sim.database.logins[row(sim).id]
    assert sealed.data_key is not None
    sim.database.logins[row(sim).id] = replace(sealed, data_key=replace(sealed.data_key, kek_id="ffffffff"))
    before = tasks(sim, shop)
    sim.change(shop, instances=2)
    await sim.settle()
    assert [sim.reason(row(sim)), sim.reason(shop)] == ["KeyUnavailable", "KeyUnavailable"]
    assert pulls(sim, shop) == first.header
    assert set(before) < set(tasks(sim, shop)), "it was not scaled"
    sim.port(Images).private[REGISTRY], sim.swarm.behaviours.private[REGISTRY] = second, second.header
    sim.database.logins[row(sim).id] = sealed
    await sim.settle()
    assert pulls(sim, shop) == second.header
    assert sim.reason(shop) == "Deployed"


@scenario(extra=("update",))  # as environment.goes_back_when_the_new_image_does_not_start
async def what_goes_back_pulls_with_the_user_of_today(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    signs_in(sim, home, 1, shop)
    await sim.settle()
    sim.change(shop, image_ref=f"{REGISTRY}/shop:crash")
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    second = signs_in(sim, home, 2, shop)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    assert pulls(sim, shop) == second.header


@scenario()
async def a_service_that_somebody_removes_comes_back_with_its_user(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    login = signs_in(sim, home, 1, shop)
    await sim.settle()
    await sim.hands.remove_service(sim.service(shop))
    await sim.settle()
    assert pulls(sim, shop) == login.header
    await sim.hands.change_service(sim.service(shop), lambda spec: spec["Labels"].clear())
    await sim.settle()
    assert pulls(sim, shop) == login.header


@scenario(counts=False)
async def another_organization_is_given_nothing_of_it(sim: Simulation) -> None:
    home, other = organization(sim, "acme"), organization(sim, "beta")
    shop = environment(sim, home, "shop", image_ref=IMAGE)
    signs_in(sim, home, 1, shop)
    await sim.settle()
    theirs = environment(sim, other, "copy", image_ref=IMAGE)
    await sim.settle()
    assert (sim.reason(shop), sim.reason(theirs)) == ("Deployed", "ImageDenied")
    assert not any(s.name == sim.service(theirs) for s in sim.swarm.store.services.values())
    sim.delete(theirs)
    await sim.settle()
