"""What is written reads back without a difference: otherwise every look would be a repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from controller.records import InventoryRow
from controller.swarm.diff import service_differences
from deploy.engine import Lab
from reconcilers.baseline import lost
from reconcilers.objects import Objects, Service
from tests.swarm.harness import SwarmHarness, scene

pytestmark = pytest.mark.anyio


def everything(number: int) -> dict[str, Any]:
    """An environment that uses every field there is."""
    check = {"command": ["/bin/web", "health"], "interval_seconds": 1, "timeout_seconds": 2, "retries": 4}
    return {
        "entrypoint": ["/bin/web"],
        "cmd": [],
        "port": 9000,
        "cpu_limit": None,
        "memory_mb": None,
        "plan": {"id": str(uuid4()), "name": "small", "cpu_limit": 0.05, "memory_mb": 24, "pids_limit": 32},
        "healthcheck": {**check, "start_period_seconds": 3},
        "stop_grace_seconds": 3,
        "read_only_root": True,
        "tmpfs_paths": ["/tmp", "/run/app"],
        "run_as": "1000:1000",
        "processes": [
            {"id": str(uuid4()), "type": "web", "instances": 2},
            {"id": str(uuid4()), "type": "api", "port": 7000, "instances": 1, "stop_grace_seconds": 0},
            {"id": str(uuid4()), "type": "worker", "command": ["/bin/web"], "args": ["worker"], "instances": 1},
        ],
        "domains": [
            {"id": str(uuid4()), "hostname": f"{name}{number}.example.com", "process_type": process}
            for name, process in (("www", "web"), ("shop", "web"), ("api", "api"))
        ],
    }


async def assert_nothing_to_do(here: SwarmHarness, wanted: Any, key: Any) -> None:
    assert str(here.cluster.plan(key, wanted, ())) == ""
    await here.cluster.refresh_all()
    assert str(here.cluster.plan(key, wanted, ())) == ""


async def test_an_environment_with_every_field_reads_back_as_it_was_written(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        wanted = here.services(**everything(here.number))
        changes = await here.apply(here.key, wanted)
        assert [change.action for change in changes.changes] == ["create"] * 3
        await assert_nothing_to_do(here, wanted, here.key)
        for service in wanted.services:
            assert lost(service.spec, here.stored(service.name)["Spec"]) == []
        versions = {s.name: here.stored(s.name)["Version"] for s in wanted.services}
        await here.complete(wanted)
        await assert_nothing_to_do(here, wanted, here.key)
        assert (await here.apply(here.key, wanted)).changes == ()
        assert {s.name: here.stored(s.name)["Version"] for s in wanted.services} == versions


async def test_an_environment_with_as_little_as_possible_reads_back_too(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        wanted = here.services(tmpfs_paths=[], read_only_root=False, stop_grace_seconds=0, cpu_limit=0.001, memory_mb=4)
        await here.apply(here.key, wanted)
        await assert_nothing_to_do(here, wanted, here.key)


async def test_an_update_of_every_field_reads_back_as_it_was_written(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.stand()
        processes = everything(here.number)["processes"][:1]
        domains = everything(here.number)["domains"][:1]
        wanted = here.services(**everything(here.number) | {"processes": processes, "domains": domains})
        (change,) = (await here.apply(here.key, wanted)).changes
        assert change.action == "update"
        await assert_nothing_to_do(here, wanted, here.key)
        wanted = here.services()
        await here.apply(here.key, wanted)
        await assert_nothing_to_do(here, wanted, here.key)


async def test_an_organization_with_its_pin_and_the_edge_reads_back_as_it_was_written(lab: Lab) -> None:
    async with scene(lab) as here:
        new = replace(here.network(), edge_networks=())
        assert new.services, "the lab has an edge"
        changes = await here.apply(here.home, new)
        name, pin = here.network_name, new.services[0].name
        assert [str(change) for change in changes.changes] == [f"+ network {name}", f"+ service {pin}"]
        network = here.api.get(f"/networks/{name}")
        wanted = here.network()
        assert [s.spec["TaskTemplate"]["Networks"] for s in new.services] == [[{"Target": name}]]
        assert [s.spec["TaskTemplate"]["Networks"] for s in wanted.services] == [[{"Target": network["Id"]}]]
        assert here.cluster.plan(here.home, replace(wanted, edge_networks=()), ()).changes == ()
        await here.complete(wanted)
        changes = await here.apply(here.home, wanted)
        assert [str(change) for change in changes.changes] == [f"~ edge joins network {name}"]
        await assert_nothing_to_do(here, wanted, here.home)
        joined = here.api.get(f"/containers/{here.edge()}/json")["NetworkSettings"]["Networks"][name]
        assert network["IPAM"]["Config"][0]["Subnet"] == here.subnet
        assert int(joined["IPAddress"].rsplit(".", 1)[1]) >= 128, "the edge's address is not one of the tasks' half"


def container(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["TaskTemplate"]["ContainerSpec"]
    return found


@pytest.mark.parametrize(
    ("hand", "path"),
    [
        (lambda s: s["Mode"].update(Replicated={"Replicas": 1}), "Mode.Replicated"),
        (lambda s: s["Labels"].update(extra=""), "Labels.extra"),
        (lambda s: s["Labels"].pop("io.skypanel.spec-hash"), "Labels.io.skypanel.spec-hash"),
        (lambda s: container(s).update(Image="127.0.0.1:5000/skypanel/web:2"), "TaskTemplate.ContainerSpec.Image"),
        (lambda s: container(s)["Env"].append("DEBUG=1"), "TaskTemplate.ContainerSpec.Env"),
        (lambda s: container(s).update(CapabilityAdd=["CAP_NET_ADMIN"]), "TaskTemplate.ContainerSpec.CapabilityAdd"),
        (lambda s: container(s)["Privileges"].update(NoNewPrivileges=False), "TaskTemplate.ContainerSpec.Privileges"),
        (lambda s: container(s).update(ReadOnly=False), "TaskTemplate.ContainerSpec.ReadOnly"),
        (lambda s: container(s).update(Mounts=None), "TaskTemplate.ContainerSpec.Mounts"),
        (lambda s: s["TaskTemplate"].update(Placement={"Constraints": ["node.id==x"]}), "TaskTemplate.Placement"),
        (lambda s: s["TaskTemplate"]["Networks"][0].update(Aliases=["web"]), "TaskTemplate.Networks"),
        (lambda s: s["TaskTemplate"]["Resources"]["Limits"].pop("Pids"), "TaskTemplate.Resources.Limits"),
        (lambda s: s["TaskTemplate"].pop("LogDriver"), "TaskTemplate.LogDriver"),
        (lambda s: s["TaskTemplate"].pop("RestartPolicy"), "TaskTemplate.RestartPolicy"),
        (lambda s: s.pop("UpdateConfig"), "UpdateConfig"),
        (lambda s: s.pop("RollbackConfig"), "RollbackConfig"),
        (lambda s: s.pop("EndpointSpec"), "EndpointSpec"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
async def test_what_somebody_changed_is_seen_and_put_back(
    lab: Lab, hand: Callable[[dict[str, Any]], object], path: str
) -> None:
    async with scene(lab) as here:
        service, live = await here.stand()
        rows = (InventoryRow("service", service.name, live.id, service.hash, state="present"),)
        here.change(service.name, hand)
        await here.cluster.refresh_all()
        (change,) = here.cluster.plan(here.key, here_objects(service), rows).changes
        assert (change.action, change.cause) == ("update", "Repaired")
        assert [d.path for d in change.differences if d.path.startswith(path)] == [d.path for d in change.differences]
        await here.converge(here.key, here_objects(service), rows)
        assert service_differences(service.spec, here.stored(service.name)["Spec"]) == []


def here_objects(service: Service) -> Objects:
    return Objects((service,))


async def test_a_restart_that_somebody_asked_for_is_no_difference_and_stays_done(lab: Lab) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        here.change(service.name, lambda spec: spec["TaskTemplate"].update(ForceUpdate=3))
        await assert_nothing_to_do(here, here_objects(service), here.key)
        await here.apply(here.key, here.services(port=9000))
        assert here.stored(service.name)["Spec"]["TaskTemplate"]["ForceUpdate"] == 3
