"""Is everything that the controller needs there, and how to mend what is not."""

from __future__ import annotations

from collections.abc import Iterator

from controller.actions.doctor import database, engine, identity, packages
from controller.actions.doctor.findings import Check
from controller.settings import Settings


def examine(settings: Settings) -> Iterator[Check]:
    """Every check, as it is done."""
    for part in (packages, database, engine, identity):
        yield from part.examine(settings)
