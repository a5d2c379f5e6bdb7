"""A part of the tasks first: which services go on, as their first have been quiet, and what is said meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from reconcilers.objects import Objects
from reconcilers.ports import ServiceProgress
from specs.snapshots import EnvironmentSnapshot


def proven(observed: Sequence[ServiceProgress], objects: Objects) -> frozenset[str]:
    """Names of the services whose first tasks have run for their time without an end."""
    quiet = {service.name: service.canary.quiet_seconds for service in objects.services if service.canary is not None}
    return frozenset(r.service for r in observed if r.first and r.quiet_seconds >= quiet.get(r.service, 0))


def going_on(objects: Objects, names: frozenset[str]) -> Objects:
    """``objects``, where nothing waits any more in the services ``names``."""
    return objects.with_services(
        tuple(replace(each, canary=None) if each.name in names else each for each in objects.services)
    )


def rests(rollout: ServiceProgress) -> bool:
    """Whether its first tasks run, and the others wait for them."""
    return bool(rollout.first) and rollout.running >= rollout.first


def seconds_left(snapshot: EnvironmentSnapshot, rollout: ServiceProgress) -> float:
    """Until the others follow."""
    return max(0.0, quiet_seconds(snapshot) - rollout.quiet_seconds)


def quiet_seconds(snapshot: EnvironmentSnapshot) -> float:
    """How long a rollout rests."""
    return float(snapshot.canary.quiet_seconds) if snapshot.canary is not None else 0.0


def told(snapshot: EnvironmentSnapshot, rollout: ServiceProgress, release: int, now: datetime) -> str:
    """How many tasks run what, and until when."""
    until = now + timedelta(seconds=seconds_left(snapshot, rollout))
    older = ", ".join(image for image in rollout.images if image != snapshot.image_ref) or "the version before"
    return (
        f"{rollout.service}: {rollout.running} of {rollout.desired} task(s) run release {release} "
        f"({snapshot.image_ref}), {rollout.outdated} still {older}; they follow at {until:%Y-%m-%d %H:%M:%S} UTC, "
        "unless one of the first ends"
    )
