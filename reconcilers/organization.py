"""Organization: its own overlay network, joined by the running edge.

Every organization that uses the PaaS has one network, with a subnet from our own address management: Swarm's default
pool runs out silently (moby#43052). The edge joins it in place, without a restart: adding a network to the edge's
service would take the edge down for the time of a task restart, for every tenant.

A node has an overlay network only while a task on it uses the network, so a small service, the pin, keeps it on the
edge's node. The pin also makes the engine refuse to remove the network under the edge, which would leave a copy on the
node that blocks its name and its addresses until the engine is restarted.

Expected flow: allocate the subnet (kept for the organization's life, so that a network that somebody removed comes
back with the same addresses) -> the network -> the pin -> every edge container is on it.

The pin bears one more thing: the routes to the page of what is suspended, as it alone of the organization has a task
then. A host keeps its page until what is resumed is ready, so that there is an answer at any moment.

Guarantees: a live network is found by its owner label and keeps its name and its addresses for life; the address plan
follows it. While a service is on it, it is neither removed nor made anew, and the edge stays on it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import ip_network

from reconcilers import labels
from reconcilers.address_plan import AddressPlan
from reconcilers.baseline import harden
from reconcilers.conditions import Condition, progressing, ready, stalled
from reconcilers.edge import edge_problem
from reconcilers.objects import HomeNetwork, Network, Objects, Service
from reconcilers.organization_links import LINKS
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import Context, EdgePlace, Live, LiveNetwork, LookAhead, Options
from reconcilers.registry import reconciler
from reconcilers.routes import page_labels, paged
from specs.names import network_name, pin_name
from specs.problems import NotSupported
from specs.snapshots import OrganizationSnapshot

EXHAUSTED_RETRY_SECONDS = 60.0
NOT_CHOSEN = "0.0.0.0/31"
PIN_POLL_SECONDS = 0.15
PLAN_RETRY_SECONDS = 5.0
IN_USE_RETRY_SECONDS = 30.0
RESUMING_POLL_SECONDS = 2.0
MOST_PAGES = 500
"""Labels of so many of the longest host names are 1.05 MB; at 2.1 MB the Swarm refuses the whole service."""
PIN_MEMORY_BYTES = 16 * 1024 * 1024


def render(
    snapshot: OrganizationSnapshot,
    options: Options,
    *,
    subnet: str,
    edge_node: str | None,
    home: HomeNetwork | None,
    resuming: Collection[str] = (),
) -> Objects:
    """The network of an organization; with an edge, also its pin, and that the edge is on the network.

    Args:
        snapshot: the organization.
        options: of the installation.
        subnet: of the network.
        edge_node: where the pin belongs; None without an edge.
        home: the network when it is live: it keeps its name for life, whatever the organization is called.
        resuming: host names that keep the page of what is suspended for now.
    """
    name = home.name if home else network_name_of(snapshot, options)
    owner = labels.owned(options.installation, "organization", str(snapshot.id), str(snapshot.id))
    network = Network(name=name, subnet=subnet, labels=owner)
    if edge_node is None:
        return Objects((network,))
    called = pin_name(installation=options.installation, organization=snapshot.id)
    pages = page_labels(
        called,
        network=name,
        hostnames=sorted({*snapshot.suspended_hosts, *resuming})[:MOST_PAGES],
        entrypoints=options.edge_entrypoints,
        cert_resolver=options.edge_cert_resolver,
    )
    pin = Service.seal(
        {
            "Name": called,
            "Labels": {**owner, **pages},
            "TaskTemplate": {
                "ContainerSpec": harden(
                    {"Image": options.pin_image, "StopGracePeriod": 1_000_000_000},
                    read_only_root=True,
                    tmpfs_paths=(),
                    run_as="65534:65534",
                ),
                "Resources": {"Limits": {"MemoryBytes": PIN_MEMORY_BYTES, "Pids": 8}},
                "RestartPolicy": {"Condition": "any", "Delay": 200_000_000, "MaxAttempts": 0},
                "Placement": {"Constraints": [f"node.id == {edge_node}"]},
                "Networks": [{"Target": home.id if home else name}],
            },
            "Mode": {"Replicated": {"Replicas": 1}},
            "UpdateConfig": {"Parallelism": 1, "FailureAction": "rollback", "Order": "start-first"},
            "EndpointSpec": {"Mode": "dnsrr"},
        }
    )
    return Objects((network, pin), edge_networks=(name,))


def preview(snapshot: OrganizationSnapshot, ahead: LookAhead) -> Objects:
    """What would exist; the subnet of a network that does not exist yet is chosen when it is made."""
    network = ahead.live.network_of(str(snapshot.id))
    known = (network.subnet if network else None) or ahead.subnets.get(str(snapshot.id)) or NOT_CHOSEN
    return render(
        snapshot,
        ahead.options,
        subnet=known,
        edge_node=ahead.live.edge_node(),
        home=_home(network),
        resuming=_resuming(snapshot, ahead.options, ahead.live),
    )


def network_name_of(snapshot: OrganizationSnapshot, options: Options) -> str:
    """What a network that is made now is called."""
    return network_name(snapshot.slug, installation=options.installation, organization=snapshot.id)


def _home(network: LiveNetwork | None) -> HomeNetwork | None:
    return HomeNetwork(network.id, network.name) if network else None


def admit(snapshot: OrganizationSnapshot, _: Options) -> None:
    """Refuse what would have no effect.

    Raises:
        NotSupported: it has policies that nothing is built for yet.
    """
    if problems := list(snapshot.unsupported()):
        raise NotSupported(problems)


async def finalize(context: Context) -> None:
    """Give the subnet back."""
    await context.port(AddressPlan).release(context.id)


@reconciler(
    "organization",
    snapshot=OrganizationSnapshot,
    preview=preview,
    admit=admit,
    finalize=finalize,
    links=LINKS,
    uses=(AddressPlan,),
    concurrency=4,
    resync_seconds=300.0,
    limited=False,  # every environment waits for its network
)
async def reconcile_organization(context: Context, snapshot: OrganizationSnapshot) -> Outcome:
    """Converge one organization's network."""
    home = context.live.network_of(context.id)
    name = home.name if home else network_name_of(snapshot, context.options)
    holder: str | None = None
    subnet: str | None
    if home is not None and home.usable and home.subnet is not None:
        subnet = home.subnet
        holder = await _adopt(context, subnet)
    else:
        # Another network, of ours or not, may use an address range that our table does not know of: the engine would
        # make a network with an empty driver and say 201 (swarmkit#2398). Such ranges are set aside.
        taken = [subnet for other, subnet in context.live.subnets() if other != name]
        subnet = await context.port(AddressPlan).allocate(context.id, snapshot.network_prefix, taken)
    if subnet is None:
        context.report(
            stalled(
                "SubnetPoolExhausted",
                f"no free /{snapshot.network_prefix} is left in {context.options.subnet_pool}: widen "
                "SKYPANEL_SUBNET_POOL, or remove organizations that are not needed",
            ),
        )
        return RequeueAfter(EXHAUSTED_RETRY_SECONDS)

    objects = _objects(context, snapshot, subnet)
    await context.apply(replace(objects, edge_networks=()))
    details = {"network": name, "subnet": subnet, "taskAddresses": ip_network(subnet).num_addresses // 2 - 2}
    waiting = [r for r in await context.observe(objects.services) if not r.complete]
    if waiting:
        problem = f": {waiting[0].problem}" if waiting[0].problem else ""
        context.report(
            progressing(
                "PinStarting",
                f"{waiting[0].service} is starting on the edge's node{problem}; domains are routed when it runs",
            ),
            details=details,
        )
        return RequeueAfter(min(5.0, max(PIN_POLL_SECONDS, context.waiting_seconds / 5)))
    await context.retire(objects, [r.name for r in objects.services])
    # Only now the network is on the edge's node.
    objects = _objects(context, snapshot, subnet)
    kept = await context.apply(objects)
    conditions, outcome = assess(name, subnet, context.live.edge_place(), kept, holder)
    context.report(conditions, details=details)
    if isinstance(outcome, Done) and _resuming(snapshot, context.options, context.live):
        return RequeueAfter(RESUMING_POLL_SECONDS)
    return outcome


async def _adopt(context: Context, subnet: str) -> str | None:
    """Have the address plan say what is live; whose ``subnet`` is in it when that cannot be."""
    plan = context.port(AddressPlan)
    holder = await plan.adopt(context.id, subnet)
    kind, _, other = (holder or "").partition(" ")
    if kind != "organization":
        return holder
    rival = context.live.network_of(other)
    if rival is not None and rival.subnet and ip_network(rival.subnet).overlaps(ip_network(subnet)):
        return holder
    return await plan.adopt(context.id, subnet, instead_of=other)


def assess(
    name: str, subnet: str, place: EdgePlace, kept: Mapping[str, str], holder: str | None
) -> tuple[tuple[Condition, ...], Outcome]:
    """What to say of an organization whose network and pin are up, and when to look again.

    Args:
        name: of its network.
        subnet: of its network.
        place: where the edge's tasks run.
        kept: what is wrong with networks that are in use, by name.
        holder: whose the subnet is in the address plan, if it is somebody else's.
    """
    if name in kept:
        message = f"network {name} differs from what it should be, and is recreated when nothing uses it: {kept[name]}"
        return progressing("NetworkInUse", message), RequeueAfter(IN_USE_RETRY_SECONDS)
    if holder is not None:
        message = (
            f"network {name} has {subnet}, which the address plan (skypanel.subnets) has for {holder}; the network is "
            "left as it is. Recreate the other one with another subnet, or correct the plan"
        )
        return progressing("SubnetClaimed", message), RequeueAfter(PLAN_RETRY_SECONDS)
    problem = edge_problem(place)
    if problem is not None and place.declared:
        return progressing(problem.reason, f"network {name} ({subnet}) is up; {problem.message}"), Done()
    edge = f"{problem.message}" if problem is not None else "every edge container is on it"
    left = "".join(f". Its network {other} is left over: {why}" for other, why in kept.items())
    outcome = RequeueAfter(IN_USE_RETRY_SECONDS) if kept else Done()
    return ready("NetworkReady", f"network {name} ({subnet}) is up; {edge}{left}"), outcome


def _objects(context: Context, snapshot: OrganizationSnapshot, subnet: str) -> Objects:
    live = context.live
    return render(
        snapshot,
        context.options,
        subnet=subnet,
        edge_node=live.edge_node(),
        home=_home(live.network_of(context.id)),
        resuming=_resuming(snapshot, context.options, live),
    )


def _resuming(snapshot: OrganizationSnapshot, options: Options, live: Live) -> frozenset[str]:
    """The host names that have the page, and what answers them otherwise is not ready yet."""
    pin = live.find(Service.object_type, pin_name(installation=options.installation, organization=snapshot.id))
    return paged(pin.labels).intersection(snapshot.resuming_hosts) if pin is not None else frozenset()
