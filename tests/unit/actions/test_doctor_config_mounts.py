"""What doctor concludes from what runs: whether a config can be executed on this engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from controller.actions.doctor.config_mounts import examine

CONTAINER = "4e1a400e2f09be6819a9c0df6ff074963c1b552e2d086163c446bc5109b2af93"
MOUNTS = f"""\
129 99 0:43 / / ro,relatime master:2 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/M7UKQYFT73QN3DQAOIJGOINIUE
130 129 0:47 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
131 129 0:48 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
145 131 0:52 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
148 129 254:0 /var/lib/docker/containers/{CONTAINER}/resolv.conf /etc/resolv.conf ro,relatime - ext4 /dev/vda rw
"""
CONFIG = "147 129 0:45 /yogez6svgr9htn2jrckohgob3 /etc/haproxy/haproxy.cfg ro,{}relatime master:3 - tmpfs tmpfs ro\n"
NOT_CHECKED = ("ok", "not checked")


class Engine:
    """An engine with one task."""

    def __init__(self, command: str = "haproxy -db") -> None:
        self.command = command
        self.asked: list[str] = []

    def call(self, _method: str, path: str, query: object = None) -> Any:
        self.asked.append(path)
        if path == "/containers/json":
            assert query == {"filters": {"label": ["com.docker.swarm.task.id"], "status": ["running"]}}
            return [{"Id": CONTAINER, "Command": self.command}] if self.command else []
        return {"State": {"Pid": 70}}


def found(engine: Engine, processes: Path, *, local: bool = True) -> tuple[str, str]:
    (check,) = examine(engine, local=local, processes=processes)
    assert bool(check.mend) is (check.level == "fail")
    return check.level, check.message.partition(":")[0]


@pytest.fixture
def processes(tmp_path: Path) -> Path:
    (tmp_path / "70").mkdir()
    return tmp_path


def test_a_task_that_runs_behind_the_helper_proves_it(processes: Path) -> None:
    engine = Engine("/.skypanel/env /.skypanel/vars web")
    assert found(engine, processes, local=False) == ("ok", "tasks on this node are started through the helper")
    assert engine.asked == ["/containers/json"]


@pytest.mark.parametrize(
    ("flags", "level", "message"),
    [
        ("", "ok", "this engine lets configs be executed, as the helper is"),
        ("nosuid,nodev,noexec,", "fail", "this engine mounts configs so that they cannot be executed"),
    ],
)
def test_the_mount_of_any_config_tells(processes: Path, flags: str, level: str, message: str) -> None:
    (processes / "70/mountinfo").write_text(MOUNTS + CONFIG.format(flags))
    assert found(Engine(), processes) == (level, message)


def test_what_cannot_be_looked_at_is_not_judged(processes: Path) -> None:
    assert found(Engine(""), processes) == NOT_CHECKED
    assert found(Engine(), processes) == NOT_CHECKED, "it has ended"
    for mounts in ("", "1 2\n", MOUNTS, (MOUNTS + CONFIG.format("noexec,")).replace(CONTAINER, CONTAINER[::-1])):
        (processes / "70/mountinfo").write_text(mounts)
        assert found(Engine(), processes) == NOT_CHECKED
    (processes / "70/mountinfo").write_text(MOUNTS + CONFIG.format("noexec,"))
    assert found(Engine(), processes, local=False) == NOT_CHECKED, "another machine's processes are not here"
