"""``skypanel``, the command line: one module a command, loaded when the command is asked for.

What they share: ``inputs`` (settings, files, database), ``output`` (for people), ``formats`` (for programs) and
``errors``. Help and version are said before anything is loaded that parses a line.
"""

from __future__ import annotations

import gc as garbage  # a command is called gc
import os
import sys
from collections.abc import Sequence

COMPLETES = "_SKYPANEL_COMPLETE"
"""A variable that shells set when they ask what may follow."""
_NO_PLUGINS = ("PYDANTIC_DISABLE_PLUGINS", "__all__")
"""None of them is for a command, and to look for them reads what every installed package says of itself."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = _meant(sys.argv[1:] if arguments is None else arguments)
    if (code := _said_at_once(given)) is not None:
        return code
    os.environ.setdefault(*_NO_PLUGINS)
    garbage.disable()  # what is imported stays: looking for garbage among it takes a twentieth of the start
    try:
        from controller.cli.application import main as run  # noqa: PLC0415 - nothing is to be imported before

        return run(given)
    finally:
        garbage.enable()


def _meant(given: Sequence[str]) -> list[str]:
    """``given``, with the help that ``help COMMAND`` and nothing at all ask for."""
    if COMPLETES in os.environ:  # a shell asks what may follow
        return list(given)
    if not given or given[0] == "help":
        return [*given[1:], "--help"]
    return list(given)


def _said_at_once(given: list[str]) -> int | None:
    """The exit code where help or version is all that is asked for."""
    if COMPLETES in os.environ or len(given) != 1:
        return None
    try:
        if given[0] in ("--help", "-h"):
            from controller.cli.commands import overview  # noqa: PLC0415 - as above

            overview()
            return 0
        if given[0] in ("--version", "-V", "-v"):
            from controller.cli.version_line import say_version  # noqa: PLC0415 - as above

            say_version()
            return 0
    except BrokenPipeError:  # whoever read has seen enough
        sys.stderr.close()
        return 0
    return None
