"""Config vars: they come, change and go; their key, their image's registry and what tasks are given can be away."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from controller.records import Key
from reconcilers.helper import DRAINS, FIRST, PROGRAM, helper_name
from reconcilers.images import ImageFacts, Images
from tests.sim import images
from tests.sim.database import config
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.environment import BROKEN, WEB2, environment, process
from tests.sim.scenarios.organization import organization
from tests.sim.settings import INSTALLATION
from tests.sim.swarm.behaviour import NORMAL
from tests.sim.world import MARKER

VALUE = MARKER
"""Must be in nothing that a controller says; see ``oracles``."""


def configure(
    sim: Simulation, key: Key, values: Mapping[str, str], *, files: Collection[str] = (), **fields: Any
) -> None:
    """Have exactly these set for an environment, and some fields of its row changed with it."""
    document = sim.document(key)
    data = {name: value.encode() for name, value in values.items()}
    said = config.put(sim.database, key, document["organization"]["id"], data, files=files)
    sim.change(key, config=said, **fields)


def secrets(sim: Simulation) -> dict[str, bytes]:
    """What secrets there are on the engine, by name."""
    return {found.name: base64.b64decode(found.data) for found in sim.swarm.store.secrets.values()}


def container(sim: Simulation, service: str) -> dict[str, Any]:
    """What the tasks of a service are made from."""
    found = next(s for s in sim.swarm.store.services.values() if s.name == service)
    spec: dict[str, Any] = found.spec["TaskTemplate"]["ContainerSpec"]
    return spec


def service(sim: Simulation, shop: Key) -> dict[str, Any]:
    """What its service is."""
    found: dict[str, Any] = next(s.spec for s in sim.swarm.store.services.values() if s.name == sim.service(shop))
    return found


def lose_key(sim: Simulation, key: Key) -> None:
    """The data key of its organization is under a key that nobody has any more."""
    found = sim.database.sealed[key.id]
    assert found.data_key is not None
    sim.database.sealed[key.id] = replace(found, data_key=replace(found.data_key, kek_id="ffffffff"))


@scenario()
async def variables_come_change_and_go(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", processes=[process(sim, "shop", "web"), process(sim, "shop", "worker")])
    await sim.settle()
    plain = container(sim, sim.service(shop))
    configure(sim, shop, {"TOKEN": f"{VALUE} 1", "EMPTY": ""})
    await sim.settle()
    assert [*secrets(sim).values()] == [f"EMPTY=\0TOKEN={VALUE} 1\0".encode()]
    for name in ("web", "worker"):
        assert container(sim, sim.service(shop, name))["Command"] == [PROGRAM]
    configure(sim, shop, {"TOKEN": f"{VALUE} 2"})
    await sim.settle()
    assert f"TOKEN={VALUE} 2\0".encode() in secrets(sim).values()
    configure(sim, shop, {})
    await sim.settle()
    assert container(sim, sim.service(shop)) == plain


@scenario()
async def an_environment_begins_with_variables_and_goes_with_them(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", suspended=True)
    configure(sim, shop, {"TOKEN": VALUE, "CERT": VALUE}, files=["CERT"])
    sim.change(shop, suspended=False)
    await sim.settle()
    assert set(secrets(sim).values()) == {f"TOKEN={VALUE}\0".encode(), VALUE.encode()}
    sim.delete(shop)
    await sim.settle()
    assert not secrets(sim)


@scenario(extra=("update",))  # as environment.goes_back_when_the_new_image_does_not_start
async def what_worked_comes_back_with_its_variables(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": f"{VALUE} 1"})
    await sim.settle()
    configure(sim, shop, {"TOKEN": f"{VALUE} 2"}, image_ref=BROKEN)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    (reference,) = container(sim, sim.service(shop))["Secrets"]
    assert secrets(sim)[reference["SecretName"]] == f"TOKEN={VALUE} 1\0".encode()


@scenario()
async def a_registry_that_is_away_holds_a_new_image_and_nothing_else(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    registry = sim.port(Images)
    registry.failures[WEB2] = images.unavailable
    sim.change(shop, instances=2)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(shop) == "RegistryUnavailable"
    assert "web:1@sha256:" in container(sim, sim.service(shop))["Image"]
    del registry.failures[WEB2]
    await sim.settle()
    assert sim.reason(shop) == "Deployed"
    assert "web:2@sha256:" in container(sim, sim.service(shop))["Image"]


@scenario()
async def an_image_that_is_not_there_is_told_until_another_is_named(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    sim.port(Images).failures[WEB2] = images.missing
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(shop) == "ImageNotFound"
    sim.change(shop, image_ref="127.0.0.1:5000/web:1")
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario()
async def a_key_that_is_lost_holds_new_values_and_nothing_that_runs(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    lose_key(sim, shop)
    sim.change(shop, instances=2)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"
    kept = sim.document(shop)["config"]
    sim.change(shop, config={**kept, "digest": "f" * 32})
    found = sim.database.sealed[shop.id]
    sim.database.sealed[shop.id] = replace(found, digest="f" * 32)
    await sim.settle()
    assert sim.reason(shop) == "KeyUnavailable"
    sim.change(shop, config=kept)
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario()
async def tasks_drain_with_variables_and_without(sim: Simulation) -> None:
    home = organization(sim, "acme")
    both = [process(sim, "shop", "web"), process(sim, "shop", "worker", drain_seconds=0)]
    shop = environment(sim, home, "shop", processes=both)
    await sim.settle()
    plain = container(sim, sim.service(shop))
    sim.change(shop, drain_seconds=5)
    await sim.settle()
    assert container(sim, sim.service(shop))["Args"][:4] == ["drain", "5", "0", "/dev/null"]
    assert "Command" not in container(sim, sim.service(shop, "worker"))
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    assert container(sim, sim.service(shop))["Args"][:4] == ["drain", "5", "0", "/.skypanel/vars"]
    there = {found.name for found in sim.swarm.store.configs.values()}
    assert {helper_name(INSTALLATION, "amd64", version) for version in (FIRST, DRAINS)} <= there
    configure(sim, shop, {}, drain_seconds=None)
    await sim.settle()
    assert container(sim, sim.service(shop)) == plain


@scenario(counts=False)
async def what_tasks_are_given_is_removed_by_hand(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    await sim.hands.remove_service(sim.service(shop))
    (secret,) = sim.swarm.store.secrets
    await sim.hands.call("DELETE", f"/secrets/{secret}")
    (helper,) = (c.meta.id for c in sim.swarm.store.configs.values() if c.name == helper_name(INSTALLATION, "amd64"))
    await sim.hands.call("DELETE", f"/configs/{helper}")
    await sim.settle()
    assert [*secrets(sim).values()] == [f"TOKEN={VALUE}\0".encode()]
    assert sim.reason(shop) == "Deployed"


@scenario()
async def what_must_hold_at_once_holds_while_something_is_away(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    sim.port(Images).failures[WEB2] = images.missing
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    sim.change(shop, instances=2)
    await sim.settle()
    assert service(sim, shop)["Mode"]["Replicated"]["Replicas"] == 2, "the scale is today's"
    sim.change(shop, suspended=True)
    await sim.settle()
    assert sim.reason(shop) == "ImageNotFound"
    assert service(sim, shop)["Mode"]["Replicated"]["Replicas"] == 0, "it is suspended"


@scenario()
async def an_image_without_a_program_is_told_and_what_ran_runs_on(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.settle()
    sim.port(Images).images[WEB2] = ImageFacts(WEB2, "amd64")
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert sim.reason(shop) == "InvalidSpec"
    assert "web:1" in container(sim, sim.service(shop))["Image"]
    sim.change(shop, entrypoint=["serve"])
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario(counts=False)
async def somebody_else_has_the_name_of_the_helper(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop", port=None)  # which asks for no helper
    await sim.settle()
    body = {"Name": helper_name(INSTALLATION, "amd64"), "Data": base64.b64encode(b"somebody's").decode(), "Labels": {}}
    made = await sim.hands.call("POST", "/configs/create", body)
    configure(sim, shop, {"TOKEN": VALUE})
    await sim.sleep(30.0)  # it does not rest: each comparison tries again
    assert sim.reason(shop) == "NameConflict"
    assert not container(sim, sim.service(shop)).get("Configs"), "what is somebody else's is not executed"
    await sim.hands.call("DELETE", f"/configs/{made['ID']}")
    sim.database.ask(shop, "it is gone")
    await sim.settle()
    assert sim.reason(shop) == "Deployed"


@scenario(counts=False)
async def what_was_gone_back_to_is_lost(sim: Simulation) -> None:
    home = organization(sim, "acme")
    shop = environment(sim, home, "shop")
    configure(sim, shop, {"TOKEN": f"{VALUE} 1"})
    await sim.settle()
    configure(sim, shop, {"TOKEN": f"{VALUE} 2"}, image_ref=BROKEN)
    await sim.settle()
    assert sim.reason(shop) == "RolledBack"
    await sim.hands.remove_service(sim.service(shop))
    for secret in list(sim.swarm.store.secrets):
        await sim.hands.call("DELETE", f"/secrets/{secret}")
    sim.swarm.behave(BROKEN, NORMAL)
    await sim.settle()
    assert sim.reason(shop) == "Deployed", "nothing is waited for that nobody can make"
