"""How a run ended, and waiting for that; loads no client of a database."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.declared.readiness import Progress


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Args:
        outcome: ``succeeded``, ``failed``, ``timed_out``, ``stopped``, ``not_started`` or ``unknown``.
        message: in words.
        exit_code: of its program; None: not known, or it had none.
    """

    outcome: str
    message: str
    exit_code: int | None


def until_over(
    look: Callable[[], Sequence[Progress]], show: Callable[[Sequence[Progress]], None], pause: float
) -> Ended:
    """Wait until a run is over, for as long as that takes.

    Args:
        look: how far it is; none: it is not there any more.
        show: is given that, at each look.
        pause: seconds between two looks.
    """
    while True:
        found = look()
        show(found)
        if not found or found[0].deleted or found[0].generation is None:
            return Ended("stopped", "it was deleted, and with that stopped", None)
        outcome = found[0].details.get("outcome")
        if found[0].current and outcome is not None:
            code = found[0].details.get("exitCode")
            return Ended(str(outcome), found[0].message, code if isinstance(code, int) else None)
        time.sleep(pause)
