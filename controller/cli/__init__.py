"""``skypanel``, the command line: one module a command, loaded when the command is asked for.

What they share: ``inputs`` (settings, files, database), ``output`` (for people), ``formats`` (for programs) and
``errors``.
"""

from controller.cli.application import main

__all__ = ["main"]
