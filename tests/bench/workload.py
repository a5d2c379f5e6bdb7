"""What is deployed: rows as the panel writes them, and the very documents that the controller makes of them.

Environments have 0 replicas: what is measured is the way to Swarm's store, not the start of containers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg

from reconcilers import labels
from reconcilers.environment.service import render
from reconcilers.objects import HomeNetwork, Network
from reconcilers.ports import Options
from specs.names import network_name
from specs.snapshots import EnvironmentSnapshot
from tests.bench.raw import request

IMAGE = "127.0.0.1:5000/skypanel/pause:1"
ENVIRONMENTS_PER_ORGANIZATION = 100
ENVIRONMENTS_PER_APP = 4
OPTIONS = Options(installation="skypanel", pin_image=IMAGE, allowed_registries=("127.0.0.1:5000",))


@dataclass(frozen=True, slots=True)
class Documents:
    """Bodies of the creates, networks first."""

    networks: list[dict[str, Any]]
    services: list[dict[str, Any]]

    def network_requests(self) -> list[bytes]:
        """Raw creates of the networks."""
        return [request("POST", "/networks/create", d) for d in self.networks]

    def service_requests(self) -> list[bytes]:
        """Raw creates of the services."""
        return [request("POST", "/services/create", d) for d in self.services]


def add_apps(connection: psycopg.Connection[Any], organizations: int, apps: int, *, prefix: str = "org") -> list[str]:
    """Organizations with ``apps`` apps each; the apps' ids, an organization's apps one after the other."""
    owner = _one(
        connection,
        "INSERT INTO users (email, password_hash, name) VALUES (%s, '!', 'Ops') RETURNING id",
        f"ops@{prefix}.example",
    )
    found: list[str] = []
    for number in range(organizations):
        slug = f"{prefix}{number}"
        tenant = _one(
            connection,
            "INSERT INTO organizations (name, slug, owner_id) VALUES (%s, %s, %s) RETURNING id",
            slug,
            slug,
            owner,
        )
        rows = connection.execute(
            "INSERT INTO paas_apps (organization_id, name, slug)"
            " SELECT %s, 'app ' || n, 'app' || n FROM generate_series(1, %s) AS n RETURNING id::text",
            (tenant, apps),
        ).fetchall()
        found += [row[0] for row in rows]
    return found


def add_environment(connection: psycopg.Connection[Any], app: str, name: str) -> str:
    """One environment with 0 replicas; its id. Autocommit: it is committed when this returns."""
    return _one(
        connection,
        "INSERT INTO paas_environments (app_id, name, image_ref, instances, port, memory_mb, cpu_limit)"
        " VALUES (%s, %s, %s, 0, 8080, 32, 0.1) RETURNING id::text",
        app,
        name,
        IMAGE,
    )


def add_environments(connection: psycopg.Connection[Any], count: int) -> None:
    """``count`` environments over as many organizations and apps as that needs."""
    organizations = -(-count // ENVIRONMENTS_PER_ORGANIZATION)
    apps = add_apps(connection, organizations, ENVIRONMENTS_PER_ORGANIZATION // ENVIRONMENTS_PER_APP)
    names = ["production", "staging", "preview", "review"][:ENVIRONMENTS_PER_APP]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO paas_environments (app_id, name, image_ref, instances, port, memory_mb, cpu_limit)"
            " VALUES (%s, %s, %s, 0, 8080, 32, 0.1)",
            [(app, name, IMAGE) for app in apps for name in names][:count],
        )


def documents(connection: psycopg.Connection[Any], subnets: Mapping[str, str] | None = None) -> Documents:
    """What the controller makes of all rows of this database, by its own pure functions.

    Args:
        connection: of any role.
        subnets: by organization, as ``allocate`` gives them; else they are counted up.
    """
    rows = connection.execute("SELECT doc FROM skypanel.snapshot_environment ORDER BY id").fetchall()
    snapshots = [EnvironmentSnapshot.model_validate(doc) for (doc,) in rows]
    services = []
    for snapshot in snapshots:
        name = _network_name(snapshot.organization.slug, str(snapshot.organization.id))
        services += [s.spec for s in render(snapshot, OPTIONS, HomeNetwork(name, name)).services]
    tenants = {str(s.organization.id): s.organization.slug for s in snapshots}
    counted = {tenant: f"10.{64 + number // 256}.{number % 256}.0/24" for number, tenant in enumerate(tenants)}
    networks = [_network(slug, tenant, (subnets or counted)[tenant]) for tenant, slug in tenants.items()]
    return Documents(networks, services)


def allocate(connection: psycopg.Connection[Any]) -> dict[str, str]:
    """Give every organization its subnet, as the controller does when it makes the network; subnets by organization."""
    rows = connection.execute(
        "SELECT organization_id::text, skypanel.allocate_subnet(organization_id, %s, 24, NULL, interval '1 h')::text"
        " FROM public.paas_organizations",
        (OPTIONS.subnet_pool,),
    )
    return dict(rows.fetchall())


def _network(slug: str, tenant: str, subnet: str) -> dict[str, Any]:
    owner = labels.owned(OPTIONS.installation, "organization", tenant, tenant)
    return organization_network(Network(_network_name(slug, tenant), subnet, owner))


def _network_name(slug: str, tenant: str) -> str:
    return network_name(slug, installation=OPTIONS.installation, organization=tenant)


def organization_network(network: Network) -> dict[str, Any]:
    """The document of a network, as the controller sends it."""
    pool = {"Subnet": network.subnet, "IPRange": network.task_range}
    return {
        "Name": network.name,
        "Driver": "overlay",
        "Labels": dict(network.labels),
        "Options": {},
        "IPAM": {"Driver": "default", "Config": [pool]},
    }


def renamed(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The same service under another name."""
    return {**document, "Name": name}


def unready(connection: psycopg.Connection[Any]) -> int:
    """Objects that are not yet Ready=True for their generation."""
    row = connection.execute(
        "SELECT count(*) FROM skypanel.objects o LEFT JOIN skypanel.object_status s ON s.kind = o.kind AND s.id = o.id"
        " WHERE NOT coalesce(s.ready AND s.observed_generation = o.generation, false)"
    ).fetchone()
    assert row is not None
    return int(row[0])


def is_ready(connection: psycopg.Connection[Any], environment: str) -> bool:
    """Whether this one is Ready=True."""
    row = connection.execute(
        "SELECT ready FROM skypanel.object_status WHERE kind = 'environment' AND id = %s", (environment,)
    ).fetchone()
    return bool(row and row[0])


def said_at(connection: psycopg.Connection[Any]) -> float:
    """Seconds since the epoch of the newest status."""
    row = connection.execute(
        "SELECT extract(epoch FROM max(updated_at))::float8 FROM skypanel.object_status"
    ).fetchone()
    assert row is not None
    return float(row[0])


def _one(connection: psycopg.Connection[Any], query: Any, *values: object) -> str:
    row = connection.execute(query, values).fetchone()
    assert row is not None
    return str(row[0])
