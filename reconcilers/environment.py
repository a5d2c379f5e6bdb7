"""Environment: one Swarm service a process, on the organization's network, with the routes of its domains.

Expected flow: the organization's network is there -> render (pure) -> apply -> observe the tasks until all of them run
the new spec and Swarm has stopped watching them -> Ready.

Guarantees: the names are deterministic, so a create that was lost and is done again finds itself; a task template that
failed is reported and not tried again before it changes, whatever else does; services of removed processes go.

Assumptions: the snapshot is valid (for one that is not, the engine keeps what ``reconcilers.salvage`` gives).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from reconcilers import labels
from reconcilers.baseline import harden
from reconcilers.conditions import Condition, progressing, ready
from reconcilers.edge import reached, router_of
from reconcilers.handover import handing_over, still_in_use
from reconcilers.objects import HomeNetwork, Objects, Service, SpecDocument
from reconcilers.outcomes import NotReadyError, Outcome
from reconcilers.ports import Child, ChildStatus, Context, Live, Options, ServiceProgress
from reconcilers.progress import assess
from reconcilers.registry import reconciler
from reconcilers.routes import traefik_labels
from reconcilers.salvage import salvage
from specs.names import network_name, service_name
from specs.problems import InvalidSpec, NoImage, NotSupported, Problem, RefusedError
from specs.registries import check_registry
from specs.snapshots import EnvironmentSnapshot, ProcessSnapshot

DEFAULT_CPU_CORES = 0.5
DEFAULT_MEMORY_MB = 256
DEFAULT_PORT = 8080
RESERVED_SHARE_CPU = 0.1
RESERVED_SHARE_MEMORY = 0.5
RESTART_DELAY = timedelta(seconds=2)
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}


def render(snapshot: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Objects:
    """The services of an environment; the same snapshot, options and network give the same documents, byte for byte."""
    return Objects(
        services=tuple(
            Service.seal(service_spec(snapshot, process, options, network))
            for process in snapshot.effective_processes()
        ),
    )


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
        "Labels": {**owner, labels.PROCESS: process.type, **routes},
        "TaskTemplate": {
            "ContainerSpec": _container(snapshot, process, owner, port),
            "Resources": _resources(snapshot),
            "RestartPolicy": {
                "Condition": "any",
                "Delay": _nanoseconds(RESTART_DELAY.total_seconds()),
                "MaxAttempts": 0,
            },
            "Networks": [{"Target": network.id, "Aliases": [internal_hostname(snapshot, process)]}],
            "LogDriver": {"Name": "json-file", "Options": dict(LOG_OPTIONS)},
        },
        "Mode": {"Replicated": {"Replicas": 0 if snapshot.suspended else process.instances}},
        "UpdateConfig": _update_config("rollback", options),
        "RollbackConfig": _update_config("pause", options),
        # Round robin by DNS: no virtual address a service (half the addresses), and no idle time-out of IPVS after
        # 900 s (moby#31208). The edge uses the tasks' addresses anyway.
        "EndpointSpec": {"Mode": "dnsrr"},
    }


def internal_hostname(snapshot: EnvironmentSnapshot, process: ProcessSnapshot) -> str:
    """The name that other processes of the same organization reach this one by."""
    return f"{process.type}.{snapshot.name}.{snapshot.app.slug}.internal"


def _container(
    snapshot: EnvironmentSnapshot, process: ProcessSnapshot, owner: dict[str, str], port: int
) -> SpecDocument:
    environment = {
        "PORT": str(port),
        "SKYPANEL_APP": snapshot.app.slug,
        "SKYPANEL_ENVIRONMENT": snapshot.name,
        "SKYPANEL_ORGANIZATION": snapshot.organization.slug,
        "SKYPANEL_PROCESS": process.type,
    }
    container: SpecDocument = {
        "Image": snapshot.image_ref,
        "Labels": {**owner, labels.PROCESS: process.type},
        "Env": [f"{key}={value}" for key, value in sorted(environment.items())],
        "StopGracePeriod": _nanoseconds(
            snapshot.stop_grace_seconds if process.stop_grace_seconds is None else process.stop_grace_seconds
        ),
    }
    if process.command:
        container["Command"] = list(process.command)
    if process.args:
        container["Args"] = list(process.args)
    if process.healthcheck and process.healthcheck.disabled:
        container["Healthcheck"] = {"Test": ["NONE"]}
    elif process.healthcheck:
        check = process.healthcheck
        container["Healthcheck"] = {
            "Test": ["CMD", *check.command],
            "Interval": _nanoseconds(check.interval_seconds),
            "Timeout": _nanoseconds(check.timeout_seconds),
            "StartPeriod": _nanoseconds(check.start_period_seconds),
            "Retries": check.retries,
        }
    return harden(
        container,
        read_only_root=snapshot.read_only_root,
        init=snapshot.init,
        tmpfs_paths=tuple(snapshot.tmpfs_paths),
        run_as=snapshot.run_as,
    )


def _resources(snapshot: EnvironmentSnapshot) -> SpecDocument:
    limits = snapshot.resources
    cores = float(limits.cpu_cores) if limits.cpu_cores is not None else DEFAULT_CPU_CORES
    memory_mb = limits.memory_mb if limits.memory_mb is not None else DEFAULT_MEMORY_MB
    nano_cpus, memory_bytes = round(cores * 1e9), memory_mb * 1024 * 1024
    return {
        "Limits": {
            "NanoCPUs": nano_cpus,
            "MemoryBytes": memory_bytes,
            "Pids": limits.pids,
        },
        "Reservations": {
            "NanoCPUs": max(1_000_000, round(nano_cpus * RESERVED_SHARE_CPU)),
            "MemoryBytes": max(4 * 1024 * 1024, round(memory_bytes * RESERVED_SHARE_MEMORY)),
        },
    }


def _update_config(on_failure: str, options: Options) -> SpecDocument:
    """One task at a time, the new one first: nothing is taken away before its successor is healthy."""
    return {
        "Parallelism": 1,
        "Delay": 0,
        "FailureAction": on_failure,
        "Monitor": _nanoseconds(options.monitor_seconds),
        "MaxFailureRatio": 0,
        "Order": "start-first",
    }


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1_000_000_000)


def preview(snapshot: EnvironmentSnapshot, options: Options, live: Live, _subnet: str | None) -> Objects:
    """What would exist; a network that does not exist yet has no id yet."""
    organization = snapshot.organization
    found = live.network_of(str(organization.id))
    name = network_name(organization.slug, installation=options.installation, organization=organization.id)
    return render(snapshot, options, HomeNetwork(found.id, found.name) if found else HomeNetwork(name, name))


def children(snapshot: EnvironmentSnapshot) -> list[Child]:
    """Its processes and domains."""
    return [
        *(Child("process", str(process.id), process.generation) for process in snapshot.processes),
        *(Child("domain", str(domain.id), domain.generation) for domain in snapshot.domains),
    ]


def admit(snapshot: EnvironmentSnapshot, options: Options) -> None:
    """Refuse what there is nothing to run of, what the settings forbid, and what would have no effect.

    Raises:
        NoImage: no image is named.
        InvalidSpec: the image is on a private host that the operator has not listed.
        NotSupported: a field is declared that nothing is built for yet.
    """
    if snapshot.image_ref is None:
        hint = "set image_ref, or have a release built for this environment"
        raise NoImage([Problem("image_ref", None, "there is no image to run", hint, ("image_ref",))])
    try:
        check_registry(snapshot.image_ref, options.allowed_registries)
    except RefusedError as error:
        raise InvalidSpec([Problem("image_ref", None, error.message, error.hint, ("image_ref",))]) from None
    if problems := list(snapshot.unsupported()):
        raise NotSupported(problems)


@reconciler(
    "environment",
    snapshot=EnvironmentSnapshot,
    preview=preview,
    admit=admit,
    children=children,
    salvage=salvage,
    wakes_on=("organization",),
    concurrency=128,
    resync_seconds=300.0,
)
async def reconcile_environment(context: Context, snapshot: EnvironmentSnapshot) -> Outcome:
    """Converge one environment's services."""
    network = context.live.network_of(str(snapshot.organization.id))
    if network is None:
        raise NotReadyError(
            "NetworkNotReady",
            f"the network of organization {snapshot.organization.slug} is not there yet: see "
            f"`skypanel describe organization {snapshot.organization.slug}`",
            woken=True,
        )
    objects = render(snapshot, context.options, HomeNetwork(network.id, network.name))
    await context.apply(objects)
    rollouts = await context.observe(objects.services)
    former = await context.retire(objects, [r.service for r in rollouts if r.stable])
    conditions, outcome = assess(
        snapshot,
        rollouts,
        waiting_seconds=context.waiting_seconds,
        deadline_seconds=context.options.progress_deadline_seconds,
    )
    missing = () if snapshot.suspended else context.missing_hosts
    conditions, outcome = handing_over(conditions, outcome, former, missing)
    context.report(
        conditions,
        details={
            "image": snapshot.image_ref or "",
            "services": {r.service: _details(r) for r in rollouts},
        },
        children=list(await _children(context, snapshot, rollouts, conditions, network.name)),
    )
    return outcome


