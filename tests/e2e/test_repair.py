"""What somebody changes by hand on the engine is put right: at once with hints, within the resync without."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial

import pytest

from deploy.engine import EngineApiError
from tests.e2e.world import WEB, Controller, World, eventually

Hand = Callable[[World], None]


def service_of(world: World) -> str:
    return world.service()


def network_of(world: World) -> str:
    return world.network()


def remove_the_service(world: World) -> None:
    world.engine.delete(f"/services/{service_of(world)}")


def scale_it(world: World) -> None:
    world.change_by_hand(service_of(world), lambda s: s["Mode"]["Replicated"].update(Replicas=3))


def change_the_image(world: World) -> None:
    world.change_by_hand(service_of(world), lambda s: s["TaskTemplate"]["ContainerSpec"].update(Image=f"{WEB}:2"))


def add_a_label(world: World) -> None:
    world.change_by_hand(service_of(world), lambda s: s["Labels"].update({"somebody.was": "here"}))


def change_a_label(world: World) -> None:
    def change(spec: dict) -> None:  # type: ignore[type-arg]
        rule = next(key for key in spec["Labels"] if key.endswith(".rule"))
        spec["Labels"][rule] = "Host(`stolen.localhost`)"

    world.change_by_hand(service_of(world), change)


def take_our_labels_off(world: World) -> None:
    world.change_by_hand(service_of(world), lambda s: s.update(Labels={}))


def drop_the_security_baseline(world: World) -> None:
    def change(spec: dict) -> None:  # type: ignore[type-arg]
        container = spec["TaskTemplate"]["ContainerSpec"]
        container["CapabilityDrop"] = []
        container["Privileges"]["NoNewPrivileges"] = False
        container["ReadOnly"] = False

    world.change_by_hand(service_of(world), change)


def disconnect_the_edge(world: World) -> None:
    network = world.networks()[network_of(world)]["Id"]
    world.engine.post(f"/networks/{network}/disconnect", {"Container": world.edge_container(), "Force": True})


HANDS: list[Hand] = [
    remove_the_service,
    scale_it,
    change_the_image,
    add_a_label,
    change_a_label,
    take_our_labels_off,
    drop_the_security_baseline,
    disconnect_the_edge,
]


def deploy(world: World) -> str:
    app = world.app(world.organization("acme"), "shop")
    environment = world.environment(app)
    world.insert("paas_domains", environment_id=environment, hostname=f"shop.{world.name}.localhost")
    world.wait_ready(environment)
    return environment


def spec_without_restarts(world: World) -> dict[str, object]:
    spec = world.engine.get(f"/services/{service_of(world)}")["Spec"]
    spec["TaskTemplate"].pop("ForceUpdate", None)
    return dict(spec)


def is_as_before(world: World, spec: dict[str, object]) -> bool:
    return spec_without_restarts(world) == spec and network_of(world) in world.edge_networks()


def is_repaired(world: World, controller: Controller, repairs: float, spec: dict[str, object]) -> bool:
    return controller.metric("skypanel_engine_writes_total") > repairs and is_as_before(world, spec)


def test_every_hand_is_undone_at_once_and_named_in_an_event(here: World) -> None:
    controller = here.controller().start()
    environment = deploy(here)
    spec = spec_without_restarts(here)
    for hand in HANDS:
        repairs = controller.metric("skypanel_engine_writes_total")
        hand(here)
        eventually(
            partial(is_repaired, here, controller, repairs, spec),
            seconds=5,
            what=f"after somebody's {hand.__name__} it is as before",
        )
        here.wait_ready(environment)
    repaired = [e for e in here.events(environment) if e["reason"] == "Repaired"]
    assert len(repaired) >= len(HANDS) - 2
    assert any("replicas: 3 -> 1" in e["message"] for e in repaired)


def test_without_hints_the_full_comparison_undoes_it(here: World) -> None:
    here.controller(
        SKYPANEL_HINTS="false",
        SKYPANEL_RESYNC_SECONDS="1",
        SKYPANEL_POLL_SECONDS="0.5",
        SKYPANEL_TASK_POLL_SECONDS="60",
    ).start()
    deploy(here)
    spec = spec_without_restarts(here)
    for hand in HANDS:
        hand(here)
        eventually(
            lambda: is_as_before(here, spec), seconds=8, what=f"after somebody's {hand.__name__} it is as before"
        )


def test_an_unused_network_that_somebody_removed_comes_back_with_its_addresses(here: World) -> None:
    here.controller().start()
    organization = here.organization("acme")
    here.insert("paas_organizations", organization_id=organization)
    name = network_of(here)
    eventually(lambda: (here.status("organization", organization) or {}).get("ready"), what="the network is up")
    before = here.networks()[name]
    here.controllers[0].kill()  # the engine refuses to remove a network while its pin is there

    def remove() -> bool:
        for service in here.services().values():
            here.engine.delete(f"/services/{service['ID']}")
        if name in here.edge_networks():
            here.engine.post(
                f"/networks/{before['Id']}/disconnect", {"Container": here.edge_container(), "Force": True}
            )
        with contextlib.suppress(EngineApiError):
            here.engine.delete(f"/networks/{before['Id']}")
        return name not in here.networks()

    eventually(remove, what="somebody removed the network")
    here.controller().start()

    def is_back() -> bool:
        live = here.networks().get(name)
        return (
            live is not None
            and live["Id"] != before["Id"]
            and live["IPAM"]["Config"] == before["IPAM"]["Config"]
            and name in here.edge_networks()
        )

    eventually(is_back, what="the network is back, with its subnet and the edge")


def test_a_removed_network_and_pin_come_back_while_the_controller_runs(here: World) -> None:
    here.controller().start()
    organization = here.organization("acme")
    here.insert("paas_organizations", organization_id=organization)
    pin = here.pin()
    eventually(lambda: (here.status("organization", organization) or {}).get("ready"), what="the network is up")
    here.engine.delete(f"/services/{pin}")
    eventually(
        lambda: pin in here.services() and (here.status("organization", organization) or {}).get("ready"),
        what="the pin is back",
    )


def test_a_restarted_edge_is_on_every_network_again(here: World) -> None:
    here.controller().start()
    deploy(here)
    before = here.edge_container()
    here.engine.post(f"/containers/{before}/kill")
    eventually(
        lambda: here.edge_container() != before and network_of(here) in here.edge_networks(), what="the edge rejoined"
    )
    eventually(lambda: here.curl(f"shop.{here.name}.localhost")[0] == 200, what="the host is routed again")


@pytest.mark.parametrize("hints", ["true", "false"])
def test_a_second_full_reconcile_writes_nothing(here: World, hints: str) -> None:
    here.controller(SKYPANEL_HINTS=hints, SKYPANEL_POLL_SECONDS="0.5").start()
    organization = here.organization("acme")
    app = here.app(organization, "shop")
    environments = [here.environment(app, f"e{number}") for number in range(5)]
    for environment in environments:
        here.wait_ready(environment)
    # Environments without a domain do not wait for the edge.
    eventually(lambda: (here.status("organization", organization) or {}).get("ready"), what="the edge joined")
    here.controllers[0].terminate()
    versions = here.versions()
    networks = {name: n["Id"] for name, n in here.networks().items()}
    second = here.controller(SKYPANEL_HINTS=hints, SKYPANEL_RESYNC_SECONDS="0.5").start()
    eventually(lambda: second.metric("skypanel_resync_time_seconds_count") >= 4, what="four full comparisons are done")
    changes = [line for line in second.text().splitlines() if "object.changed" in line]
    assert (changes, second.metric("skypanel_engine_writes_total")) == ([], 0)
    assert here.versions() == versions
    assert {name: n["Id"] for name, n in here.networks().items()} == networks
