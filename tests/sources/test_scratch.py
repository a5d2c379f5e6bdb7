"""What a killed process leaves of repositories is removed by the next one, and nothing that anybody uses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.sources import scratch
from controller.sources.fetching import Access, Repositories
from tests.git_server import GitServer
from tests.sources.conftest import source

HOLD = "from controller.sources import scratch; print(scratch.make(), flush=True); input()"


def begun(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process with a folder of its own, an hour old."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "TMPDIR": str(folder)},
    )  # fmt: skip
    assert process.stdout is not None
    made = Path(process.stdout.readline().strip())
    assert made.parent == folder
    (made / "x.git").mkdir()
    hour_ago(made)
    return process, made


def hour_ago(folder: Path, hours: int = 1) -> None:
    os.utime(folder, (time.time() - 3600 * hours,) * 2)


def test_folders_of_killed_processes_go_and_those_of_living_ones_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (killed, left), (living, used) = begun(tmp_path), begun(tmp_path)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    young, old, other = (tmp_path / f"{scratch.PREFIX}{name}" for name in ("young", "old", "other"))
    for folder in (young, old):
        folder.mkdir()
    hour_ago(old, 48)
    other.symlink_to(used)
    try:
        assert sorted(scratch.clear()) == sorted([left, old])
        assert [each.exists() for each in (left, old, used, young, other)] == [False, False, True, True, True]
        assert scratch.clear() == []
    finally:
        living.communicate("\n")
    assert not used.exists(), "one that ends by itself takes it along"


def test_repositories_have_a_bound_together_and_those_not_looked_at_longest_go(
    server: GitServer, tmp_path: Path
) -> None:
    commit = server.commit({"web.yaml": "x" * 1000})
    cleared: list[int] = []
    one = Repositories(tmp_path / "one", clear=lambda: cleared.append(1))
    access = Access(("127.0.0.1",), None)
    wanted = {name: source(server.url, id=name) for name in ("a", "b", "c")}
    one.fetch(wanted["a"], access)
    size = sum(file.stat().st_size for file in (tmp_path / "one").rglob("*") if file.is_file())
    both = Repositories(tmp_path / "both", most=int(size * 2.9))
    for name in ("a", "b", "a", "c"):
        assert both.fetch(wanted[name], access) == commit
    assert {name: both.place(each).exists() for name, each in wanted.items()} == {"a": True, "b": False, "c": True}
    assert both.fetch(wanted["b"], access) == commit
    assert not both.place(wanted["a"]).exists()
    none = Repositories(tmp_path / "none", most=1)
    assert none.fetch(wanted["a"], access) == commit
    assert none.place(wanted["a"]).exists(), "the one that was just fetched is read next"
    assert cleared == [1]
