"""Safety properties: what must be true after every step of every run, whatever goes wrong in it.

Each is one small function over a read-only view (``facts.View``) that yields a sentence for everything that is wrong;
``watch.py`` asks them after each step, ``tests/chaos/view.py`` those of states, of the real parts. There are three
sorts:

- ``always(seconds)``: about a state, which may be wrong for so many seconds, by default none;
- ``on_write``: about one accepted write of a controller, with what was there before and after it;
- ``on_status``: about one status as it is written.

``NOT_YET`` names properties, and scenarios, that the controller does not keep yet, with what is wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from controller.records import Key
from reconcilers.conditions import Status
from reconcilers.helper import VARIABLES
from tests.sim.facts import NetworkFact, ServiceFact, View, Wish
from tests.sim.settings import OPTIONS

Sentences = Iterator[str]
Sort = Literal["always", "write", "status"]

RECONCILED_SECONDS = 15.0
"""A row's commit has its effect by then: some reconciles, with waiting for another owner's in between."""
_CHILDREN = ("process", "domain")
TAKEN_BACK_SECONDS = 20.0
"""A status that is not true any more is taken back by then: tasks are counted every few seconds."""

NOT_YET: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Written:
    """A controller's write of a service or a network; None: it was not there before, or is not there after it."""

    action: str
    client: str
    before: ServiceFact | NetworkFact | None
    after: ServiceFact | NetworkFact | None


@dataclass(frozen=True, slots=True)
class Property:
    """A function of this module; ``seconds`` is how long a state may be wrong."""

    name: str
    sort: Sort
    ask: Callable[..., Sentences]
    seconds: float = 0.0


PROPERTIES: list[Property] = []


def always(seconds: float = 0.0) -> Callable[[Callable[[View], Sentences]], Callable[[View], Sentences]]:
    """A property of a state."""

    def register(ask: Callable[[View], Sentences]) -> Callable[[View], Sentences]:
        PROPERTIES.append(Property(ask.__name__, "always", ask, seconds))
        return ask

    return register


def on_write(ask: Callable[[View, Written], Sentences]) -> Callable[[View, Written], Sentences]:
    """A property of a write."""
    PROPERTIES.append(Property(ask.__name__, "write", ask))
    return ask


def on_status(ask: Callable[[View, Status], Sentences]) -> Callable[[View, Status], Sentences]:
    """A property of a status."""
    PROPERTIES.append(Property(ask.__name__, "status", ask))
    return ask


# -- networks and addresses ------------------------------------------------------------------------------------------


@always()
def a_service_is_only_on_its_own_organizations_network(view: View) -> Sentences:
    for service in view.ours():
        home = Key("organization", service.organization)
        for target in service.networks:
            network = view.networks.get(target)
            if network is not None and not service.by_hand and _home(network) != (view.installation, home):
                yield f"{service.name} of {home} is on {network.name} of {network.installation} {network.owner}"


@always()
def no_address_is_held_by_two(view: View) -> Sentences:
    for network in view.networks.values():
        if network.owner is not None:
            twice = [a for a, count in Counter(view.addresses(network.id)).items() if count > 1]
            if twice:
                yield f"{', '.join(twice)} on {network.name} is held by two"


@always()
def no_two_organizations_have_overlapping_subnets(view: View) -> Sentences:
    plan = view.subnets()
    for place, (organization, network) in enumerate(plan):
        for other, known in plan[:place]:
            if network.overlaps(known):
                yield f"organizations {organization} and {other} have {network} and {known}"


# -- host names ------------------------------------------------------------------------------------------------------


@always()
def no_host_has_a_live_rule_at_two_owners(view: View) -> Sentences:
    at: dict[str, ServiceFact] = {}
    for service in view.ours():
        for host in () if service.by_hand else service.hosts:
            other = at.setdefault(host, service)
            if other.owner != service.owner:
                yield f"{host} has a rule at {' and '.join(sorted((other.name, service.name)))}"


@always(RECONCILED_SECONDS)
def a_rule_goes_when_its_row_does(view: View) -> Sentences:
    for service in view.ours():
        if service.owner is None or service.by_hand or not service.hosts:
            continue
        wish = view.wish(service.owner)
        if wish.state == "lost" or view.paused(service.owner) or view.tripped:
            continue  # nobody said that it should go, or somebody said that it should stay
        for host in service.hosts - wish.hosts.keys():
            yield f"{service.name} has a rule for {host}, which is none of its owner's"


# -- nothing is lost -------------------------------------------------------------------------------------------------


@on_write
def nothing_is_removed_without_a_wish(view: View, write: Written) -> Sentences:
    before = write.before
    if before is None or write.after is not None or before.owner is None or before.installation != view.installation:
        return
    if isinstance(before, NetworkFact):
        named = _wished(view, before.owner, lambda wish: wish.ended)
        if not named and not any(n.owner == before.owner for n in view.networks.values()):
            yield f"network {before.name} was removed, and nobody asked for it"
    elif before.process and not before.by_hand:
        named = _wished(view, before.owner, lambda wish: wish.ended or before.process not in wish.processes)
        if not named and not _others(view, before):
            yield f"{before.name} was removed, and nobody asked for it"


