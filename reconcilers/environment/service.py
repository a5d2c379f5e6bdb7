"""The services of an environment: one a process, on the organization's network, with its domains' routes. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconcilers import labels
from reconcilers.environment.config import secrets
from reconcilers.environment.container import container_spec
from reconcilers.environment.durations import nanoseconds
from reconcilers.environment.files import configs
from reconcilers.environment.placement import placement
from reconcilers.environment.resources import resources
from reconcilers.environment.update_config import update_config
from reconcilers.objects import HomeNetwork, Objects, Service, SpecDocument
from reconcilers.ports import LookAhead, Options
from reconcilers.routes import traefik_labels
from specs.names import network_name, service_name
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot

DEFAULT_PORT = 8080
RESTART_DELAY = timedelta(seconds=2)
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}


def render(snapshot: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Objects:
    """The services of an environment; the same snapshot, options and network give the same documents, byte for byte."""
    services = (
        Service.seal(service_spec(snapshot, process, options, network)) for process in snapshot.effective_processes()
    )
    return Objects((*secrets(snapshot, options), *configs(snapshot, options), *services))


def service_of(snapshot: EnvironmentSnapshot, process_type: str, options: Options) -> str:
    """Name of the service of one process."""
    return service_name(
        snapshot.swarm_name,
        process_type,
        installation=options.installation,
        organization=snapshot.organization.id,
        environment=snapshot.id,
    )


def service_spec(
    snapshot: EnvironmentSnapshot, process: ProcessSnapshot, options: Options, network: HomeNetwork
) -> SpecDocument:
    """The Engine API document of one process's service, without the spec-hash label."""
    name = service_of(snapshot, process.type, options)
    owner = labels.owned(options.installation, "environment", str(snapshot.id), str(snapshot.organization.id))
    port = process.port or DEFAULT_PORT
    routes = traefik_labels(
        name,
        network=network.name,
        port=port,
        hostnames=[domain.hostname for domain in snapshot.domains if domain.process_type == process.type],
        entrypoints=options.edge_entrypoints,
        cert_resolver=options.edge_cert_resolver,
    )
    return {
        "Name": name,
        "Labels": {**owner, labels.PROCESS: process.type, **pulls_as(snapshot), **routes},
        "TaskTemplate": {
            "ContainerSpec": container_spec(snapshot, process, options, owner, port),
            "Resources": resources(snapshot),
            "RestartPolicy": {
                "Condition": "any",
                "Delay": nanoseconds(RESTART_DELAY.total_seconds()),
                "MaxAttempts": 0,
            },
            "Networks": [{"Target": network.id, "Aliases": [internal_hostname(snapshot, process)]}],
            "LogDriver": {"Name": "json-file", "Options": dict(LOG_OPTIONS)},
            **({"Placement": placed} if (placed := placement(snapshot, process, options)) else {}),
        },
        "Mode": {"Replicated": {"Replicas": 0 if snapshot.suspended else process.instances}},
        "UpdateConfig": update_config("rollback", options),
        "RollbackConfig": update_config("pause", options),
        # Round robin by DNS: no virtual address a service (half the addresses), and no idle time-out of IPVS after
        # 900 s (moby#31208). The edge uses the tasks' addresses anyway.
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def pulls_as(snapshot: EnvironmentSnapshot) -> dict[str, str]:
    """The label that says with which user nodes pull; none where they pull as nobody."""
    login = snapshot.login
    return {} if login is None else {labels.PULLS_AS: str(login.revision)}


def pulling(objects: Objects, pull: str) -> Objects:
    """``objects`` with what nodes pull with; empty: in a look ahead, where nobody is given it."""
    return objects.with_services(tuple(replace(service, pull=pull) for service in objects.services))


def internal_hostname(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> str:
    """The name that other processes of the same organization reach this one by."""
    return f"{process.type}.{snapshot.name}.{snapshot.app.slug}.internal"


def preview(snapshot: EnvironmentSnapshot, ahead: LookAhead) -> Objects:
    """What would exist; a network that does not exist yet has no id yet."""
    organization = snapshot.organization
    found = ahead.live.network_of(str(organization.id))
    name = network_name(organization.slug, installation=ahead.options.installation, organization=organization.id)
    objects = render(snapshot, ahead.options, HomeNetwork(found.id, found.name) if found else HomeNetwork(name, name))
    return pulling(objects, "")
