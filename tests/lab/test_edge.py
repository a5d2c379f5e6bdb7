"""Traefik as the edge: it routes, it sees the engine through a read-only door only, and joins networks in place."""

import http.client
import time
from collections.abc import Iterator, Mapping

import anyio
import pytest

from controller.swarm import routers
from deploy import traefik
from deploy.engine import IMAGE_PREFIX, EngineApi, Lab
from tests.lab.support import eventually, fetch, in_state, remove

SUBNET, RANGE, EDGE_ADDRESS = "10.140.0.0/24", "10.140.0.0/25", "10.140.0.254"
PASSWORD = "of-the-edge-4711"


@pytest.fixture(scope="module")
def edge(lab: Lab) -> Iterator[str]:
    """The edge's container."""
    traefik.deploy(lab.api())
    yield traefik.wait(lab.api(), traefik.SERVICE)
    for name in (traefik.SERVICE, traefik.PAGE_SERVICE, traefik.SOCKET_SERVICE):
        remove(lab.api(), name)


def routed_service(api: EngineApi, name: str, network: str, host: str, *arguments: str) -> None:
    api.post(
        "/services/create",
        {
            "Name": name,
            "Labels": {
                "traefik.enable": "true",
                f"traefik.http.routers.{name}.rule": f"Host(`{host}`)",
                f"traefik.http.services.{name}.loadbalancer.server.port": "8080",
                "traefik.swarm.network": network,
            },
            "TaskTemplate": {
                "ContainerSpec": {"Image": f"{IMAGE_PREFIX}/web:1", "Args": list(arguments)},
                "Networks": [{"Target": network}],
            },
            "EndpointSpec": {"Mode": "dnsrr"},
        },
    )


def answer_inside(api: EngineApi, network: str, target: str, port: int, request: str) -> str:
    """First line of what a container on ``network`` is answered."""
    script = f"printf '{request}' | nc -w 5 {target} {port} | head -n 1"
    name = "knock"
    api.post(
        "/services/create",
        {
            "Name": name,
            "TaskTemplate": {
                "ContainerSpec": {"Image": f"{IMAGE_PREFIX}/web:1", "Command": ["sh", "-c", script]},
                "Networks": [{"Target": network}],
                "RestartPolicy": {"Condition": "none"},
            },
            "EndpointSpec": {"Mode": "dnsrr"},
        },
    )
    try:
        eventually(lambda: in_state(api, name, "complete"), what="the answer came")
        return str(eventually(lambda: api.call("GET", f"/services/{name}/logs", query={"stdout": "true"})))
    finally:
        remove(api, name)


def test_deploying_again_writes_nothing(lab: Lab, edge: str) -> None:
    before = lab.api().get(f"/services/{traefik.SERVICE}")["Version"]
    assert traefik.deploy(lab.api()) == []
    assert lab.api().get(f"/services/{traefik.SERVICE}")["Version"] == before


def test_the_edge_has_no_right_that_it_does_not_need(lab: Lab, edge: str) -> None:
    container = lab.api().get(f"/containers/{edge}/json")
    assert container["Config"]["User"] == "65534:65534"
    assert container["HostConfig"]["ReadonlyRootfs"]
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert not container["HostConfig"]["CapAdd"]
    assert "no-new-privileges" in str(container["HostConfig"]["SecurityOpt"])
    assert container["Mounts"] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1.44/services", "200"),
        ("GET", "/v1.44/nodes", "403"),
        ("GET", "/v1.44/secrets", "403"),
        ("GET", "/v1.44/containers/json", "403"),
        ("GET", "/v1.44/services/../secrets", "403"),
        ("POST", "/v1.44/services/create", "405"),
        ("DELETE", "/v1.44/services/x", "405"),
    ],
)
def test_the_door_to_the_engine_lets_only_the_edges_reads_through(
    lab: Lab, edge: str, method: str, path: str, status: str
) -> None:
    request = f"{method} {path} HTTP/1.0\\r\\nHost: engine\\r\\n\\r\\n"
    target = f"tasks.{traefik.SOCKET_SERVICE}"
    assert f" {status} " in answer_inside(lab.api(), traefik.SOCKET_SERVICE, target, 2375, request)


