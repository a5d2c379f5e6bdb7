"""Looks ahead at the Swarm: one look serves all who ask within some seconds, and whose it is, is told to its owner."""

from __future__ import annotations

import threading
import time
from typing import Any

from controller.actions import swarm_view
from controller.settings import Settings
from controller.swarm.liveview import LiveView

_SECONDS = 3.0
ENGINE_UNSEEN = "the engine could not be asked"


class Looks:
    """What the engine has, as it was some seconds ago at most."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._found: tuple[LiveView | None, str] = (None, ENGINE_UNSEEN)
        self._at = float("-inf")

    def look(self) -> tuple[LiveView | None, str]:
        """All that it has, or None and why that is not known."""
        with self._lock:
            if time.monotonic() - self._at > _SECONDS:
                self._found = swarm_view.look(self._settings)
                self._at = time.monotonic()
            return self._found


def for_tenants(document: dict[str, Any]) -> dict[str, Any]:
    """A plan or an explanation without what is said of the platform itself: addresses of engines and of databases."""
    found = dict(document)
    if found.get("unknown"):
        found["unknown"] = "what comes of it on the Swarm could not be looked at"
    if found.get("unseen"):
        found["unseen"] = [f"{each.partition(':')[0]}: not seen from here" for each in found["unseen"]]
    return found