def _details(rollout: ServiceProgress) -> dict[str, object]:
    """What stays the same as long as nothing comes of it; which tasks run is said of what is stable."""
    if rollout.looping:
        return {"desired": rollout.desired}
    return {
        "desired": rollout.desired,
        "running": rollout.running,
        **({"stopping": rollout.stopping} if rollout.stopping and not rollout.desired else {}),
        **({"tasks": rollout.vouched} if rollout.vouched else {}),
    }


async def _children(
    context: Context,
    snapshot: EnvironmentSnapshot,
    rollouts: Sequence[ServiceProgress],
    conditions: tuple[Condition, ...],
    network: str,
) -> list[ChildStatus]:
    """Processes and domains share the environment's fate; each says its own part of it."""
    by_service = {r.service: r for r in rollouts}
    settled = all(r.stable for r in rollouts)
    children: list[ChildStatus] = []
    for process in snapshot.processes:
        rollout = by_service[service_of(snapshot, process.type, context.options)]
        own = conditions
        if settled:
            own = ready(
                "Suspended" if snapshot.suspended else "Deployed", f"{rollout.running} of {rollout.desired} task(s) run"
            )
        elif rollout.stable:
            own = progressing("RollingOut", "waits for the other processes of the environment")
        children.append(ChildStatus("process", str(process.id), process.generation, own))
    served = settled and not snapshot.suspended
    routers = await context.routers(
        [
            router_of(service_of(snapshot, d.process_type, context.options), d.hostname)
            for d in snapshot.domains
            if served
        ]
    )
    for domain in snapshot.domains:
        rollout = by_service[service_of(snapshot, domain.process_type, context.options)]
        own = conditions
        if settled:
            own = reached(
                domain.hostname,
                rollout,
                live=context.live,
                network=network,
                routers=routers,
                suspended=snapshot.suspended,
            )
        if domain.hostname in context.missing_hosts:
            own = still_in_use([domain.hostname])
        children.append(ChildStatus("domain", str(domain.id), domain.generation, own))
    return children
