"""Which release an environment runs: a new one wherever what is declared is something else than the newest."""

from __future__ import annotations

from collections.abc import Sequence

from reconcilers.conditions import Condition
from reconcilers.environment.config import has_helper, pinned
from reconcilers.ports import Context, ServiceProgress
from reconcilers.releases import Releases
from specs.releases import release_of
from specs.snapshots import EnvironmentSnapshot, ReleaseSnapshot

DEPLOYED = "Deployed"


async def released(context: Context, snapshot: EnvironmentSnapshot) -> ReleaseSnapshot:
    """The release of ``snapshot``, on record before anything of it is written.

    Raises:
        ReconcileError: it cannot be written down; see ``Releases``.
    """
    declared = snapshot.image_ref or ""
    image = (pinned(snapshot) if has_helper(snapshot) else None) or declared
    release, newest = release_of(snapshot, image), snapshot.release
    if newest is not None and newest.digest == release.digest:
        return newest
    return await context.port(Releases).make(context.id, context.generation, release)


async def note_deployed(
    context: Context, release: ReleaseSnapshot, conditions: tuple[Condition, ...], observed: Sequence[ServiceProgress]
) -> None:
    """Have it on record that all tasks run ``release``, the first time that they do, and that there are some."""
    if not release.deployed and conditions[0].reason == DEPLOYED and any(found.running for found in observed):
        await context.port(Releases).deployed(context.id, release.version)
