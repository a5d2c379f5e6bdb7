"""The helper: a static program of ours that stands in front of a tenant's, and gives it its variables. A port.

Tasks get it as a Swarm config that can be executed, so it works in every image, whatever that has. It reads the file of
variables, sets them, and becomes the program that follows: no process more, no privilege, nothing that stays.

    /.skypanel/env VARS PROGRAM [ARGUMENT ...]

``VARS`` is a file of ``NAME=VALUE``, each ended by a NUL. As a health check it asks the task itself, on 127.0.0.1,
and needs nothing of the image either:

    /.skypanel/env check tcp PORT
    /.skypanel/env check http PORT PATH
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from reconcilers.port import Port, write

VERSION = 1
"""Of the program. One that is raised restarts every task that has variables: the name of the config changes with it."""
PROGRAM = "/.skypanel/env"
VARIABLES = "/.skypanel/vars"
CHECK = "check"
ARCHITECTURES = ("amd64", "arm64")


def helper_name(installation: str, architecture: str) -> str:
    """Name of the config that is the helper; it stays the same as long as what it does is the same."""
    return f"skypanel-helper-{installation}-{VERSION}-{architecture}"


def without_helper(words: Sequence[str]) -> Sequence[str]:
    """What stands behind the helper, to be shown."""
    return words[2:] if tuple(words[:2]) in ((PROGRAM, VARIABLES), (PROGRAM, CHECK)) else words


class Helper(Port, name="helper", fenced=True):
    """The helper in the Swarm, once an installation and architecture; whatever refers to it, nothing owns it."""

    @write
    @abstractmethod
    async def provide(self, architecture: str) -> None:
        """Have the config ``helper_name(...)`` in the Swarm; nothing happens when it is there.

        Raises:
            TerminalError: ``HelperMissing``: this installation has none for that architecture.
            TransientError: the engine did not answer.
        """