def test_a_network_joined_in_place_is_routed_and_never_takes_a_tasks_address(
    lab: Lab, edge: str, lab_port: int
) -> None:
    """Swarm does not know the address that a connect takes; outside of IPRange there can be no clash."""
    api = lab.api()
    ipam = {"Config": [{"Subnet": SUBNET, "IPRange": RANGE}]}
    network = api.post("/networks/create", {"Name": "org-a", "Driver": "overlay", "IPAM": ipam})["Id"]
    routed_service(api, "app", "org-a", "app.example.com")
    try:
        eventually(lambda: in_state(api, "app", "running"), what="app runs")
        endpoint = {"IPAMConfig": {"IPv4Address": EDGE_ADDRESS}}
        api.post(f"/networks/{network}/connect", {"Container": edge, "EndpointConfig": endpoint})
        eventually(lambda: fetch(lab_port, host="app.example.com")[0] == 200, what="app is routed")
        spec = api.get("/services/app")
        spec["Spec"]["Mode"] = {"Replicated": {"Replicas": 4}}
        api.post(f"/services/{spec['ID']}/update", spec["Spec"], version=spec["Version"]["Index"])
        eventually(lambda: len(in_state(api, "app", "running")) == 4, what="four run")
        assert not in_state(api, "app", "failed")
    finally:
        api.post(f"/networks/{network}/disconnect", {"Container": edge, "Force": True})
        remove(api, "app")
        api.delete(f"/networks/{network}")


# -- how long a request may take, and who may ask the edge ----------------------------------------------------------


@pytest.fixture
def reader(lab: Lab, edge: str) -> Iterator[str]:
    """A host whose application reads all that is sent; it is on the edge's own network."""
    routed_service(lab.api(), "reader", traefik.NETWORK, "reader.example.com", "keepalive")
    yield "reader.example.com"
    remove(lab.api(), "reader")


def slow_upload(port: int, host: str, *, seconds: float) -> int:
    """Status of a request whose body takes so long to arrive; 0 when the connection is cut without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def body() -> Iterator[bytes]:
        for _ in range(10):
            time.sleep(seconds / 10)
            yield b"x" * 1000

    try:
        connection.request("POST", "/", body=body(), headers={"Host": host, "Content-Length": "10000"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def test_an_upload_may_take_as_long_as_the_edge_was_told(lab: Lab, lab_port: int, reader: str) -> None:
    api = lab.api()
    eventually(lambda: fetch(lab_port, host=reader)[0] == 200, what="it is routed")
    assert slow_upload(lab_port, reader, seconds=4) == 200
    try:
        traefik.deploy(api, read_timeout="1s")
        eventually(lambda: routed(lab_port, reader), what="it is routed again")
        assert slow_upload(lab_port, reader, seconds=4) != 200, "the setting has no effect"
    finally:
        traefik.deploy(api)


def test_the_edge_s_api_answers_the_controller_and_no_tenant(
    lab: Lab, lab_port: int, api_port: int, reader: str
) -> None:
    """A tenant reaches the edge's address on its network, and the port of the node; it has no password."""
    api = lab.api()
    try:
        traefik.deploy(api, api_password=PASSWORD)
        read = routers.traefik(f"http://skypanel:{PASSWORD}@127.0.0.1:{api_port}")
        eventually(lambda: routed(lab_port, reader), what="it is routed again")
        eventually(lambda: says(read).get("reader@swarm") == "", what="the edge has its own router and the reader's")
        container = traefik.wait(api, traefik.SERVICE)
        on = api.get(f"/containers/{container}/json")["NetworkSettings"]["Networks"]
        for target in (on[traefik.NETWORK]["IPAddress"], api.get("/info")["Swarm"]["NodeAddr"]):
            for path in ("/api/http/routers", "/api/rawdata"):
                request = f"GET {path} HTTP/1.0\\r\\nHost: edge\\r\\n\\r\\n"
                assert " 401 " in answer_inside(api, traefik.NETWORK, target, traefik.API_PORT, request)
    finally:
        traefik.deploy(api)


def says(read: routers.Read) -> Mapping[str, str]:
    """The edge's routers; none until it has read its own label."""
    try:
        return anyio.run(read)
    except routers.EdgeSilent:
        return {}


def routed(port: int, host: str) -> bool:
    """Whether the host answers, also while the edge is restarting."""
    try:
        return fetch(port, host=host)[0] == 200
    except OSError:
        return False
