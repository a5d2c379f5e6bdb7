"""What of the security baseline an environment's own spec takes back: it stands in the row, and its status says it."""

from __future__ import annotations

from reconcilers.baseline import NOFILE
from specs.snapshots import EnvironmentSnapshot


def relaxed(snapshot: EnvironmentSnapshot) -> list[str]:
    """In words, by field of the spec; empty when the baseline holds as it is."""
    found = []
    if snapshot.run_as is not None and int(snapshot.run_as.partition(":")[0]) == 0:
        found.append("runAs: root in its container, without a capability")
    if not snapshot.read_only_root:
        found.append("readOnlyRootFilesystem: every file of the image can be written to")
    limits = snapshot.ulimits
    if limits is not None and limits.nofile is not None and limits.nofile > NOFILE:
        found.append(f"ulimits.nofile: {limits.nofile} open files instead of {NOFILE}")
    if limits is not None and limits.memlock_mb is not None:
        found.append(f"ulimits.memlock: {limits.memlock_mb} MiB of memory can be locked")
    return found
