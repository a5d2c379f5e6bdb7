"""The helper: a static program of ours that stands in front of a tenant's, and gives it its variables. A port.

Tasks get it as a Swarm config that can be executed, so it works in every image, whatever that has. It reads the file of
variables, sets them, and becomes the program that follows: no process more, no privilege, nothing that stays.

    /.skypanel/env VARS PROGRAM [ARGUMENT ...]

``VARS`` is a file of ``NAME=VALUE``, each ended by a NUL. Where a task is to serve on for a while when it is asked to
stop, it stays in front of the program, and holds SIGNAL back for that long; 0 is one of SIGINT, SIGQUIT and SIGTERM:

    /.skypanel/env drain SECONDS SIGNAL VARS PROGRAM [ARGUMENT ...]

As a health check it asks the task itself, on 127.0.0.1, and needs nothing of the image either:

    /.skypanel/env check tcp PORT
    /.skypanel/env check http PORT PATH
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from reconcilers.port import Port, write
from reconcilers.signals import NUMBERS
from specs.snapshot_parts import HELPED

FIRST, DRAINS = 1, 2
"""Versions of the program, by what is new in each. The name of a config has one, and whose config is another one is
restarted: so a task refers to the oldest that can do what it needs, and an upgrade restarts nothing. A program does all
that older ones do, so the oldest name may stand for the newest program."""
PROGRAM = "/.skypanel/env"
VARIABLES = "/.skypanel/vars"
NO_VARIABLES = "/dev/null"
"""For VARS: every task has it, and it is empty."""
CHECK, DRAIN = "check", "drain"
SILENT = "nothing listens on this port"
"""What it says of a port, after its number and a colon, that takes no connection."""
ARCHITECTURES = HELPED


def helper_name(installation: str, architecture: str, version: int = FIRST) -> str:
    """Name of the config that is the helper, or a newer one that does as much."""
    return f"skypanel-helper-{installation}-{version}-{architecture}"


def in_front(variables: str, *, drain_seconds: int = 0, signal: str | None = None) -> list[str]:
    """Its words after itself and before the program's, as a task's first process; ``signal`` None: a usual one."""
    if not drain_seconds:
        return [variables]
    return [DRAIN, str(drain_seconds), str(NUMBERS[signal] if signal else 0), variables]


def without_helper(words: Sequence[str]) -> Sequence[str]:
    """What stands behind the helper, to be shown."""
    if tuple(words[:2]) == (PROGRAM, DRAIN):
        return words[5:]
    return words[2:] if tuple(words[:2]) in ((PROGRAM, VARIABLES), (PROGRAM, CHECK)) else words


class Helper(Port, name="helper", fenced=True):
    """The helper in the Swarm, once an installation and architecture; whatever refers to it, nothing owns it."""

    @write
    @abstractmethod
    async def provide(self, architecture: str, version: int) -> None:
        """Have the config ``helper_name(...)`` in the Swarm; nothing happens when it is there.

        Raises:
            TerminalError: ``HelperMissing``: this installation has none for that architecture.
            TransientError: the engine did not answer.
        """
