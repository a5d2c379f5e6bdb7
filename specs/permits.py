"""Who may do what with a kind, as data beside its model: verbs, roles, and the least role for each verb.

``controller.access.permissions`` makes the one table of it. What a kind does not say is what is safe: everybody of its
organization reads it, and its administrators write it; what belongs to no organization is the platform's alone.
"""

from __future__ import annotations

from collections.abc import Mapping

VERBS = (
    "read",
    "write",
    "delete",
    "deploy",
    "scale",
    "restart",
    "rollback",
    "config",
    "suspend",
    "admin",
)
"""``config``: config vars and passwords, which nobody reads; ``suspend``: also a pause; ``admin``: members, tokens and
the audit."""
ALWAYS = ("read", "write", "delete")
"""Verbs of every kind; the others are a kind's own, where it says a least role for them."""

VIEWER, MEMBER, ADMIN, OWNER = "viewer", "member", "admin", "owner"
PLATFORM_VIEWER, PLATFORM_ADMIN = "platform-viewer", "platform-admin"
LADDER = (VIEWER, MEMBER, ADMIN, OWNER, PLATFORM_ADMIN)
"""Each may all that those before it may. A platform viewer reads what anybody reads, and does nothing else."""
ROLES = (OWNER, ADMIN, MEMBER, VIEWER, PLATFORM_ADMIN, PLATFORM_VIEWER)

WORK = dict.fromkeys(("write", "delete"), MEMBER)
"""What members work with all day."""


def fault(permits: Mapping[str, str], changed_by: Mapping[str, str]) -> str:
    """What is wrong with what a kind says of itself; empty when nothing is."""
    for name, verb in changed_by.items():
        if verb not in permits:
            return f"{name} is changed by {verb}, which nobody is permitted"
    for verb, role in permits.items():
        if verb not in VERBS:
            return f"{verb!r} is no verb: {', '.join(VERBS)}"
        if role not in LADDER:
            return f"{role!r} is no least role: {', '.join(LADDER)}"
    return ""
