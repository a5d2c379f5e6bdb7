"""Organization: its own overlay network, joined by the running edge.

Every organization that uses the PaaS has one network, with a subnet from our own address management: Swarm's default
pool runs out silently (moby#43052). The edge joins it in place, without a restart: adding a network to the edge's
service would take the edge down for the time of a task restart, for every tenant.

Expected flow: allocate the subnet (kept for the organization's life, so that a network that somebody removed comes
back with the same addresses) -> the network -> every edge container is on it.
"""

from __future__ import annotations

from ipaddress import ip_network

from reconcilers import labels
from reconcilers.conditions import ready, stalled
from reconcilers.objects import Network, Objects
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import Context
from reconcilers.registry import reconciler
from specs.names import network_name
from specs.snapshots import OrganizationSnapshot

EXHAUSTED_RETRY_SECONDS = 60.0


def render(snapshot: OrganizationSnapshot, *, installation: str, subnet: str) -> Objects:
    """The network of an organization, and that the edge is on it."""
    name = network_name(snapshot.slug)
    network = Network(
        name=name,
        subnet=subnet,
        labels=labels.owned(installation, "organization", str(snapshot.id), str(snapshot.id)),
    )
    return Objects(networks=(network,), edge_networks=(name,))


@reconciler("organization", snapshot=OrganizationSnapshot, concurrency=4, resync_seconds=300.0)
async def reconcile_organization(context: Context, snapshot: OrganizationSnapshot) -> Outcome:
    """Converge one organization's network."""
    name = network_name(snapshot.slug)
    # Another network, of ours or not, may use an address range that our table does not know of: the engine would make
    # a network with an empty driver and say 201 (swarmkit#2398). Such ranges are set aside.
    taken = [subnet for other, subnet in context.live.subnets() if other != name]
    subnet = await context.allocate_subnet(snapshot.network_prefix, taken)
    if subnet is None:
        context.report(
            stalled(
                "SubnetPoolExhausted",
                f"no free /{snapshot.network_prefix} is left in {context.options.subnet_pool}: widen "
                "SKYPANEL_SUBNET_POOL, or remove organizations that are not needed",
            ),
        )
        return RequeueAfter(EXHAUSTED_RETRY_SECONDS)

    await context.apply(render(snapshot, installation=context.options.installation, subnet=subnet))
    context.report(
        ready("NetworkReady", f"network {name} ({subnet}) is up, and every edge container is on it"),
        details={"network": name, "subnet": subnet, "addresses": ip_network(subnet).num_addresses - 3},
    )
    return Done()
