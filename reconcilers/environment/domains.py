"""What is said of each domain: whether requests for it get somewhere, once its process is as declared."""

from __future__ import annotations

from collections.abc import Mapping

from reconcilers.conditions import Condition, progressing, ready
from reconcilers.edge import edge_problem
from reconcilers.environment.handover import still_in_use
from reconcilers.environment.names import service_of
from reconcilers.ports import ChildStatus, Context, Live, Routers, ServiceProgress
from specs.names import router_name
from specs.snapshots import EnvironmentSnapshot


async def domain_statuses(
    context: Context,
    snapshot: EnvironmentSnapshot,
    progress: Mapping[str, ServiceProgress],
    conditions: tuple[Condition, ...],
    network: str,
) -> list[ChildStatus]:
    """The status of every declared domain.

    Args:
        context: of the environment.
        snapshot: the environment.
        progress: of its services, by name.
        conditions: what is said of the environment.
        network: name of the organization's network.
    """
    settled = all(found.stable for found in progress.values()) and not snapshot.withheld
    services = {domain.id: service_of(snapshot, domain.process_type, context.options) for domain in snapshot.domains}
    served = snapshot.domains if settled and not snapshot.suspended else ()
    routers = await context.routers([router_of(services[domain.id], domain.hostname) for domain in served])
    statuses = []
    for domain in snapshot.domains:
        own = conditions
        if settled:
            own = reached(
                domain.hostname,
                progress[services[domain.id]],
                live=context.live,
                network=network,
                routers=routers,
                suspended=snapshot.suspended,
            )
        if domain.hostname in context.missing_hosts:
            own = still_in_use([domain.hostname])
        statuses.append(ChildStatus("domain", str(domain.id), domain.generation, own))
    return statuses


def reached(
    hostname: str, rollout: ServiceProgress, *, live: Live, network: str, routers: Routers, suspended: bool
) -> tuple[Condition, ...]:
    """Whether requests for a host get somewhere, once the tasks of its process are as declared.

    Args:
        hostname: the domain's.
        rollout: of the service of its process.
        live: the live view.
        network: name of the organization's network.
        routers: what the edge says of its routers.
        suspended: whether the environment is.
    """
    if suspended:
        message = (
            f"{hostname} is answered with status 503 and a page, where the edge has one: the environment is suspended; "
            "clear `suspended` to start it again"
        )
        return (Condition("Ready", "False", "Suspended", message),)
    if not rollout.desired:
        message = f"{hostname} is not answered: {rollout.service} has 0 instances: set its replicas"
        return (Condition("Ready", "False", "NoTasks", message),)
    problem = edge_problem(live.edge_place())
    if problem is not None:
        return progressing(problem.reason, problem.message)
    if not live.edge_is_on(network):
        return progressing(
            "NotRouted", f"the edge is not on network {network} yet; it is joined by itself: see the organization"
        )
    if not routers.asked:
        return ready(
            "RouteGiven",
            f"the edge was given the route of {hostname} to {rollout.service}; whether it uses it is unknown, as "
            "SKYPANEL_EDGE_API_URL is not set",
        )
    return _confirmed(hostname, rollout.service, routers)


def _confirmed(hostname: str, service: str, routers: Routers) -> tuple[Condition, ...]:
    if routers.problem:
        return progressing(
            "NotRouted",
            f"whether {hostname} is routed is unknown: {routers.problem}; asked again until it is known",
        )
    fault = routers.faults.get(router_of(service, hostname))
    if fault is None:
        return progressing(
            "NotRouted",
            f"the edge does not have the route of {hostname} yet; asked again until it has",
        )
    if "entrypoint" in fault.lower():
        message = f"the edge does not route {hostname}: {fault}; see SKYPANEL_EDGE_ENTRYPOINTS and the edge's flags"
        return progressing("EntryPointUnknown", message)
    if fault:
        return progressing("NotRouted", f"the edge does not route {hostname}: {fault}; mend that at the edge")
    return ready("Routed", f"the edge sends {hostname} to {service}")


def router_of(service: str, hostname: str) -> str:
    """What the edge calls the router from a host to a service."""
    return f"{router_name(service, hostname)}@swarm"
