"""What other processes of the same user may learn of this one: nothing of its memory and of its environment."""

from __future__ import annotations

import ctypes

_PR_SET_DUMPABLE = 4


def keep_from_siblings() -> bool:
    """Have only root read the memory and the environment of this process; False where the system cannot.

    Its ``/proc`` belongs to root then, and no debugger of its user attaches to it (prctl(2), PR_SET_DUMPABLE).
    """
    try:
        prctl = ctypes.CDLL(None).prctl
    except (AttributeError, OSError):  # no Linux
        return False
    return bool(prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
