"""``skypanel``, the command line: one module a command, loaded when the command is asked for.

What they share: ``inputs`` (settings, files, database), ``output`` (for people), ``formats`` (for programs) and
``errors``.
"""

from __future__ import annotations

import gc as garbage  # a command is called gc


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code."""
    garbage.disable()  # what is imported stays: looking for garbage among it takes a twentieth of the start
    try:
        from controller.cli.application import main as run  # noqa: PLC0415 - nothing is to be imported before

        return run(arguments)
    finally:
        garbage.enable()
