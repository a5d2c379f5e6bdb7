"""Is everything that the controller needs there, and how to mend what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from controller.actions.doctor import database, engine, identity, packages
from controller.actions.doctor import settings as given
from controller.actions.doctor.findings import Check
from controller.settings import Settings


def examine(settings: Settings, files: Sequence[Path]) -> Iterator[Check]:
    """Every check, as it is done.

    Args:
        settings: of the controller.
        files: that they come from, beside the environment.
    """
    yield from given.examine(settings, files)
    for part in (packages, database, engine, identity):
        yield from part.examine(settings)
