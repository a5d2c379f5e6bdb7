"""What the tests of the lab say about services, tasks and replies, in few words."""

import http.client
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from deploy.engine import IMAGE_PREFIX, EngineApi

NAME = "lab-tests"

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, seconds: float = 60.0, what: str = "the condition") -> T:
    """The first true value of the condition; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.02)
    return value


def free_port() -> int:
    """A port of the loopback where nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def service(api: EngineApi, name: str, image: str, *, port: int | None = None, **container: Any) -> str:
    spec: dict[str, Any] = {
        "Name": name,
        "TaskTemplate": {
            "ContainerSpec": {"Image": f"{IMAGE_PREFIX}/{image}", **container},
            "RestartPolicy": {"Condition": "none"},
        },
        "EndpointSpec": {"Mode": "dnsrr"},
    }
    if port:
        spec["EndpointSpec"]["Ports"] = [
            {"Protocol": "tcp", "PublishedPort": port, "TargetPort": 8080, "PublishMode": "host"}
        ]
    return str(api.post("/services/create", spec)["ID"])


def tasks(api: EngineApi, name: str) -> list[dict[str, Any]]:
    return list(api.get("/tasks", filters={"service": [name]}))


def in_state(api: EngineApi, name: str, state: str) -> list[dict[str, Any]]:
    return [task for task in tasks(api, name) if task["Status"]["State"] == state]


def remove(api: EngineApi, name: str) -> None:
    api.delete(f"/services/{name}")
    containers = {"filters": {"label": [f"com.docker.swarm.service.name={name}"]}, "all": "true"}
    eventually(lambda: not api.get("/containers/json", **containers), what=f"{name} is gone")


def fetch(port: int, path: str = "/", host: str = "example.com") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
