"""The security baseline where it counts: in the running container, by the kernel's word; and on the way there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controller.swarm.client import Document
from deploy.engine import Lab
from reconcilers.baseline import NOFILE
from reconcilers.outcomes import TerminalError
from tests.swarm.harness import SwarmHarness, scene, until
from tests.swarm.processes import Process, of_container

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024


async def running(here: SwarmHarness, **changes: Any) -> list[Process]:
    """The processes of the environment's one container."""
    await here.apply(here.home, here.network(edge_node=None))
    wanted = here.services(instances=1, **changes)
    await here.apply(here.key, wanted)
    await here.complete(wanted)
    filters = {"label": [f"com.docker.swarm.service.name={wanted.services[0].name}"], "status": ["running"]}
    (container,) = here.api.get("/containers/json", filters=filters)
    # A container counts as running before its program does: until then the runtime stands in for it.

    async def begun() -> list[Process]:
        processes = of_container(container["Id"])
        try:
            names = [process.status["Name"] for process in processes]
        except OSError:
            return []  # one has ended meanwhile
        return processes if "web" in names and not any(name.startswith("runc") for name in names) else []

    return await until(begun)


async def test_no_process_has_a_capability_or_can_get_one(lab: Lab) -> None:
    async with scene(lab) as here:
        processes = await running(here)
        assert processes
        for process in processes:
            status = process.status
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
                assert int(status[name], 16) == 0, (process, name)
            assert status["NoNewPrivs"] == "1"
            assert status["Seccomp"] == "2"


async def test_an_init_is_the_first_process_and_the_program_runs_as_the_user_that_was_asked_for(lab: Lab) -> None:
    async with scene(lab) as here:
        first, *others = await running(here, run_as="1234:5678")
        assert first.status["Name"] == "docker-init"
        assert "web" in {process.status["Name"] for process in others}
        for process in (first, *others):
            assert set(process.status["Uid"].split()) == {"1234"}
            assert set(process.status["Gid"].split()) == {"5678"}


async def test_the_root_is_read_only_and_what_is_writable_is_small_and_named(lab: Lab) -> None:
    async with scene(lab) as here:
        mounts = (await running(here, tmpfs_paths=["/tmp", "/run/app"]))[0].mounts
        assert "ro" in mounts["/"][0]
        for path in ("/tmp", "/run/app"):
            options, system, more = mounts[path]
            assert system == "tmpfs"
            assert {"rw", "nosuid", "nodev"} <= options
            assert f"size={64 * 1024}k" in more


async def test_limits_are_the_kernel_s(lab: Lab) -> None:
    plan = {
        "id": "00000000-0000-4000-8000-000000000001",
        "name": "s",
        "cpu_limit": 0.05,
        "memory_mb": 24,
        "pids_limit": 32,
    }
    async with scene(lab) as here:
        process = (await running(here, plan=plan, cpu_limit=None, memory_mb=None))[-1]
        assert process.control("pids", "pids.max", "pids.max") == "32"
        assert process.control("memory", "memory.limit_in_bytes", "memory.max") == str(24 * MIB)
        assert process.limit("Max core file size") == ("0", "0")
        assert process.limit("Max open files") == (str(NOFILE), str(NOFILE))


# -- an engine that drops a field ------------------------------------------------------------------------------------

Doctor = Callable[[Document], object]


def forgetful(here: SwarmHarness, monkeypatch: pytest.MonkeyPatch, doctor: Doctor) -> None:
    """Have the engine store specs without what ``doctor`` takes from them, as old ones do, and say that all is well."""
    write = here.client.request

    async def request(method: str, path: str, body: Any = None, query: Any = None, **rest: Any) -> Any:
        if path.startswith("/services/") and isinstance(body, dict):
            body = {**body, "TaskTemplate": {**body["TaskTemplate"]}}
            body["TaskTemplate"]["ContainerSpec"] = {**body["TaskTemplate"]["ContainerSpec"]}
            doctor(body["TaskTemplate"]["ContainerSpec"])
        return await write(method, path, body, query, **rest)

    monkeypatch.setattr(here.client, "request", request)


DOCTORS: dict[str, Doctor] = {
    "Privileges.NoNewPrivileges": lambda c: c.update(Privileges={**c["Privileges"], "NoNewPrivileges": False}),
    "Privileges.Seccomp": lambda c: c.update(Privileges={**c["Privileges"], "Seccomp": None}),
    "CapabilityDrop": lambda c: c.pop("CapabilityDrop"),
    "ReadOnly": lambda c: c.pop("ReadOnly"),
    "Ulimits": lambda c: c.pop("Ulimits"),
}


@pytest.mark.parametrize("field", DOCTORS)
async def test_a_service_that_the_engine_stored_without_a_field_is_taken_back(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    async with scene(lab) as here:
        await here.apply(here.home, here.network(edge_node=None))
        forgetful(here, monkeypatch, DOCTORS[field])
        with pytest.raises(TerminalError, match=f"dropped {field}") as refused:
            await here.apply(here.key, here.services())
        assert refused.value.reason == "SecurityBaselineLost"
        assert (
            here.api.get("/services", filters={"label": [f"io.skypanel.installation={here.options.installation}"]})
            == []
        )
        assert here.cluster.live.owned_services(here.key) == []


async def test_an_update_that_loses_a_field_leaves_the_service_as_it_was(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(lab) as here:
        service, _ = await here.stand()
        before = here.stored(service.name)["Spec"]
        with monkeypatch.context() as old:
            lost: list[object] = []

            def once(container: Document) -> None:
                if not lost:
                    lost.append(container.pop("CapabilityDrop"))

            forgetful(here, old, once)
            with pytest.raises(TerminalError, match="dropped CapabilityDrop"):
                await here.apply(here.key, here.services(port=9000))
        assert here.stored(service.name)["Spec"] == before
