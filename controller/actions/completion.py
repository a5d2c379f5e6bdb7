"""Names of declared objects for the shell, which completes what is typed."""

from __future__ import annotations

from itertools import islice

from controller.actions.errors import ActionError
from controller.actions.paths import depth, kind_of
from controller.declared.objects import Read
from specs.kinds import KINDS, RELEASED

_MOST = 200
PROCESS = KINDS[RELEASED].facts.overruled["replicas"][0]
"""The kind that has tasks by a number of its own."""


def names(read: Read, word: str, begun: str) -> list[str]:
    """At most 200 names of objects of the kind that ``word`` names, which begin with ``begun``."""
    try:
        kind = kind_of(word)
    except ActionError:
        return []
    owners = tuple(begun.split("/")[:-1])[: depth(kind)]
    found = (o.name for o in read(kind, owners))
    return list(islice((name for name in found if name.startswith(begun)), _MOST))


def parts(read: Read, path: str, begun: str) -> list[str]:
    """Names of the processes at ``path`` and below it that begin with ``begun``."""
    owners = tuple(filter(None, path.split("/")))
    if not owners:
        return []
    found = (o.path[-1] for o in read(PROCESS, owners, specs=False))
    return list(islice((name for name in dict.fromkeys(found) if name.startswith(begun)), _MOST))


def places(read: Read, begun: str) -> list[str]:
    """Paths that begin with ``begun``, one name further: organizations, then their apps, then those's environments."""
    owners = tuple(begun.split("/")[:-1])[: depth(RELEASED)]
    further = len(owners) + 1
    found = (
        "/".join(o.path[:further]) + ("/" if further < depth(RELEASED) else "")
        for o in read(RELEASED, owners, specs=False)
    )
    return list(islice((name for name in dict.fromkeys(found) if name.startswith(begun)), _MOST))
