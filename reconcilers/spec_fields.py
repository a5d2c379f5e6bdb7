"""Of which field of a spec a field of a service is, and its value as a spec has it: for people who look ahead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from specs.units import format_cpu, format_duration, format_memory

_CONTAINER, _LIMITS = "TaskTemplate.ContainerSpec", "TaskTemplate.Resources.Limits"
_RESERVED = "TaskTemplate.Resources.Reservations"


def _as_it_is(value: Any) -> Any:
    return value


def _duration(nanoseconds: int) -> str:
    return format_duration(timedelta(microseconds=nanoseconds / 1000))


_FIELDS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    f"{_CONTAINER}.Image": ("image", _as_it_is),
    f"{_CONTAINER}.Command": ("command", _as_it_is),
    f"{_CONTAINER}.Args": ("args", _as_it_is),
    f"{_CONTAINER}.Env": ("variables", _as_it_is),
    f"{_CONTAINER}.Healthcheck": ("healthcheck", _as_it_is),
    f"{_CONTAINER}.StopGracePeriod": ("stopGracePeriod", _duration),
    f"{_CONTAINER}.ReadOnly": ("readOnlyRootFilesystem", _as_it_is),
    f"{_CONTAINER}.Init": ("init", _as_it_is),
    f"{_CONTAINER}.User": ("runAs", _as_it_is),
    f"{_CONTAINER}.Mounts": ("tmpfs", _as_it_is),
    f"{_LIMITS}.NanoCPUs": ("cpu", lambda value: format_cpu(Decimal(value) / 10**9)),
    f"{_LIMITS}.MemoryBytes": ("memory", lambda value: format_memory(value // 1024**2)),
    f"{_LIMITS}.Pids": ("pids", _as_it_is),
    _RESERVED: ("reserved", _as_it_is),
    "Mode.Replicated.Replicas": ("replicas", _as_it_is),
    "Labels.traefik": ("routes", _as_it_is),
    "UpdateConfig": ("canary", _as_it_is),
}  # fmt: skip
_WHOLE = ("canary", "healthcheck", "reserved", "routes", "tmpfs")
"""Of these the values say little in the engine's words."""


def field_of(path: str) -> str | None:
    """The field of a spec that the field at ``path`` of a service comes from; None: of none."""
    found = _known(path)
    return _FIELDS[found][0] if found else None


def follows(path: str) -> bool:
    """Whether the field at ``path`` of a service is what it is by others, which a spec has."""
    return path.startswith(_RESERVED)


def is_whole(field: str) -> bool:
    """Whether it is enough to say that ``field`` changes."""
    return field in _WHOLE


def value_of(path: str, value: Any) -> Any:
    """``value`` of the field at ``path`` as a spec has it; one that no spec could have as it is."""
    found = _known(path)
    if found is None or not isinstance(value, int):
        return value
    try:
        return _FIELDS[found][1](value)
    except (ValueError, ArithmeticError):
        return value


def _known(path: str) -> str | None:
    return next((known for known in _FIELDS if path == known or path.startswith(f"{known}.")), None)
