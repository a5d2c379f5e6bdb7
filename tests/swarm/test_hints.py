"""The engine's events as hints: whose objects somebody touched; not what we wrote ourselves; also after a restart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pytest

from deploy import traefik
from deploy.engine import Lab
from reconcilers.objects import Objects
from tests.swarm.harness import SwarmHarness, hints, scene

pytestmark = pytest.mark.anyio


async def edge_on_network(here: SwarmHarness) -> None:
    """The organization's network with its pin and the edge on it."""
    await here.apply(here.home, here.network(edge_node=None))
    wanted = here.network()
    await here.apply(here.home, Objects(wanted.objects))
    await here.complete(wanted)
    await here.apply(here.home, wanted)


async def test_the_owner_of_a_service_is_told_of_its_update(lab: Lab) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        async with hints(here) as told:
            here.change(service.name, lambda spec: spec["Labels"].update(by="hand"))
            await told.wait_for(here.key)
            assert here.live(service.name).labels["by"] == "hand"


async def test_a_change_between_our_write_and_its_reading_back_is_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        read = here.client.services_by_id
        hands = [lambda spec: spec["Labels"].update(by="hand")]

        async def hand_first(ids: Sequence[str]) -> Any:
            while hands:
                here.change(service.name, hands.pop())
            return await read(ids)

        async with hints(here) as told:
            here.change(service.name, lambda spec: spec["Labels"].update(before="hand"))
            await told.wait_for(here.key)  # events come
            told.keys.clear()
            monkeypatch.setattr(here.client, "services_by_id", hand_first)
            await here.apply(here.key, here.services(port=9000))
            assert here.live(service.name).labels["by"] == "hand", "it was read back with ours"
            await told.wait_for(here.key)


async def test_the_owner_of_a_service_is_told_of_its_removal(lab: Lab) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        async with hints(here) as told:
            here.api.delete(f"/services/{live.id}")
            await told.wait_for(here.key)
            assert here.cluster.live.service(service.name) is None


async def test_the_owner_of_a_network_is_told_of_its_removal(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        async with hints(here) as told:
            here.api.delete(f"/networks/{here.network_name}")
            await told.wait_for(here.home)
            assert here.cluster.live.network(here.network_name) is None
            assert here.cluster.live.network_of(here.organization_id) is None


async def test_an_organization_is_told_when_somebody_takes_the_edge_off_its_network(lab: Lab) -> None:
    async with scene(lab) as here:
        await edge_on_network(here)
        async with hints(here) as told:
            body = {"Container": here.edge(), "Force": True}
            here.api.post(f"/networks/{here.network_name}/disconnect", body)
            await told.wait_for(here.home)
            changes = here.cluster.plan(here.home, here.network(), ())
            assert str(changes) == f"~ edge joins network {here.network_name}"


async def test_nobody_is_told_of_what_we_wrote_ourselves(lab: Lab) -> None:
    async with scene(lab) as here, scene(lab, installation=here.options.installation) as other:
        await other.apply(other.home, other.network(edge_node=None))
        (stranger,) = (await other.apply(other.key, other.services())).changes
        await here.apply(here.home, here.network(edge_node=None))
        await here.cluster.refresh_all()

        async def fence() -> None:
            """Events come in their order: when somebody's hand is seen, all before it has been."""
            told.keys.discard(other.key)
            other.change(stranger.name, lambda spec: spec["Labels"].update(by=str(uuid4())))
            await told.wait_for(other.key)

        async with hints(here) as told:
            await fence()  # seen by the first look at everything ...
            await fence()  # ... and by the events after it
            told.keys.clear()
            for wanted in (here.services(), here.services(port=9000), Objects()):
                (change,) = (await here.apply(here.key, wanted)).changes
            assert change.action == "delete"
            await fence()
            assert told.keys == {other.key}


async def test_another_installation_s_changes_are_nobody_s(lab: Lab) -> None:
    async with scene(lab) as here, scene(lab) as other:
        mine, _ = await here.stand()
        theirs, _ = await other.stand()
        async with hints(here) as told:
            other.change(theirs.name, lambda spec: spec["Labels"].update(by="hand"))
            here.change(mine.name, lambda spec: spec["Labels"].update(by="hand"))
            await told.wait_for(here.key)
            assert told.keys == {here.key}


async def test_hints_come_again_after_the_engine_was_restarted(lab: Lab) -> None:
    node = lab.nodes[0].daemon
    async with scene(lab) as here:
        service, _ = await here.stand()
        async with hints(here) as told:
            here.change(service.name, lambda spec: spec["Labels"].update(by="hand"))
            await told.wait_for(here.key)
            told.keys.clear()
            node.stop()
            node.start()
            node.wait()
            traefik.deploy(lab.api())
            here.change(service.name, lambda spec: spec["Labels"].update(by="another hand"))
            await told.wait_for(here.key, seconds=60)
            told.keys.clear()
            here.change(service.name, lambda spec: spec["Labels"].update(by="a third"))
            await told.wait_for(here.key)
