"""The HTTP API beside the controller: ``skypanel api`` as a process of its own, begun anew when it ends.

It is what the network reaches, so it gets its own settings and nothing else of the controller's: no connection string
of the controller's role, no engine, no password of the edge (ADR 44 says what that separates, and what it does not). It
ends when this process does, whatever ends that: its standard input is a pipe from here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio
import structlog
from pydantic import SecretStr

import controller
from controller.kit import clock
from controller.settings import Settings
from controller.settings_sources import Source, names_of

log = structlog.get_logger(__name__)

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
_SOUND_SECONDS = 60.0
"""One that ran so long is begun anew as fast as after its first end."""
_STOP_SECONDS = 28.0
"""What it answers is answered for 25 seconds after it was told to end."""
_SECRETS = frozenset({"SKYPANEL_API_DATABASE_URL", "JWT_SECRET", "SKYPANEL_KEYS"})
"""Settings with secrets that it needs: to see rows, to know who asks, to seal what is set (ADR 40)."""
_ENGINE = "DOCKER_"
_NO_ENGINE = "unix:///dev/null"
_SYSTEM = ("LANG", "LC_", "LD_LIBRARY_PATH", "NO_COLOR", "PATH", "PG", "PYTHON", "SSL_CERT_", "TERM", "TMPDIR", "TZ")
"""How names begin that are of the system, of Python or of PostgreSQL's client."""
_PASSWORDS = frozenset({"PGPASSWORD"})
NOT_SET = (
    "SKYPANEL_API_DATABASE_URL is not set: `skypanel setup` makes a login and writes it into /etc/skypanel/api.env;"
    " SKYPANEL_SERVE_API=false says that it is not wanted"
)


def environment_of(places: Sequence[Source], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All that the process is told.

    Args:
        places: with settings, those that win first.
        environment: of this process.
    """
    found = {name: value for name, value in environment.items() if name.startswith(_SYSTEM) and name not in _PASSWORDS}
    secret = {
        name
        for name, field in zip(names_of(Settings), Settings.model_fields.values(), strict=True)
        if field.annotation is SecretStr
    }
    for name in names_of(Settings):
        value = next(filter(None, (place.values.get(name) for place in places)), None)
        if value is not None and not name.startswith(_ENGINE) and (name not in secret or name in _SECRETS):
            found[name] = value
    own = str(Path(controller.__file__).parents[1])
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [own, found.get("PYTHONPATH")]))
    found["DOCKER_HOST"] = _NO_ENGINE
    found["SKYPANEL_ENV_FILE"] = os.devnull  # the file of the installation has the controller's settings
    return found


class ApiProcess:
    """The process.

    Args:
        environment: all that it is told.
        stopping: set when it shall end.
    """

    def __init__(self, environment: Mapping[str, str], stopping: anyio.Event) -> None:
        self._environment = environment
        self._stopping = stopping

    async def run(self) -> None:
        """Have it run until it shall end. What keeps it from running keeps nothing else from running."""
        wait = FIRST_SECONDS
        while not self._stopping.is_set():
            begun = clock.monotonic()
            code = await self._once()
            if self._stopping.is_set():
                return
            wait = FIRST_SECONDS if clock.monotonic() - begun > _SOUND_SECONDS else wait
            why = "its own lines before this one say why"
            log.warning("api.ended", code=code, retry_in=wait, mend=f"{why}; SKYPANEL_SERVE_API=false starts none here")
            with anyio.move_on_after(wait):
                await self._stopping.wait()
            wait = min(2 * wait, LONGEST_SECONDS)

    async def _once(self) -> int | str | None:
        """Its exit code, or why it could not be started."""
        command = [sys.executable, "-P", "-m", "controller", "api", "--with-parent"]
        try:
            process = await anyio.open_process(
                command, stdin=PIPE, stdout=None, stderr=None, env=self._environment, start_new_session=True
            )
        except OSError as error:
            return str(error)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._end, process)
                await process.wait()
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        process.kill()
                await process.aclose()
        return process.returncode

    async def _end(self, process: Any) -> None:
        await self._stopping.wait()
        with suppress(ProcessLookupError):  # it may have ended by itself in this moment
            process.terminate()
        await anyio.sleep(_STOP_SECONDS)
        log.warning("api.killed", mend="it had not ended in time")
        with suppress(ProcessLookupError):
            process.kill()
