"""What the tests of the lab say about services, tasks and replies, in few words."""

import http.client
import os
import shutil
import socket
import time
from collections.abc import Callable

import pytest

from deploy.engine import IMAGE_PREFIX

NAME = "lab-tests"

needs_engine = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("apt-get") is None, reason="the lab needs root on a Debian machine"
)


def eventually(condition: Callable[[], object], *, seconds: float = 30.0, what: str = "the condition") -> object:
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


def service(api, name, image, *, port=None, **container):
    spec = {
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
    return api.post("/services/create", spec)["ID"]


def tasks(api, name):
    return api.get("/tasks", filters={"service": [name]})


def in_state(api, name, state):
    return [task for task in tasks(api, name) if task["Status"]["State"] == state]


def remove(api, name):
    api.delete(f"/services/{name}")
    containers = {"filters": {"label": [f"com.docker.swarm.service.name={name}"]}, "all": "true"}
    eventually(lambda: not api.get("/containers/json", **containers), what=f"{name} is gone")


def fetch(port, path="/", host="example.com"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()
