"""The services of an environment: one a process, on the organization's network, with its domains' routes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from reconcilers import labels
from reconcilers.environment.config import secrets
from reconcilers.environment.container import container_spec
from reconcilers.environment.durations import nanoseconds
from reconcilers.environment.files import configs
from reconcilers.environment.names import owner_of, service_of
from reconcilers.environment.placement import placement
from reconcilers.environment.resources import resources
from reconcilers.environment.update_config import canary, update_config
from reconcilers.objects import HomeNetwork, Objects, Service, SpecDocument
from reconcilers.ports import Options
from reconcilers.routes import traefik_labels
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot

DEFAULT_PORT = 8080
RESTART_DELAY = timedelta(seconds=2)
LOG_DRIVER = "json-file"
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}


def render(snapshot: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Objects:
    """The services of an environment; the same snapshot, options and network give the same documents, byte for byte."""
    services = (
        replace(Service.seal(service_spec(snapshot, process, options, network)), canary=canary(snapshot, process))
        for process in snapshot.effective_processes()
    )
    return Objects((*secrets(snapshot, options), *configs(snapshot, options), *services))


def service_spec(
    snapshot: EnvironmentSnapshot, process: ProcessSnapshot, options: Options, network: HomeNetwork
) -> SpecDocument:
    """The Engine API document of one process's service, without the spec-hash label."""
    name = service_of(snapshot, process.type, options)
    owner = owner_of(snapshot, options)
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
            **task_template(snapshot, process, options, network, aliases=[internal_hostname(snapshot, process)]),
            "RestartPolicy": {
                "Condition": "on-failure" if process.may_end else "any",
                "Delay": nanoseconds(RESTART_DELAY.total_seconds()),
                "MaxAttempts": 0,
            },
        },
        "Mode": {"Replicated": {"Replicas": 0 if snapshot.suspended or snapshot.withheld else process.instances}},
        # To Swarm a task that has ended is one that failed, also with 0: it would go back for it.
        "UpdateConfig": update_config("continue" if process.may_end else "rollback", options),
        "RollbackConfig": update_config("pause", options),
        # Round robin by DNS: no virtual address a service (half the addresses), and no idle time-out of IPVS after
        # 900 s (moby#31208). The edge uses the tasks' addresses anyway.
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def task_template(
    snapshot: EnvironmentSnapshot,
    process: ProcessSnapshot,
    options: Options,
    network: HomeNetwork,
    *,
    aliases: Sequence[str],
) -> SpecDocument:
    """What tasks of a process are made from, but for when they are started anew; ``aliases`` are their names."""
    owner = owner_of(snapshot, options)
    return {
        "ContainerSpec": container_spec(snapshot, process, options, owner, process.port or DEFAULT_PORT),
        "Resources": resources(snapshot),
        "Networks": [{"Target": network.id, **({"Aliases": list(aliases)} if aliases else {})}],
        "LogDriver": {"Name": LOG_DRIVER, "Options": dict(LOG_OPTIONS)},
        **({"Placement": placed} if (placed := placement(snapshot, process, options)) else {}),
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
