"""Which engines can be worked with: those that keep every security field, and manage a Swarm. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from controller.swarm.errors import EngineUnavailable, UnsupportedEngine

MINIMUM_API = (1, 44)
NEWEST_API = (1, 51)
"""The newest that all of this was tried with (Engine 28.5). A newer engine speaks it, as it did when that was new."""


class SwarmTrouble(NamedTuple):
    """Why an engine cannot be worked with as a manager, and what to do; ``passes``: worth waiting for."""

    what: str
    mend: str
    passes: bool


def swarm_trouble(swarm: Mapping[str, Any]) -> SwarmTrouble | None:
    """What is wrong with an engine's part in a Swarm, by the ``Swarm`` of its ``/info``; None for a manager."""
    state = str(swarm.get("LocalNodeState") or "unknown")
    match state:
        case "active" if swarm.get("ControlAvailable"):
            return None
        case "active":
            return SwarmTrouble("it is a worker of its Swarm", "point DOCKER_HOST at a manager", passes=False)
        case "locked":
            return SwarmTrouble(
                "its Swarm is locked (SwarmLocked)", "run `docker swarm unlock` there, with the key", passes=True
            )
        case "pending":
            return SwarmTrouble("it is joining a Swarm", "wait until another manager accepts it", passes=True)
        case "error":
            why = str(swarm.get("Error") or "no reason given")
            return SwarmTrouble(
                f"its Swarm does not start ({why})", "see the engine's log; its state is still there", passes=True
            )
        case _:
            return SwarmTrouble(
                f"it is in no Swarm (node state {state})",
                "run `docker swarm init` there, or point DOCKER_HOST at a manager",
                passes=False,
            )


def refuse_version(version: Mapping[str, Any], host: str) -> None:
    """Refuse an engine that would drop security fields silently.

    Args:
        version: the answer of ``/version``.
        host: where the engine is.

    Raises:
        UnsupportedEngine: with what is wrong and what to install.
    """
    api = str(version.get("ApiVersion", "0.0"))
    if _parts(api) < MINIMUM_API:
        raise UnsupportedEngine(
            f"{_engine(version, host)} speaks API {api}; API 1.44 (Docker Engine 25.0) or newer is "
            "needed: older engines accept NoNewPrivileges, Seccomp and AppArmor settings and drop them without a "
            "word, so containers would run without the security baseline. Install docker.io 26 or newer (Debian "
            "13), or docker-ce 25 or newer."
        )


def spoken_version(version: Mapping[str, Any]) -> str:
    """The API version to speak with an engine that is not refused: its newest, but for what was never tried.

    Args:
        version: the answer of ``/version``.

    Returns:
        such as "1.45".
    """
    newest = min(_parts(str(version.get("ApiVersion", "0.0"))), NEWEST_API)
    # An engine that has given up what we know is spoken to in its oldest version, which is the nearest to it.
    oldest = _parts(str(version.get("MinAPIVersion", "0.0")))
    return ".".join(map(str, max(newest, oldest)))


def refuse_swarm(swarm: Mapping[str, Any], version: Mapping[str, Any], host: str) -> None:
    """Refuse an engine that is no manager of a Swarm.

    Args:
        swarm: the ``Swarm`` of its ``/info``.
        version: the answer of ``/version``.
        host: where the engine is.

    Raises:
        UnsupportedEngine: it will not be one by itself.
        EngineUnavailable: a Swarm that is locked or not there yet.
    """
    trouble = swarm_trouble(swarm)
    if trouble is not None:
        message = f"{_engine(version, host)}: {trouble.what}: {trouble.mend}"
        raise EngineUnavailable(0, message) if trouble.passes else UnsupportedEngine(f"{message}.")


def _engine(version: Mapping[str, Any], host: str) -> str:
    return f"Docker Engine {version.get('Version', 'of unknown version')} at {host}"


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
