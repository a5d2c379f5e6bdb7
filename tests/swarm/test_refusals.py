"""What the engine refuses, and what becomes of it: look again, wait, or say it; never force."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from uuid import uuid4

import pytest

from controller.records import InventoryRow, InventoryUpdate, Key
from controller.swarm.adapter import SwarmAdapter
from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineUnavailable
from deploy.engine import IMAGE_PREFIX, EngineApiError, Lab
from reconcilers import labels
from reconcilers.objects import Objects
from reconcilers.outcomes import ConflictError, NotReadyError, TerminalError, TransientError
from tests.swarm.harness import SwarmHarness, scene

pytestmark = pytest.mark.anyio


def foreign(here: SwarmHarness, name: str, **found: str) -> str:
    """A service that this installation did not make."""
    spec = {
        "Name": name,
        "Labels": found,
        "TaskTemplate": {"ContainerSpec": {"Image": f"{IMAGE_PREFIX}/pause:1"}},
        "Mode": {"Replicated": {"Replicas": 0}},
    }
    return str(here.api.post("/services/create", spec)["ID"])


# -- compare and swap ------------------------------------------------------------------------------------------------


async def test_a_service_that_changed_since_it_was_planned_on_is_looked_at_again(lab: Lab) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        changes = here.cluster.plan(here.key, here.services(port=9000), ())
        here.change(service.name, lambda spec: spec["Labels"].update(by="hand"))
        with pytest.raises(ConflictError):
            await here.do(changes)
        assert here.stored(service.name)["Spec"]["Labels"]["by"] == "hand", "nothing was overwritten"
        assert here.live(service.name).labels["by"] == "hand", "the next plan starts from the truth"
        await here.apply(here.key, here.services(port=9000))
        assert "by" not in here.stored(service.name)["Spec"]["Labels"]


async def test_what_was_removed_since_it_was_planned_on_is_no_failure_to_remove(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        changes = here.cluster.plan(here.key, Objects(), ())
        here.api.delete(f"/services/{live.id}")
        await here.do(changes)
        assert InventoryUpdate("service", service.name, gone=True) in here.learned
        assert here.cluster.live.service(service.name) is None


async def test_what_was_removed_since_an_update_was_planned_is_made_anew_next(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        changes = here.cluster.plan(here.key, here.services(port=9000), ())
        here.api.delete(f"/services/{live.id}")
        with pytest.raises(TransientError):
            await here.do(changes)
        (change,) = (await here.apply(here.key, here.services(port=9000))).changes
        assert (change.action, change.name) == ("create", service.name)


async def test_each_write_says_what_the_inventory_must_learn(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        network = here.cluster.live.network(here.network_name)
        assert network is not None
        assert here.learned == [
            InventoryUpdate("network", network.name, engine_id=network.id, spec_hash=here.subnet),
            InventoryUpdate(
                "service",
                service.name,
                engine_id=live.id,
                spec_hash=service.hash,
                template_hash=service.template_hash,
            ),
        ]
        await here.apply(here.key, Objects())
        assert here.learned[-1] == InventoryUpdate("service", service.name, gone=True)


# -- names -----------------------------------------------------------------------------------------------------------


async def test_a_service_of_somebody_else_is_left_alone_and_named(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        (service,) = here.services().services
        other = foreign(here, service.name)
        with pytest.raises(TerminalError, match=f"service {service.name} exists on the engine") as refused:
            await here.apply(here.key, here.services())
        assert refused.value.reason == "NameConflict"
        assert here.stored(service.name)["Spec"]["Labels"] == {}
        here.api.delete(f"/services/{other}")
        await here.apply(here.key, here.services())


async def test_our_own_service_that_was_not_seen_yet_is_looked_at_again(lab: Lab) -> None:
    """As after a crash between the create and its answer."""
    async with scene(lab) as here:
        await here.stand()
        blind = SwarmAdapter(here.client, here.options.installation)
        changes = blind.plan(here.key, here.services(), ())
        assert [change.action for change in changes.changes] == ["create"]
        with pytest.raises(ConflictError):
            await blind.write(changes.changes[0], None)
        assert blind.plan(here.key, here.services(), ()).changes == (), "it is known, and as it should be"
        (change,) = blind.plan(here.key, here.services(port=9000), ()).changes
        assert change.action == "update"


async def test_another_environment_that_is_called_the_same_has_a_service_of_its_own(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        former = here.key
        here.environment_id = str(uuid4())
        (change,) = (await here.apply(here.key, here.services())).changes
        assert (change.action, change.name != service.name) == ("create", True)
        assert here.live(change.name).labels[labels.OWNER] == labels.owner_key(*here.key)
        assert here.live(service.name) == live, "the other one is left alone"
        assert live.labels[labels.OWNER] == labels.owner_key(*former)


async def test_a_name_that_another_owner_still_has_is_waited_for(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        (service,) = here.services().services
        owner = labels.owned(here.options.installation, "environment", str(uuid4()), here.organization_id)
        other = foreign(here, service.name, **owner)
        for _ in ("not seen yet", "seen"):
            with pytest.raises(NotReadyError, match=f"service {service.name} still belongs to another") as refused:
                await here.apply(here.key, here.services())
            assert refused.value.reason == "NameStillInUse"
            stored = here.stored(service.name)
            assert (stored["ID"], stored["Spec"]["Labels"]) == (other, owner), "it is left alone"
        here.api.delete(f"/services/{other}")
        await here.apply(here.key, here.services())
        assert here.live(service.name).labels[labels.OWNER] == labels.owner_key(*here.key)


async def test_a_service_whose_labels_somebody_took_is_known_by_its_id(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        here.change(service.name, lambda spec: spec.update(Labels={}))
        await here.cluster.refresh_all()
        assert here.cluster.live.service(service.name) is None
        row = InventoryRow("service", service.name, live.id, service.hash, state="present")
        await here.apply(here.key, Objects((service,)), [row])
        stored = here.stored(service.name)
        assert (stored["ID"], stored["Spec"]["Labels"]) == (live.id, service.spec["Labels"])


# -- networks --------------------------------------------------------------------------------------------------------


async def test_a_network_that_is_in_use_is_waited_for(lab: Lab) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        changes = await here.apply(here.home, Objects())
        assert changes.changes == ()
        assert changes.kept == {here.network_name: f"it is no longer wanted; {service.name} is on it"}
        network = here.cluster.live.network(here.network_name)
        assert network is not None
        assert here.api.get(f"/networks/{here.network_name}")["Id"] == network.id
        await here.apply(here.key, Objects())
        await here.apply(here.home, Objects())
        with pytest.raises(EngineApiError, match="not found"):
            here.api.get(f"/networks/{here.network_name}")
        assert here.learned[-1] == InventoryUpdate("network", here.network_name, gone=True)
        assert service.name not in {s["Spec"]["Name"] for s in here.api.get("/services")}


async def test_a_network_that_a_service_came_to_since_its_removal_was_planned_is_waited_for(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        changes = here.cluster.plan(here.home, Objects(), ())
        assert [(change.action, change.name) for change in changes.changes] == [("delete", here.network_name)]
        await here.apply(here.key, here.services())
        writes = here.client.writes
        with pytest.raises(NotReadyError, match=f"network {here.network_name}: .* still on it") as refused:
            await here.do(changes)
        assert refused.value.reason == "InUse"
        assert here.client.writes == writes, "the engine is not asked"


async def test_a_network_that_a_service_of_somebody_else_is_on_is_waited_for(lab: Lab) -> None:
    """Of which nothing is known here: the engine refuses."""
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        network = here.cluster.live.network(here.network_name)
        assert network is not None
        other = foreign(here, f"guest-{here.slug}")
        here.change(other, lambda spec: spec["TaskTemplate"].update(Networks=[{"Target": network.id}]))
        with pytest.raises(NotReadyError, match="in use by service") as refused:
            await here.apply(here.home, Objects())
        assert refused.value.reason == "InUse"
        assert here.cluster.live.network(here.network_name) == network
        assert here.api.get(f"/networks/{here.network_name}")["Id"] == network.id
        here.api.delete(f"/services/{other}")
        await here.apply(here.home, Objects())
        assert here.learned[-1] == InventoryUpdate("network", here.network_name, gone=True)


async def test_a_service_waits_for_its_network(lab: Lab) -> None:
    async with scene(lab) as here:
        with pytest.raises(NotReadyError) as refused:
            await here.apply(here.key, here.services())
        assert refused.value.reason == "NetworkNotReady"
        await here.apply(here.home, here.network(edge_node=None))
        await here.apply(here.key, here.services())


async def test_a_service_waits_for_its_network_when_somebody_removed_it(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        here.api.delete(f"/networks/{here.network_name}")
        with pytest.raises(NotReadyError) as refused:
            await here.apply(here.key, here.services())
        assert refused.value.reason == "NetworkNotReady"
        await here.cluster.refresh_all()
        await here.apply(here.home, here.network(edge_node=None))
        await here.apply(here.key, here.services())


@pytest.mark.parametrize("bits", [-1, 0, 1], ids=["around it", "the same", "a half of it"])
async def test_a_range_of_which_another_network_has_a_part_is_not_used_and_nothing_half_made_stays(
    lab: Lab, bits: int
) -> None:
    """The engine itself gives addresses twice then: a range for tasks turns its check off."""
    async with scene(lab) as here:
        network, address = IPv4Network(here.subnet), IPv4Network(here.subnet).network_address
        pools = [{"Subnet": str(IPv4Network((int(address), network.prefixlen + bits), strict=False))}]
        here.api.post("/networks/create", {"Name": "squatter", "Driver": "overlay", "IPAM": {"Config": pools}})
        with pytest.raises(TransientError) as refused:
            await here.apply(here.home, here.network(edge_node=None))
        assert f"{here.subnet} cannot be given" in refused.value.message
        assert "network squatter has a part of it" in refused.value.message
        assert here.network_name not in {n["Name"] for n in here.api.get("/networks")}
        assert here.cluster.live.network(here.network_name) is None
        here.api.delete("/networks/squatter")
        await here.apply(here.home, here.network(edge_node=None))
        assert here.network_name in {n["Name"] for n in here.api.get("/networks")}


async def test_a_network_of_another_subnet_is_made_anew(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        other = f"10.65.{here.number}.0/24"
        changes = await here.apply(here.home, here.network(edge_node=None, subnet=other))
        assert [change.action for change in changes.changes] == ["recreate"]
        assert here.api.get(f"/networks/{here.network_name}")["IPAM"]["Config"][0]["Subnet"] == other


# -- the document, the engine ----------------------------------------------------------------------------------------


async def test_a_document_that_the_engine_refuses_is_said_with_its_words(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        (service,) = here.services().services
        spec = {
            **service.spec,
            "TaskTemplate": {**service.spec["TaskTemplate"], "Resources": {"Limits": {"NanoCPUs": 1}}},
        }
        with pytest.raises(TerminalError, match=r"(?i)cpu value") as refused:
            await here.apply(here.key, Objects((replace(service, spec=spec),)))
        assert refused.value.reason == "EngineRefused"
        assert here.cluster.live.owned_services(here.key) == []


async def test_what_was_done_before_a_refusal_is_known(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        rows = [{"id": str(uuid4()), "type": type_} for type_ in ("a", "b")]
        wanted = here.services(processes=rows)
        foreign(here, wanted.services[1].name)
        with pytest.raises(TerminalError):
            await here.apply(here.key, wanted)
        assert [update.name for update in here.learned if update.object_type == "service"] == [wanted.services[0].name]
        here.api.delete(f"/services/{wanted.services[1].name}")


async def test_an_engine_that_is_not_there_is_an_outage_not_a_refusal(tmp_path: Path) -> None:
    client = EngineClient.at(f"unix://{tmp_path}/none.sock")
    try:
        with pytest.raises(EngineUnavailable, match=r"none\.sock"):
            await client.check()
        with pytest.raises(TransientError) as refused:
            await SwarmAdapter(client, "nobody").refresh_all()
        assert refused.value.reason == "EngineUnavailable"
    finally:
        client.close()


# -- a create whose answer was lost ----------------------------------------------------------------------------------


async def test_an_object_whose_create_was_never_answered_is_not_forgotten(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        here.cluster.live.removed("service", live.id)  # the view does not know of it, and neither does the inventory
        assert await here.cluster.lives(here.key, InventoryRow("service", service.name))
        assert [s.name for s in here.cluster.live.owned_services(here.key)] == [service.name]


async def test_a_name_that_another_owner_has_by_now_is_no_object_of_the_one_before(lab: Lab) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        gone = Key("environment", str(uuid4()))
        assert not await here.cluster.lives(gone, InventoryRow("service", service.name))