@on_write
def nothing_is_scaled_to_nothing_without_a_wish(view: View, write: Written) -> Sentences:
    before, after = write.before, write.after
    if not isinstance(before, ServiceFact) or not isinstance(after, ServiceFact) or before.owner is None:
        return
    if before.process and before.replicas > 0 and after.replicas == 0:
        nothing = _wished(view, before.owner, lambda w: w.stopped or w.withheld or not w.processes.get(before.process))
        if not nothing and not _others(view, before):
            yield f"{before.name} was scaled to nothing, and nobody asked for it"


@on_write
def nothing_is_unrouted_without_a_wish(view: View, write: Written) -> Sentences:
    before, after = write.before, write.after
    if not isinstance(before, ServiceFact) or before.owner is None or before.by_hand or not before.hosts:
        return
    kept = after.hosts if isinstance(after, ServiceFact) else frozenset()
    elsewhere = {host for other in _others(view, before) for host in other.hosts}
    for host in before.hosts - kept - elsewhere:
        if not _wished(
            view,
            before.owner,
            lambda w, host=host: w.stopped or host not in w.hosts or not w.processes.get(w.hosts[host]),  # type: ignore[misc]
        ):
            yield f"{before.name} lost its rule for {host}, and nobody asked for it"


@always()
def what_serves_goes_on_serving(view: View) -> Sentences:
    reached = set(_reached(view))
    for owner, host in view.served - reached:
        wanted = all(
            not wish.stopped
            and not wish.withheld
            and wish.state != "lost"
            and wish.processes.get(wish.hosts.get(host, ""))
            for wish in view.recently(owner)
        )
        if wanted and not view.disturbed(owner):
            yield f"the edge reaches no task of {owner} for {host} any more"
    view.served.intersection_update(reached)
    view.served.update(reached)


# -- jobs ------------------------------------------------------------------------------------------------------------


@always()
def a_job_is_run_to_its_end_once(view: View) -> Sentences:
    for (name, run, place), count in view.ended_well().items():
        if count > 1:
            yield f"task {place} of job {name} has ended well {count} times in run {run}"


@always()
def what_is_run_once_never_begins_twice(view: View) -> Sentences:
    for name, count in view.begun_once().items():
        if count > 1:
            yield f"{name} began {count} times"


# -- image policies ------------------------------------------------------------------------------------------------


@on_write
def no_image_is_run_that_a_policy_refuses(view: View, write: Written) -> Sentences:
    before, after = write.before, write.after
    if not isinstance(after, ServiceFact) or after.owner is None or not after.process or after.by_hand:
        return
    image = str(after.container.get("Image", ""))
    had = before.container.get("Image") if isinstance(before, ServiceFact) else None
    if image == had or image.partition("@")[0] != view.wish(after.owner).image.partition("@")[0]:
        return  # what runs already may go on, and come back
    scanned, index = view.scanned(image), view.names(image)[0]
    if after.replicas and all(wish.refuses(image, scanned, index) for wish in view.recently(after.owner)):
        yield f"{after.name} was given {image}, which the policy of its organization refuses"


@always(RECONCILED_SECONDS)
def what_an_image_policy_stops_does_not_run(view: View) -> Sentences:
    for service in view.ours():
        if service.owner is None or service.by_hand or view.paused(service.owner) or view.tripped:
            continue
        for image in sorted({task.image for task in view.running(service.id)}):
            scanned, index = view.scanned(image), view.names(image)[0]
            if scanned is not None and all(wish.stops(image, scanned, index) for wish in view.recently(service.owner)):
                yield f"{service.name} runs {image}, which the policy of its organization has stopped"


# -- who is stopped --------------------------------------------------------------------------------------------------


@on_write
def who_is_stopped_gets_no_more_tasks(view: View, write: Written) -> Sentences:
    before, after = write.before, write.after
    if not isinstance(after, ServiceFact) or after.owner is None or not after.process:
        return
    had = before.replicas if isinstance(before, ServiceFact) else 0
    if after.replicas > had and all(wish.stopped for wish in view.recently(after.owner)):
        yield f"{after.name} was given {after.replicas} task(s) instead of {had}, and its owner is stopped"


@always(RECONCILED_SECONDS)
def who_is_stopped_runs_nothing(view: View) -> Sentences:
    for service in view.ours():
        tasks = max(service.replicas, len(view.running(service.id)))
        if service.owner is None or not service.process or tasks == 0 or service.by_hand:
            continue
        if view.wish(service.owner).stopped and not view.paused(service.owner) and not view.tripped:
            yield f"{service.name} has {tasks} task(s), and its owner is stopped"


# -- truth -----------------------------------------------------------------------------------------------------------


