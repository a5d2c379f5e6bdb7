"""A live service as a Compose file would have it: what it becomes is said in one place, and no value is shown."""

from __future__ import annotations

from typing import Any

import pytest

from specs.compose.convert import Result, Wanted, convert
from specs.compose.live import compose_text, mode, variables
from specs.compose.project import read_project

SECRET = "pl4nt3d"


def service(container: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {
        "Name": "blog_web",
        "Labels": {"com.docker.stack.namespace": "blog"},
        "TaskTemplate": {"ContainerSpec": {"Image": "web:1", **container}},
        "Mode": {"Replicated": {"Replicas": 2}},
        **spec,
    }


def becomes(*specs: dict[str, Any]) -> Result:
    text = compose_text(specs, lambda _: "web")
    return convert(read_project([("services", text)], lambda file, named: (file, named)), Wanted("acme"))


def test_what_has_a_counterpart_becomes_it() -> None:
    labels = {
        "traefik.http.routers.blog.rule": "Host(`blog.example.com`)",
        "traefik.http.services.blog.loadbalancer.server.port": "3000",
    }
    found = becomes(
        service(
            {
                "Command": ["/run"],
                "Args": ["a$b", "c"],
                "StopSignal": "SIGINT",
                "StopGracePeriod": 30_000_000_000,
                "Hosts": ["203.0.113.7 db.example.com"],
                "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 65536}],
                "Healthcheck": {"Test": ["CMD", "/check"], "Interval": 5_000_000_000, "Retries": 2},
                "Mounts": [{"Type": "tmpfs", "Target": "/run", "TmpfsOptions": {"SizeBytes": 67108864}}],
            },
            Labels=labels,
        )
    )
    for line in (
        "replicas: 2",
        "- a$b",
        "stopSignal: SIGINT",
        "stopGracePeriod: 30s",
        "db.example.com: 203.0.113.7",
        "nofile: 65536",
        "interval: 5s",
        "size: 64Mi",
        "port: 3000",
        "name: blog.example.com",
    ):
        assert line in found.text
    assert not found.notes, [str(note) for note in found.notes]


@pytest.mark.parametrize(
    ("container", "spec", "field"),
    [
        ({"Mounts": [{"Type": "volume", "Source": "data", "Target": "/data"}]}, {}, "volumes"),
        ({"Secrets": [{"SecretName": "token"}]}, {}, "secrets"),
        ({"Configs": [{"ConfigName": "motd"}]}, {}, "configs"),
        ({"CapabilityAdd": ["CAP_NET_ADMIN"]}, {}, "cap_add"),
        ({"Dir": "/srv"}, {}, "working_dir"),
        ({}, {"EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080, "Protocol": "tcp"}]}}, "ports"),
    ],
)
def test_what_has_none_is_told(container: dict[str, Any], spec: dict[str, Any], field: str) -> None:
    assert field in {note.field for note in becomes(service(container, **spec)).notes}


def test_a_constraint_is_told() -> None:
    placed = service({})
    placed["TaskTemplate"]["Placement"] = {"Constraints": ["node.labels.disk == ssd"]}
    assert "deploy.placement" in {note.field for note in becomes(placed).notes}


def test_values_of_variables_are_in_nothing_that_is_shown() -> None:
    spec = service({"Env": [f"TOKEN={SECRET}", "PORT=8080", "EMPTY="]})
    found = becomes(spec)
    assert SECRET not in found.text + str(found.notes)
    assert "port: 8080" in found.text
    assert variables(spec) == {"TOKEN": SECRET, "PORT": "8080", "EMPTY": ""}


def test_a_task_a_node_and_a_job_are_told_apart() -> None:
    found: list[dict[str, Any]] = [{"Replicated": {}}, {"Global": {}}, {"ReplicatedJob": {}}, {"GlobalJob": {}}]
    assert [mode({"Mode": each}) for each in found] == ["", "global", "replicatedjob", "globaljob"]
