"""What would exist of an environment, for who asks before anything is done. Pure: nobody is asked for an image."""

from __future__ import annotations

from dataclasses import replace

from reconcilers.environment import command, policies
from reconcilers.environment.by_tag import as_it_runs
from reconcilers.environment.port_check import as_checked
from reconcilers.environment.release import as_released
from reconcilers.environment.service import pulling, render
from reconcilers.objects import HomeNetwork, Objects
from reconcilers.outcomes import ReconcileError
from reconcilers.ports import LookAhead
from specs.names import network_name
from specs.snapshots import EnvironmentSnapshot


def preview(snapshot: EnvironmentSnapshot, ahead: LookAhead) -> Objects:
    """What would exist; a network that does not exist yet has no id yet."""
    organization = snapshot.organization
    found = ahead.live.network_of(str(organization.id))
    name = network_name(organization.slug, installation=ahead.options.installation, organization=organization.id)
    home = HomeNetwork(found.id, found.name) if found else HomeNetwork(name, name)
    snapshot = _as_it_would_be(snapshot, ahead)
    job = command.ahead(snapshot, ahead, home)
    if policies.is_stopped(snapshot, ahead.options):
        snapshot = snapshot.model_copy(update={"withheld": True})
    objects = render(snapshot, ahead.options, home)
    return pulling(replace(objects, objects=(*objects.objects, *job.objects)), "")


def held(snapshot: EnvironmentSnapshot, ahead: LookAhead) -> ReconcileError | None:
    """Why its release does not come for now, by what is on record; None: nothing is known against it."""
    snapshot = _as_it_would_be(snapshot, ahead)
    return command.held(snapshot) or policies.held(snapshot, ahead.options)


def _as_it_would_be(snapshot: EnvironmentSnapshot, ahead: LookAhead) -> EnvironmentSnapshot:
    return as_released(as_checked(as_it_runs(snapshot, ahead.live, ahead.options)))
