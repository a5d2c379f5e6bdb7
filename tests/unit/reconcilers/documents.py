"""Snapshots as the database gives them, one by one and by the hundred."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from reconcilers.objects import HomeNetwork
from reconcilers.ports import Options
from specs.names import network_name, service_name
from specs.snapshots import EnvironmentSnapshot, OrganizationSnapshot

ENVIRONMENT_ID = UUID("e0000000-0000-4000-8000-000000000001")
ORGANIZATION_ID = UUID("00000000-0000-4000-8000-000000000002")
OTHER_ID = UUID("f0000000-0000-4000-8000-000000000003")
OPTIONS = Options(installation="blue", monitor_seconds=1.5)
ORG_ACME = network_name("acme", installation="blue", organization=ORGANIZATION_ID)
HOME = HomeNetwork("nx4ydrs8x5yh8kqcqz6eft1pm", ORG_ACME)
"""The network of the organization when it is live."""


def name_of(process_type: str = "web", swarm_name: str = "acme-shop-production") -> str:
    """Name of the service of a process of ``environment()``."""
    return service_name(
        swarm_name, process_type, installation="blue", organization=ORGANIZATION_ID, environment=ENVIRONMENT_ID
    )


def environment(**changes: Any) -> EnvironmentSnapshot:
    document: dict[str, Any] = {
        "id": str(ENVIRONMENT_ID),
        "name": "production",
        "swarm_name": "acme-shop-production",
        "suspended": False,
        "organization": {"id": str(ORGANIZATION_ID), "slug": "acme"},
        "app": {"id": str(OTHER_ID), "slug": "shop"},
        "image_ref": "registry.example.com/shop:1",
        "port": 8080,
        **changes,
    }
    return EnvironmentSnapshot.model_validate(document)


def organization(**changes: Any) -> OrganizationSnapshot:
    document = {"id": str(ORGANIZATION_ID), "slug": "acme", "name": "Acme", "network_prefix": 24, "suspended": False}
    return OrganizationSnapshot.model_validate(document | changes)


def process(type_: str, **changes: Any) -> dict[str, Any]:
    return {"id": str(OTHER_ID), "type": type_, **changes}


def domain(hostname: str, process_type: str = "web") -> dict[str, Any]:
    return {"id": str(OTHER_ID), "hostname": hostname, "process_type": process_type}


def plan(**changes: Any) -> dict[str, Any]:
    return {"id": str(OTHER_ID), "name": "small", "cpu_limit": 0.25, "memory_mb": 128, "pids_limit": 64, **changes}


_inner = st.text("az09-", max_size=61)
slugs = st.one_of(
    st.sampled_from("a0"), st.builds("{}{}{}".format, st.sampled_from("a0"), _inner, st.sampled_from("z9"))
)
words = st.lists(
    st.sampled_from(["/bin/app", "--port={{.Task.Slot}}", "", "two words", "ünï", "$HOME"]), max_size=3
).map(lambda rest: ["program", *rest])
ports = st.integers(1, 65535)
healthchecks = st.fixed_dictionaries(
    {"command": st.just(["/bin/check", "--fast"])},
    optional={
        "interval_seconds": st.integers(1, 60),
        "timeout_seconds": st.integers(1, 60),
        "retries": st.integers(1, 10),
        "start_period_seconds": st.integers(0, 60),
    },
)
processes = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "type": st.sampled_from(["web", "worker", "clock", "a", "release2", "a" * 20]),
        "port": ports,
    },
    optional={
        "command": st.none() | words,
        "args": st.none() | words,
        "instances": st.integers(0, 1000),
        "healthcheck": st.none() | healthchecks,
        "stop_grace_seconds": st.none() | st.integers(0, 3600),
    },
)
plans = st.fixed_dictionaries(
    {
        "id": st.uuids().map(str),
        "name": slugs,
        "cpu_limit": st.decimals("0.001", 64, places=3).map(float),
        "memory_mb": st.integers(4, 100_000),
        "pids_limit": st.integers(1, 4096),
    }
)


@st.composite
def environments(draw: st.DrawFn) -> EnvironmentSnapshot:
    """Any environment that the specs let through."""
    rows = draw(st.lists(processes, max_size=4, unique_by=lambda row: row["type"]))
    types = [row["type"] for row in rows] or ["web"]
    hostnames = draw(st.lists(slugs.map(lambda slug: f"{slug}.example.com"), max_size=3, unique=True))
    organization_slug, app, name = draw(slugs), draw(slugs), draw(slugs)
    return environment(
        id=str(draw(st.uuids())),
        name=name,
        swarm_name=f"{organization_slug}-{app}-{name}",
        suspended=draw(st.booleans()),
        organization={"id": str(draw(st.uuids())), "slug": organization_slug},
        app={"id": str(draw(st.uuids())), "slug": app},
        entrypoint=draw(st.none() | words),
        cmd=draw(st.none() | words),
        instances=draw(st.integers(0, 1000)),
        cpu_limit=draw(st.none() | st.decimals("0.001", 64, places=3).map(float)),
        memory_mb=draw(st.none() | st.integers(4, 100_000)),
        port=draw(ports),
        healthcheck=draw(st.none() | healthchecks),
        stop_grace_seconds=draw(st.integers(0, 3600)),
        read_only_root=draw(st.booleans()),
        tmpfs_paths=draw(st.lists(st.sampled_from(["/tmp", "/run", "/var/cache/app"]), unique=True)),
        run_as=draw(st.none() | st.sampled_from(["1000", "1000:1000", "0"])),
        plan=draw(st.none() | plans),
        processes=rows,
        domains=[
            {"id": str(draw(st.uuids())), "hostname": hostname, "process_type": draw(st.sampled_from(types))}
            for hostname in hostnames
        ],
    )
