"""What a task is run with beside its program, where it counts: in the running container, and as it reads back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.engine import Lab
from tests.swarm.harness import scene
from tests.swarm.test_read_back import assert_nothing_to_do
from tests.swarm.test_running_baseline import running

pytestmark = pytest.mark.anyio

SETTINGS: dict[str, Any] = {
    "stop_signal": "SIGINT",
    "tmpfs_paths": ["/tmp", "/data:size=8Mi"],
    "ulimits": {"nofile": 12_345, "memlock_mb": 4},
    "sysctls": {"net.core.somaxconn": 1234, "net.ipv4.ip_local_port_range": "20000 30000"},
    "extra_hosts": {"db": "10.1.2.3", "partner.example": "2001:db8::7"},
    "files": {"/etc/app/main.conf": "a = 1\nb = \u00fc\n", "/tmp/seed": "x", "/motd": "x"},
    "spread": "zone",
}


async def test_a_task_has_the_settings_that_were_declared(lab: Lab) -> None:
    async with scene(lab) as here:
        *_, process = await running(here, **SETTINGS)
        assert process.limit("Max open files") == ("12345", "12345")
        assert process.limit("Max locked memory") == (str(4 << 20), str(4 << 20))
        assert process.limit("Max core file size") == ("0", "0")
        assert f"size={8 * 1024}k" in process.mounts["/data"][2]
        assert f"size={64 * 1024}k" in process.mounts["/tmp"][2]
        root = Path(f"/proc/{process.pid}/root")
        for path, text in SETTINGS["files"].items():
            assert (root / path[1:]).read_text() == text
            assert "ro" in process.mounts[path][0]
        hosts = [line.split() for line in (root / "etc/hosts").read_text().splitlines()]
        assert ["10.1.2.3", "db"] in hosts
        assert ["2001:db8::7", "partner.example"] in hosts
        (container,) = here.api.get(
            "/containers/json", filters={"label": [f"io.skypanel.installation={here.options.installation}"]}
        )
        found = here.api.get(f"/containers/{container['Id']}/json")
        assert found["HostConfig"]["Sysctls"] == {
            "net.core.somaxconn": "1234",
            "net.ipv4.ip_local_port_range": "20000 30000",
        }
        assert found["Config"]["StopSignal"] == "SIGINT"


async def test_settings_read_back_as_they_were_written_and_can_be_taken_away(lab: Lab) -> None:
    async with scene(lab) as here:
        await here.stand()
        check = {"command": ["/bin/web", "health"], "start_period_seconds": 9, "start_interval_seconds": 0.5}
        wanted = here.services(**SETTINGS, region="eu", pool="gpu", healthcheck=check)
        assert [change.action for change in (await here.apply(here.key, wanted)).changes] == [
            "create",
            "create",
            "update",
        ]
        await assert_nothing_to_do(here, wanted, here.key)
        wanted = here.services()
        await here.apply(here.key, wanted)
        await assert_nothing_to_do(here, wanted, here.key)
