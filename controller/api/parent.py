"""As the child of `skypanel up`: it ends with its parent, dies before it, and may reach nothing of the machine.

Standard input is a pipe from the parent, so its end is known whatever ended it.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from controller.kit.confined import confine

_DRAIN_SECONDS = 30.0
_OOM_SCORE = "500"


def begin(url: str) -> str:
    """Do it, before there are other threads.

    Args:
        url: of the database.

    Returns:
        Why it may reach sockets of the machine still; empty: it may not.
    """
    said = "its database is reached by a socket of the machine" if _by_socket(url) else confine()
    with suppress(OSError):  # where memory runs out, the kernel takes this process, and not the parent
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    threading.Thread(target=_watch, name="parent", daemon=True).start()
    return said


def _by_socket(url: str) -> bool:
    """Whether libpq may open one: it does where no host is named, too."""
    try:
        given = conninfo_to_dict(url)
    except ProgrammingError:
        return False
    named = given.get("host") or given.get("hostaddr") or os.environ.get("PGHOST") or os.environ.get("PGHOSTADDR") or ""
    return any(not host or host.startswith(("/", "@")) for host in str(named).split(","))


def _watch() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_DRAIN_SECONDS)
    os._exit(1)
