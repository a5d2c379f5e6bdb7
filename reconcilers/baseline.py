"""The security baseline that every container of a tenant gets, and the check that the engine kept it.

An engine accepts fields that it does not know and drops them without a word (201 Created), so what was written is
read back and compared: ``lost`` names each field of the baseline that is not there. Fields and API versions:
moby CHANGELOG, api/types/swarm/container.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

NOFILE = 8192  # within the hard limit that common init systems give to an engine
TMPFS_MB = 64


def harden(
    container: dict[str, Any],
    *,
    read_only_root: bool,
    tmpfs_paths: tuple[str, ...],
    run_as: str | None,
    init: bool = True,
    tmpfs_mb: Mapping[str, int] = MappingProxyType({}),
    ulimits: Mapping[str, int] = MappingProxyType({}),
) -> dict[str, Any]:
    """``container`` (a ContainerSpec) with the baseline: no capability, no new privilege, default seccomp and AppArmor,
    a read-only root with tmpfs exceptions, an init process unless the image must be process 1 itself, bounded files and
    no core dumps, no host mounts.

    ``tmpfs_mb`` is the size of those paths that have one of their own, ``ulimits`` are other limits than the usual.
    """
    limits = {"core": 0, "nofile": NOFILE, **ulimits}
    hardened = {
        **container,
        "Init": init,
        "CapabilityDrop": ["ALL"],
        "Privileges": {
            "NoNewPrivileges": True,
            "Seccomp": {"Mode": "default"},
            "AppArmor": {"Mode": "default"},
        },
        "Ulimits": [{"Name": name, "Soft": limit, "Hard": limit} for name, limit in limits.items()],
        "ReadOnly": read_only_root,
        "Mounts": [
            {
                "Type": "tmpfs",
                "Target": path,
                "TmpfsOptions": {"SizeBytes": tmpfs_mb.get(path, TMPFS_MB) * 1024 * 1024, "Mode": 0o1777},
            }
            for path in sorted(tmpfs_paths)
        ],
    }
    if run_as is not None:
        hardened["User"] = run_as
    return hardened


def lost(written: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Paths of baseline fields that ``written`` (a service spec) has and ``stored`` (as read back) has not."""
    want, have = written["TaskTemplate"], stored.get("TaskTemplate") or {}
    want_container, have_container = want["ContainerSpec"], have.get("ContainerSpec") or {}
    want_privileges, have_privileges = want_container.get("Privileges") or {}, have_container.get("Privileges") or {}
    dropped = [
        f"Privileges.{field}"
        for field in ("NoNewPrivileges", "Seccomp", "AppArmor")
        if not _covers(want_privileges.get(field), have_privileges.get(field))
    ]
    dropped += [
        field
        for field in ("CapabilityDrop", "ReadOnly", "Init", "Ulimits", "User")
        if want_container.get(field) and not _covers(want_container[field], have_container.get(field))
    ]
    want_limits = (want.get("Resources") or {}).get("Limits") or {}
    have_limits = (have.get("Resources") or {}).get("Limits") or {}
    dropped += [f"Resources.Limits.{field}" for field in want_limits if have_limits.get(field) != want_limits[field]]
    return dropped


def _covers(want: Any, have: Any) -> bool:
    """Whether everything of ``want`` is in ``have``."""
    if isinstance(want, Mapping):
        return isinstance(have, Mapping) and all(_covers(value, have.get(key)) for key, value in want.items())
    if isinstance(want, list):
        return isinstance(have, list) and len(want) <= len(have) and all(any(_covers(w, h) for h in have) for w in want)
    return bool(want == have)