@on_status
def ready_is_said_of_what_is_so(view: View, status: Status) -> Sentences:
    if status.ready.status != "True" or status.finalized:
        return
    key = Key(status.kind, status.id)
    parent = key if key.kind not in _CHILDREN else view.parent(key)
    if parent is None or view.disturbed(parent):
        return
    lacking = [_lacking(view, key, wish, steady=True) for wish in view.recently(parent) if wish.state == "declared"]
    if lacking and all(lacking):
        yield f"{key} is said to be Ready: {lacking[0]}"


@always(TAKEN_BACK_SECONDS)
def ready_is_taken_back_when_it_ends(view: View) -> Sentences:
    for key, said in view.statuses().items():
        if not said.ready or said.finalized_at is not None:
            continue
        parent = key if key.kind not in _CHILDREN else view.parent(key)
        if parent is None:
            yield f"{key} is Ready, and nothing declares it any more"
            continue
        wish = view.wish(parent)
        if wish.state != "declared" or view.paused(parent):
            continue
        if lacking := _lacking(view, key, wish, steady=False):
            yield f"{key} stays Ready: {lacking}"


# -- one owner, one row ----------------------------------------------------------------------------------------------


@on_write
def no_write_takes_what_another_owner_has(view: View, write: Written) -> Sentences:
    before, after = write.before, write.after
    if before is None or after is None or before.owner is None or isinstance(before, NetworkFact):
        return
    if before.installation == view.installation and not before.by_hand and before.owner != after.owner:
        yield f"{before.name} of {before.owner} was given to {after.owner}"


# -- what they stand on ----------------------------------------------------------------------------------------------


def _home(network: NetworkFact) -> tuple[str, Key | None]:
    return network.installation, network.owner


def _wished(view: View, owner: Key, asks: Callable[[Wish], bool]) -> bool:
    """Whether a row that a controller may go by asks for it, or an operator confirmed it."""
    return view.confirmed(owner) or any(wish.state != "lost" and asks(wish) for wish in view.recently(owner))


def _others(view: View, service: ServiceFact) -> list[ServiceFact]:
    """Other live services of the same process, under another name."""
    return [
        other
        for other in view.ours()
        if (other.owner, other.process) == (service.owner, service.process) and other.id != service.id
    ]


def _reached(view: View) -> Iterator[tuple[Key, str]]:
    """Owner and host of what the edge has a rule and a running task for, on a network that it is on."""
    edges = view.edges()
    for service in view.ours():
        if not service.hosts or service.owner is None:
            continue
        network = view.network_named(service.routed_by)
        if network is None or not any(network.id in joined for joined in edges):
            continue
        if any(network.id in task.addresses for task in view.running(service.id)):
            yield from ((service.owner, host) for host in service.hosts)


def _lacking(view: View, key: Key, wish: Wish, *, steady: bool) -> str:
    """What is missing of what is declared; empty when all is there.

    ``steady``: the tasks must have run for the time that makes them steady, at a moment of the last blur.
    """
    match key.kind:
        case "organization":
            return _network_lacking(view, key)
        case "environment":
            return _tasks_lacking(view, key, wish, steady=steady)
        case "domain":
            host = next((str(d["hostname"]) for d in wish.document.get("domains") or () if d.get("id") == key.id), "")
            return "" if host in {h for _, h in _reached(view)} else f"the edge reaches no task for {host}"
    return ""


def _tasks_lacking(view: View, key: Key, wish: Wish, *, steady: bool) -> str:
    services = {s.process: s for s in view.ours() if s.owner == key}
    if wish.document.get("suspended") is True:
        return "; ".join(f"{s.name} still runs" for s in services.values() if view.running(s.id))
    for process, wanted in wish.processes.items():
        service = services.get(process)
        if service is None:
            return f"there is no service of {process}"
        if service.container.get("Image", "").partition("@")[0] != wish.image.partition("@")[0]:
            return f"{service.name} runs {service.container.get('Image')} instead of {wish.image}"
        given = {reference["File"]["Name"] for reference in service.container.get("Secrets") or ()}
        if wish.files != given & (wish.files | {VARIABLES}):
            return f"{service.name} is given {sorted(given)} instead of {sorted(wish.files)}"
        if service.replicas != wanted:
            return f"{service.name} has {service.replicas} task(s) instead of {wanted}"
        hosts = {host for host, answers in wish.hosts.items() if answers == process}
        if service.hosts != hosts:
            return f"{service.name} has rules for {sorted(service.hosts)} instead of {sorted(hosts)}"
        if (service.template.get("RestartPolicy") or {}).get("Condition") == "on-failure":
            continue  # they may have ended
        if steady:
            count = view.ran(service.id, OPTIONS.min_ready_seconds)
        else:
            count = sum(task.current for task in view.running(service.id))
        if count < wanted:
            return f"{count} of {wanted} task(s) of {service.name} run it" + (" steadily" if steady else "")
    return ""


def _network_lacking(view: View, key: Key) -> str:
    networks = [n for n in view.networks.values() if _home(n) == (view.installation, key)]
    if not networks:
        return "it has no network"
    if not any(all(n.id in joined for joined in view.edges()) for n in networks):
        return f"the edge is not on {networks[0].name}"
    return ""
