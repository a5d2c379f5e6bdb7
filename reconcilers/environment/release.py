"""Which release an environment runs: a new one wherever what is declared is something else than the newest."""

from __future__ import annotations

from collections.abc import Sequence

from reconcilers.conditions import Condition
from reconcilers.environment.config import runs
from reconcilers.ports import Context, ServiceProgress
from reconcilers.releases import Releases
from specs.releases import release_of
from specs.snapshot_parts import ReleaseSnapshot
from specs.snapshots import EnvironmentSnapshot

DEPLOYED = "Deployed"


def as_released(snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
    """``snapshot`` with what its newest release knew of its image, where that is what is declared. Pure.

    What is found of the same content later, such as after another image was asked for, restarts nothing.
    """
    image, newest = snapshot.resolved, snapshot.release
    if image is None or newest is None or image.stop_signal == newest.stop_signal:
        return snapshot
    if newest.digest != release_of(snapshot, runs(snapshot) or "").digest:
        return snapshot
    return snapshot.model_copy(update={"resolved": image.model_copy(update={"stop_signal": newest.stop_signal})})


async def released(context: Context, snapshot: EnvironmentSnapshot) -> ReleaseSnapshot:
    """The release of ``snapshot``, on record before anything of it is written.

    Raises:
        ReconcileError: it cannot be written down; see ``Releases``.
    """
    release, newest = release_of(snapshot, runs(snapshot) or ""), snapshot.release
    if newest is not None and newest.digest == release.digest:
        return newest
    return await context.port(Releases).make(context.id, context.generation, release)


async def note_deployed(
    context: Context, release: ReleaseSnapshot, conditions: tuple[Condition, ...], observed: Sequence[ServiceProgress]
) -> bool:
    """Have it on record that all tasks run ``release``, the first time that they do, and that there are some; whether
    that was now.
    """
    now = (
        not release.deployed
        and conditions[0].reason == DEPLOYED
        and any(found.running or found.completed for found in observed)
    )
    if now:
        await context.port(Releases).deployed(context.id, release.version)
    return now
