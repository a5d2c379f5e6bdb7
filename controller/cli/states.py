"""How the state of objects is shown, by more than one command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.cli.terminal import Text
from controller.declared.objects import DeclaredObject


def ready_text(found: DeclaredObject) -> Text:
    """``True``, ``False``, ``Unknown`` or ``-`` in its colour."""
    ready = found.status.ready
    if ready is None:
        return Text("-", style="dim")
    if found.status.unknown:
        return Text("Unknown", style="yellow")
    return Text(str(ready), style="green" if ready else "red" if found.status.stalled else "yellow")


def brief(message: str, path: str, details: Mapping[str, Any]) -> str:
    """``message`` with short names of services, for where there is little room and it is plain whose they are.

    Args:
        message: of a status.
        path: of the object that has the services.
        details: of its status.
    """
    for name in details.get("services") or ():
        readable = name.rpartition("_")[0].removeprefix(f"{path.replace('/', '-')}-")
        message = message.replace(name, readable or name)
    return message
