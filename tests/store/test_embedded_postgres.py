"""The private server survives what happens to it: crashes, stale files, many callers."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deploy.postgres import PostgresError, Server
from deploy.postgres.__main__ import main
from deploy.postgres.cluster import wait_until
from deploy.postgres.server import LOGINS, OWNER, named

NAME = "lifecycle"
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server in a folder of its own: short for the socket, and open to the account that the server runs as."""
    with tempfile.TemporaryDirectory(prefix="skypanel-") as lab:
        Path(lab).chmod(0o711)
        monkeypatch.setenv("SKYPANEL_LAB", lab)
        server = named(NAME, durable=False)
        yield server
        if server.cluster.folder.exists():
            server.destroy()


def alive(server: Server) -> bool:
    with server.connect(OWNER, "skypanel") as conn:
        return conn.execute("SELECT 1").fetchone() == (1,)


def test_up_can_be_said_again_and_again(own_server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", NAME]) == 0
    first = (own_server.pid(), capsys.readouterr().out)
    assert main(["up", NAME]) == 0
    assert (own_server.pid(), capsys.readouterr().out) == first
    for role in (OWNER, *LOGINS):
        assert f"postgresql://{role}@/skypanel?host=" in first[1]
        with psycopg.connect(own_server.dsn_for(role)) as conn:
            assert conn.execute("SELECT current_user").fetchone() == (role,)
    assert main(["down", NAME, "--purge"]) == 0
    assert not own_server.exists
    assert main(["down", NAME]) == 0


def test_nobody_else_can_reach_the_socket_or_the_data(own_server: Server) -> None:
    own_server.up()
    for folder in (own_server.socket_dir, own_server.cluster.data):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert folder.stat().st_uid == own_server.cluster.account.uid
    with own_server.connect() as conn:
        assert conn.execute("SHOW listen_addresses").fetchone() == ("",)


def test_it_starts_again_after_its_main_process_was_killed(own_server: Server) -> None:
    own_server.up()
    own_server.kill()
    assert own_server.pid() is None
    own_server.up()
    assert alive(own_server)


def test_a_pid_file_that_names_somebody_elses_process_does_not_stop_it(own_server: Server) -> None:
    own_server.up()
    with own_server.connect() as conn:
        backends = [pid for (pid,) in conn.execute("SELECT pid FROM pg_stat_activity")]
    own_server.kill()
    wait_until(lambda: not any(map(own_server.cluster.has_process, backends)), "a child is still there")
    sleeper = subprocess.Popen(["sleep", "60"], user=own_server.cluster.account.uid)
    try:
        pid_file = own_server.cluster.data / "postmaster.pid"
        pid_file.write_text(f"{sleeper.pid}\n{pid_file.read_text().partition(chr(10))[2]}")
        assert own_server.pid() is None
        own_server.up()
        assert alive(own_server)
        assert sleeper.poll() is None
    finally:
        sleeper.send_signal(signal.SIGKILL)
        sleeper.wait()


def test_a_crash_during_initdb_leaves_nothing_that_looks_finished(own_server: Server) -> None:
    half = own_server.cluster.folder / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("15\n")
    own_server.up()
    assert alive(own_server)
    assert not half.exists()


def test_data_in_memory_that_a_reboot_has_taken_is_made_anew(own_server: Server) -> None:
    own_server.up()
    own_server.stop("immediate")
    shutil.rmtree(own_server.cluster.data.resolve())
    assert not own_server.exists
    own_server.up()
    assert alive(own_server)
    where = own_server.cluster.data.resolve()
    own_server.destroy()
    assert not where.exists()


def test_several_processes_may_bring_it_up_at_once(own_server: Server) -> None:
    command = [sys.executable, "-m", "deploy.postgres", "up", NAME, "--json"]
    runs = [subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    outputs = {run.communicate(timeout=60)[0] for run in runs}
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len(outputs) == 1
    assert alive(own_server)


def test_stop_and_restart_break_connections_and_keep_the_data(own_server: Server) -> None:
    own_server.up()
    with own_server.connect(OWNER, "skypanel") as conn:
        conn.execute("CREATE TABLE kept (a int)")
        own_server.restart()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    with own_server.connect(OWNER, "skypanel") as conn:
        conn.execute("SELECT * FROM kept")
    own_server.stop("immediate")
    with pytest.raises(psycopg.OperationalError):
        own_server.connect()


def test_each_created_database_is_migrated_and_alone(server: Server) -> None:
    names = [f"test_{os.getpid()}_alone_{n}" for n in range(2)]
    try:
        for name in names:
            server.create_database(name)
        with server.connect(OWNER, names[0]) as conn:
            conn.execute("INSERT INTO paas_plans (name, cpu_limit, memory_mb) VALUES ('only-here', 1, 64)")
        with server.connect(OWNER, names[1]) as conn:
            assert conn.execute("SELECT count(*) FROM paas_plans").fetchone() == (0,)
    finally:
        for name in names:
            server.drop_database(name)


def test_a_bad_name_and_a_bad_pgbin_are_explained(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], own_server: Server
) -> None:
    assert main(["up", "../x"]) == 1
    assert "not a server name" in capsys.readouterr().err
    monkeypatch.setenv("PGBIN", "/nowhere")
    with pytest.raises(PostgresError, match=r"\$PGBIN is /nowhere, where there is no postgres"):
        own_server.up()


def test_a_folder_too_deep_for_a_socket_is_explained(own_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = own_server.cluster.folder.parent / ("d" * 90)
    monkeypatch.setenv("SKYPANEL_LAB", str(deep))
    with pytest.raises(PostgresError, match="set SKYPANEL_LAB to a shorter path"):
        named(NAME).up()
