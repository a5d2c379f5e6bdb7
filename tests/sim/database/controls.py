"""Pauses and requests to look now, as migration 0012 has them: by scope, kind and id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.records import Key, Pause

Place = tuple[str, str, str]
INSTALLATION: Place = ("installation", "", "")


def place(scope: str, key: Key | None) -> Place:
    """The key of a control's row; ``key`` is the object, the organization, or None for the installation."""
    return INSTALLATION if key is None else (scope, *key)


@dataclass(slots=True)
class Controls:
    """What an operator says of objects."""

    pauses: dict[Place, Pause] = field(default_factory=dict)
    tokens: dict[Key, str] = field(default_factory=dict)

    def pause(self, where: Place, reason: str, by: str, seconds: float) -> bool:
        """Stop the work there; one that is stopped already gets the new reason. Whether that changed something."""
        known = self.pauses.get(where)
        if known and known.reason == reason:
            return False
        at = known.at if known else datetime.fromtimestamp(seconds, UTC).isoformat()
        self.pauses[where] = Pause(where[0], reason, known.by if known else by, at)
        return True

    def pause_of(self, key: Key, organization_id: str | None) -> Pause | None:
        """The widest that holds ``key``."""
        places = (INSTALLATION, ("organization", "organization", organization_id or ""), ("object", *key))
        return next((self.pauses[where] for where in places if where in self.pauses), None)
