"""Why an environment does not serve: release, image, policy, config, network, service, and so on to its route. Pure."""

from __future__ import annotations

from dataclasses import replace

from reconcilers.chain import Known, Link, LinkOf, State, of_reason
from reconcilers.environment.port_check import asked_by_release
from specs.names import router_name
from specs.snapshots import EnvironmentSnapshot

_PART = "domain"
_FEW = 3


def release(known: Known) -> Link:
    """Which image is wanted, and which runs."""
    wanted, running = known.spec.get("image"), known.details.get("running") or []
    if not wanted:
        return known.judge("release", "no image is wanted")
    others = [image for image in running if image != wanted]
    runs = f"; {', '.join(others)} runs" if others else ""
    return known.judge("release", f"{_version(known)}{wanted} is wanted{runs}")


def _version(known: Known) -> str:
    """The newest release, and the one whose content is asked for instead of what is declared."""
    newest, pinned = (getattr(known.snapshot, name, None) for name in ("release", "pinned"))
    if newest is None:
        return ""
    of = f", with the content of release {pinned.version}" if pinned is not None else ""
    return f"release {newest.version}{of} ({'it has run' if newest.deployed else 'it has not run yet'}): "


def image(known: Known) -> Link:
    """Which content that is."""
    resolved = getattr(known.snapshot, "resolved", None)
    if resolved is None:
        return known.judge("image", "each node takes it from its registry")
    told = getattr(getattr(known.snapshot, "followed", None), "message", None)
    behind = f"; its tag is followed: {told}" if told else ""
    of = f", of the index {resolved.index}" if resolved.index else ""
    return known.judge("image", f"it is {resolved.pinned}{of}, for {resolved.architecture}{behind}")


def policy(known: Known) -> Link:
    """Whether the image policies let it run."""
    verdict = getattr(known.snapshot, "verdict", None)
    if verdict is None:
        return known.judge("policy", "no image policy was asked")
    return known.judge("policy", f"{verdict.verdict}: {verdict.message}")


def config(known: Known) -> Link:
    """What is set for it; no value is known here."""
    if known.snapshot is None:
        return known.judge("config", "what is set: `skypanel config list`")
    found = known.snapshot.config
    if found is None:
        return known.judge("config", "no config var is set")
    files = len(found.files)
    return known.judge("config", f"{found.variables - files} variables and {files} files are set")


def network(known: Known) -> Link:
    """The organization's network, which its tasks are in."""
    there = known.seen is not None and bool(known.seen.network)
    link = known.judge("network", known.seen.network if known.seen and there else "not seen", proven=there)
    home = known.owner("organization")
    if link.state.is_fault and home is not None and home.said.ready is False:
        behind = of_reason("network", home)
        return replace(behind, cause=f"The organization's network is not there. {behind.cause}")
    return link


def service(known: Known) -> Link:
    """What Swarm was told."""
    if known.seen is None:
        return known.judge("service", ", ".join(known.details.get("services") or ()) or "none was made yet")
    if not known.seen.services:
        return known.judge("service", "there is none on the engine")
    return known.judge("service", ", ".join(known.seen.services), proven=True)


def placement(known: Known) -> Link:
    """The nodes that its tasks may be on."""
    if known.seen is None:
        return known.judge("placement", "nodes were not seen")
    nodes = known.seen.nodes
    used = sorted({task.node for task in known.seen.tasks if task.runs})
    where = f"; its tasks run on {', '.join(used[:_FEW])}" + (" and others" if len(used) > _FEW else "") if used else ""
    return known.judge("placement", f"{sum(nodes.values())} of {len(nodes)} nodes take tasks{where}", proven=True)


def task(known: Known) -> Link:
    """Its tasks: whether as many run as shall."""
    link = _tasks(known)
    if known.said.reason != "Suspended" or not (who := _suspended(known)):
        return link
    mend = f"Set `suspended: false` of {who}" if link.state.is_fault else ""
    return replace(link, evidence=f"{link.evidence}; {who} is suspended", mend=mend)


def _suspended(known: Known) -> str:
    """What is suspended, of itself and what it belongs to; empty: nothing is."""
    found = next((owner for owner in known.owners if owner.spec.get("suspended")), None)
    if found is not None:
        return f"{found.kind} {found.name}"
    return f"its {known.of}" if known.spec.get("suspended") else ""


def _tasks(known: Known) -> Link:
    if known.seen is None:
        services = known.details.get("services") or {}
        running = sum(found.get("running", 0) for found in services.values())
        desired = sum(found.get("desired", 0) for found in services.values())
        return known.judge("task", f"{running} of {desired} ran when it was looked at last")
    running, desired = sum(found.runs for found in known.seen.tasks), sum(known.seen.services.values())
    evidence = f"{running} of {desired} run"
    error = next((found.error for found in known.seen.tasks if found.error and not found.runs), "")
    link = known.judge("task", evidence, proven=True)
    if link.state.is_fault:
        memory = "; the engine says that memory ran out" * any(found.memory for found in known.seen.tasks)
        return replace(link, evidence=f"{evidence}{memory}; {link.evidence}")
    if running >= desired or known.said.ready:
        return link
    said = f"{evidence}; the newest that ended: {error}" if error else evidence
    if known.blame() is not None:  # by something else, be it after this link: an unhealthy task is ended
        return Link("task", State.FOLLOWS, said)
    return Link("task", State.WAITS, said, "Not all of its tasks run.", "Continues by itself")


def health(known: Known) -> Link:
    """What asks its tasks whether they are well."""
    if known.spec.get("healthcheck"):
        return known.judge("health", "a check is declared")
    asked = asked_by_release(known.snapshot) if isinstance(known.snapshot, EnvironmentSnapshot) else ()
    if asked:
        return known.judge(
            "health", f"no check is declared: a task is used when it listens on its port ({', '.join(asked)})"
        )
    return known.judge("health", "no check is declared: a task is used as soon as it runs, or as its image says")


def route(known: Known) -> Link:
    """Its host names at the edge."""
    if known.kind == _PART:
        return known.judge("route", _at_edge(known, known.name) or known.said.message or "not said")
    own = known.name.rpartition("/")[2]
    mine = known.parts_of(_PART)
    domains = [found for found in mine if known.kind == known.of or found.spec.get("process", "web") == own]
    if not domains:
        return known.judge("route", "no domain leads to it")
    link = known.judge("route", ", ".join(found.name for found in domains))
    late = next((found for found in domains if found.said.ready is False), None)
    return link if late is None or link.state.is_fault else of_reason("route", late)


def _at_edge(known: Known, hostname: str) -> str:
    """What the edge says of a host name; empty when it was not asked."""
    if known.seen is None or known.seen.faults is None:
        return ""
    names = {f"{router_name(found, hostname)}@swarm" for found in known.seen.services}
    fault = next((known.seen.faults[name] for name in names & known.seen.faults.keys()), None)
    if fault is None:
        return f"the edge has no route of {hostname}"
    return f"the edge says of {hostname}: {fault}" if fault else f"the edge routes {hostname}"


LINKS: tuple[LinkOf, ...] = (release, image, policy, config, network, service, placement, task, health, route)
