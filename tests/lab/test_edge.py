"""Traefik as the edge: it routes, it sees the engine through a read-only door only, and joins networks in place."""

from collections.abc import Iterator

import pytest

from deploy import traefik
from deploy.engine import IMAGE_PREFIX, EngineApi, Lab
from tests.lab.support import eventually, fetch, in_state, remove

SUBNET, RANGE, EDGE_ADDRESS = "10.140.0.0/24", "10.140.0.0/25", "10.140.0.254"


@pytest.fixture(scope="module")
def edge(lab: Lab) -> Iterator[str]:
    """The edge's container."""
    traefik.deploy(lab.api())
    yield traefik.wait(lab.api(), traefik.SERVICE)
    for name in (traefik.SERVICE, traefik.SOCKET_SERVICE):
        remove(lab.api(), name)


def routed_service(api: EngineApi, name: str, network: str, host: str) -> None:
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
                "ContainerSpec": {"Image": f"{IMAGE_PREFIX}/web:1"},
                "Networks": [{"Target": network}],
            },
            "EndpointSpec": {"Mode": "dnsrr"},
        },
    )


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
    api = lab.api()
    request = f"{method} {path} HTTP/1.0\\r\\nHost: engine\\r\\n\\r\\n"
    script = f"printf '{request}' | nc -w 5 tasks.{traefik.SOCKET_SERVICE} 2375 | head -n 1"
    name = "knock"
    api.post(
        "/services/create",
        {
            "Name": name,
            "TaskTemplate": {
                "ContainerSpec": {"Image": f"{IMAGE_PREFIX}/web:1", "Command": ["sh", "-c", script]},
                "Networks": [{"Target": traefik.SOCKET_SERVICE}],
                "RestartPolicy": {"Condition": "none"},
            },
            "EndpointSpec": {"Mode": "dnsrr"},
        },
    )
    try:
        eventually(lambda: in_state(api, name, "complete"), what="the answer came")
        answer = eventually(lambda: api.call("GET", f"/services/{name}/logs", query={"stdout": "true"}))
        assert f" {status} " in answer
    finally:
        remove(api, name)


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
