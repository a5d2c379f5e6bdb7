"""A private engine: what it is, that it comes back from anything, and that nothing of it stays."""

import http.client
import os
import signal
import socket
from pathlib import Path

import pytest

from deploy import engine
from deploy.engine import IMAGE_PREFIX, EngineApi, Lab, sandbox
from deploy.engine.errors import LabError
from tests.lab.support import NAME, eventually, fetch, free_port, in_state, remove, service


def host_interfaces() -> set[str]:
    return {line.split(":")[0].strip() for line in Path("/proc/net/dev").read_text().splitlines() if ":" in line}


def lab_mounts(name: str) -> list[str]:
    return [line for line in Path("/proc/self/mounts").read_text().splitlines() if f"/{name}/" in line]


def test_it_is_a_swarm_manager_that_the_controller_accepts(lab: Lab) -> None:
    info, version = lab.api().get("/info"), lab.api().get("/version")
    assert info["Swarm"]["ControlAvailable"]
    assert info["Name"] == f"{NAME}-n1"
    assert tuple(map(int, version["ApiVersion"].split("."))) >= (1, 44)


def test_a_second_up_starts_and_loads_nothing(lab: Lab, lab_port: int) -> None:
    before = sandbox.find(lab.nodes[0].daemon.folder), lab.nodes[0].daemon.pids(), lab.api().get("/events", until="0")
    again = engine.up(NAME, images=["web", "pause"], forwards=[f"{lab_port}:80"])
    assert (again.nodes[0].daemon.sandbox, again.nodes[0].daemon.pids(), before[2]) == before
    assert again.description == lab.description


def test_changing_its_size_is_refused(lab: Lab) -> None:
    with pytest.raises(LabError, match=f"down {NAME}, then up again"):
        engine.up(NAME, nodes=3)


def test_a_published_port_is_reached_from_the_host_and_the_hosts_network_is_untouched(lab: Lab, lab_port: int) -> None:
    api, before = lab.api(), host_interfaces()
    service(api, "hello", "web:1", port=80, User="12345", ReadOnly=True, CapabilityDrop=["ALL"])
    try:
        eventually(lambda: in_state(api, "hello", "running"), what="hello runs")
        status, body = fetch(lab_port, "/some/path", host="hello.example.com")
        assert status == 200
        assert "image 1 path /some/path host hello.example.com" in body
        assert fetch(lab_port, "/healthz") == (200, "ok\n")
        assert host_interfaces() == before
    finally:
        remove(api, "hello")


def test_a_port_where_nothing_listens_is_reset_and_not_left_hanging(lab: Lab, lab_port: int) -> None:
    with pytest.raises((ConnectionError, http.client.BadStatusLine)):
        fetch(lab_port)


@pytest.mark.parametrize("image", ["web:2", "pause:1"])
def test_an_image_ends_at_once_when_asked_to(lab: Lab, image: str) -> None:
    api = lab.api()
    container = api.post("/containers/create", {"Image": f"{IMAGE_PREFIX}/{image}"})["Id"]
    api.post(f"/containers/{container}/start")
    eventually(lambda: _catches_sigterm(api, container), what="it catches SIGTERM")  # before, process 1 is not told
    api.post(f"/containers/{container}/stop", t="20")
    state = api.get(f"/containers/{container}/json")["State"]
    api.delete(f"/containers/{container}")
    assert (state["Status"], state["ExitCode"]) == ("exited", 0), "ended by itself, not by SIGKILL"


def _catches_sigterm(api: EngineApi, container: str) -> bool:
    look = "while read -r name mask && [ $name != SigCgt: ]; do :; done </proc/1/status; exit $((0x$mask >> 14 & 1))"
    run = api.post(f"/containers/{container}/exec", {"Cmd": ["/bin/sh", "-c", look]})["Id"]
    api.post(f"/exec/{run}/start", {"Detach": True})
    eventually(lambda: not api.get(f"/exec/{run}/json")["Running"], what="it has looked")
    return bool(api.get(f"/exec/{run}/json")["ExitCode"] == 1)


def test_web_can_be_made_to_crash_and_to_be_unhealthy(lab: Lab) -> None:
    api = lab.api()
    check = {"Test": ["CMD", "/bin/web", "health"], "Interval": 200_000_000, "Retries": 1, "Timeout": 2_000_000_000}
    service(api, "crash", "web:1", Args=["crash", "7"])
    service(api, "sick", "web:1", Args=["unhealthy"], HealthCheck=check)
    service(api, "well", "web:1", HealthCheck=check)
    try:
        failed = eventually(lambda: in_state(api, "crash", "failed"), what="crash failed")
        assert failed[0]["Status"]["ContainerStatus"]["ExitCode"] == 7
        eventually(lambda: in_state(api, "well", "running"), what="well is healthy")
        # Swarm stops an unhealthy task; one that then exits with 0, as this does, is "complete" and not
        # "failed".
        eventually(lambda: in_state(api, "sick", "complete"), what="sick was stopped")
    finally:
        for name in ("crash", "sick", "well"):
            remove(api, name)


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_an_engine_that_ended_comes_back_with_its_services(lab: Lab, how: str) -> None:
    api, daemon = lab.api(), lab.nodes[0].daemon
    identity = service(api, f"after-{how}", "pause:1")
    try:
        eventually(lambda: in_state(api, f"after-{how}", "running"), what="it runs")
        getattr(daemon, how)()
        assert not api.answers()
        engine.up(NAME)
        assert api.get(f"/services/after-{how}")["ID"] == identity
    finally:
        engine.up(NAME)
        remove(api, f"after-{how}")


