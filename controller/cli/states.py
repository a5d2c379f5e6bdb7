"""How the state of objects is shown, by more than one command."""

from __future__ import annotations

from rich.text import Text

from controller.declared.reader import DeclaredObject


def ready_text(found: DeclaredObject) -> Text:
    """``True``, ``False``, ``Unknown`` or ``-`` in its colour."""
    ready = found.status.ready
    if ready is None:
        return Text("-", style="dim")
    if found.status.unknown:
        return Text("Unknown", style="yellow")
    return Text(str(ready), style="green" if ready else "red" if found.status.stalled else "yellow")
