"""Labels that say who owns a live object. Nothing without our installation label is ever touched."""

from __future__ import annotations

import sys

PREFIX = "io.skypanel."
INSTALLATION = PREFIX + "installation"
OWNER = PREFIX + "owner"
ORGANIZATION = PREFIX + "organization"
SPEC_HASH = PREFIX + "spec-hash"
TEMPLATE_HASH = PREFIX + "template-hash"
PROCESS = PREFIX + "process"
PULLS_AS = PREFIX + "pulls-as"
"""Revision of the registry's user that the service's nodes pull with, which no answer of the engine shows."""
RESTART = PREFIX + "restart"
"""On containers that were restarted by a token: the environment's and the process's."""
START_PERIOD = PREFIX + "start-period"
"""On containers whose engine was told a longer one than is declared: the declared one, in seconds."""
EDGE = PREFIX + "edge"
USERNS = PREFIX + "userns"
"""``true`` on a node: its engine has userns-remap, says who labelled it; doctor compares."""
RELEASE = PREFIX + "release"
"""On the job of a release command: the release, and which try of it."""
ONCE = PREFIX + "once"
"""On a job whose task is never started again, whoever begins to lead; see ``reconcilers.jobs.Job.once``."""
RETIRED = PREFIX + "retired"
"""On a service that serves under a former name and answers no host name any more."""
DATABASE = PREFIX + "database"
EPOCH = PREFIX + "epoch"


def owner_key(kind: str, object_id: str) -> str:
    """``kind/uuid``, the value of the owner label."""
    return f"{kind}/{object_id}"


def parse_owner(value: str) -> tuple[str, str] | None:
    """Split an owner label into kind and id; None when somebody wrote something else there."""
    kind, slash, object_id = value.partition("/")
    return (sys.intern(kind), object_id) if slash and kind and object_id and "/" not in object_id else None


def owned(installation: str, kind: str, object_id: str, organization_id: str) -> dict[str, str]:
    """The labels of an object of ours; they change only when the owner does."""
    return {INSTALLATION: installation, OWNER: owner_key(kind, object_id), ORGANIZATION: organization_id}