def test_a_node_that_lost_power_comes_back_with_its_data_and_its_forward(scratch_name: str) -> None:
    lab = engine.up(scratch_name, images=["pause"])
    network = lab.api().post("/networks/create", {"Name": "kept", "Driver": "overlay"})["Id"]
    os.kill(lab.nodes[0].daemon.sandbox.pid, signal.SIGKILL)
    os.kill(lab.switch.pid, signal.SIGKILL)
    eventually(lambda: engine.find(scratch_name) is None, what="the sandbox is gone")
    again = engine.up(scratch_name)
    assert again.api().get("/networks/kept")["Id"] == network


def test_down_leaves_no_process_mount_cgroup_or_folder_while_tasks_run(scratch_name: str) -> None:
    lab = engine.up(scratch_name, images=["pause"])
    service(lab.api(), "sleeper", "pause:1")
    eventually(lambda: in_state(lab.api(), "sleeper", "running"), what="it runs")
    lab.nodes[0].daemon.kill()
    home = lab.nodes[0].daemon.folder.parent
    engine.down(scratch_name)
    assert not [mark for mark in sandbox.marks() if Path(mark).parent == home]
    assert not lab_mounts(scratch_name)
    assert not list(Path("/sys/fs/cgroup").glob(f"*/skypanel-lab/{scratch_name}-*"))
    assert not list(home.parent.glob(f"*{scratch_name}*/*"))


def test_down_frees_a_forwarded_port_although_a_client_keeps_its_connection(scratch_name: str) -> None:
    port = free_port()
    lab = engine.up(scratch_name, images=["web"], forwards=[f"{port}:8080"])
    service(lab.api(), "kept", "web:1", port=8080)
    eventually(lambda: in_state(lab.api(), "kept", "running"), what="it runs")
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    client.request("GET", "/")
    assert client.getresponse().read()
    engine.down(scratch_name)
    socket.create_server(("127.0.0.1", port)).close()
    client.close()


def test_down_cleans_up_when_the_folder_was_removed_by_hand(scratch_name: str) -> None:
    lab = engine.up(scratch_name)
    home = lab.nodes[0].daemon.folder.parent
    home.rename(home.with_name("lab-moved"))
    try:
        engine.down(scratch_name)
        assert not [mark for mark in sandbox.marks() if Path(mark).parent == home]
    finally:
        home.with_name("lab-moved").rename(home)


def test_three_nodes_form_one_swarm_and_a_cut_off_node_is_noticed(scratch_name: str) -> None:
    lab = engine.up(scratch_name, nodes=3, images=["pause"])
    states = {node["Description"]["Hostname"]: node for node in lab.api().get("/nodes")}
    assert sorted(states) == [f"{scratch_name}-n{index}" for index in (1, 2, 3)]

    def state(index: int) -> str:
        found = [n for n in lab.api().get("/nodes") if n["Description"]["Hostname"].endswith(f"n{index}")]
        return str(found[0]["Status"]["State"])

    lab.cut(2)
    eventually(lambda: state(2) == "down", what="node 2 is down")
    assert state(3) == "ready"
    lab.heal(2)
    eventually(lambda: state(2) == "ready", what="node 2 is back")


def test_the_old_engine_speaks_an_api_that_the_controller_refuses(scratch_name: str) -> None:
    lab = engine.up(scratch_name, suite="bookworm")
    assert lab.api().get("/version")["ApiVersion"] == "1.41"
    assert lab.api().get("/info")["Swarm"]["LocalNodeState"] == "active"


def test_a_client_connected_inside_the_nodes_network_works_outside(lab: Lab) -> None:
    node = lab.nodes[0]
    api = lab.api()
    container = api.post("/containers/create", {"Image": f"{IMAGE_PREFIX}/redis:7"})["Id"]
    api.post(f"/containers/{container}/start")
    try:
        networks = api.get(f"/containers/{container}/json")["NetworkSettings"]["Networks"]

        def connected() -> http.client.HTTPConnection | None:
            with node.network():
                connection = http.client.HTTPConnection(networks["bridge"]["IPAddress"], 6379, timeout=5)
                try:
                    connection.connect()
                except ConnectionError:
                    return None
                return connection

        connection = eventually(connected, what="redis accepts")
        assert connection is not None
        connection.sock.sendall(b"PING\r\n")
        assert connection.sock.recv(16) == b"+PONG\r\n"
        connection.close()
    finally:
        api.delete(f"/containers/{container}", force="true")
