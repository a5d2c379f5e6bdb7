"""Is everything that the controller needs there, and how to mend what is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from controller.actions.doctor import database, engine, http_api, identity, issuers, next_step, packages, sources
from controller.actions.doctor import settings as given
from controller.actions.doctor.findings import Check
from controller.settings import Settings

_PARTS = (packages, database, engine, identity, http_api, issuers, sources)


def examine(settings: Settings, files: Sequence[Path]) -> Iterator[Check]:
    """Every check, as it is done.

    Args:
        settings: of the controller.
        files: that they come from, beside the environment.
    """
    done: list[Check] = []
    for check in chain(given.examine(settings, files), *(part.examine(settings) for part in _PARTS)):
        done.append(check)
        yield check
    if coming := next_step.after(done):
        yield coming
