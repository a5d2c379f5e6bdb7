"""Shows what would be deleted, and asks whether it shall."""

from __future__ import annotations

from collections.abc import Sequence

from controller.cli.output import error_console, says_yes
from controller.cli.terminal import Text

_LISTED = 20


def is_meant(named: Sequence[str]) -> bool:
    """Whether whoever is at the terminal wants these, such as ``app acme/shop``, to be deleted."""
    out = error_console()
    out.print(Text("This will be deleted:"))
    for text in named[:_LISTED]:
        out.print(Text(f"  {text}", style="red"))
    if len(named) > _LISTED:
        out.print(Text(f"  and {len(named) - _LISTED} more"))
    return says_yes("Delete?")
