"""``skypanel``, the command line: one module a command.

What they share is in ``session`` (settings, files, database), ``kinds`` (words and paths), ``output`` and ``failures``.
"""

from controller.cli.application import main

__all__ = ["main"]
