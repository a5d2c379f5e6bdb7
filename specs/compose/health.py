"""Health checks: Compose's times where it says none, as they are not those of an environment."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from specs.compose import values
from specs.problems import RefusedError
from specs.units import format_duration

if TYPE_CHECKING:
    from specs.compose.service import ServiceReader

_SHELL = ["/bin/sh", "-c"]
_TIMES = {
    "interval": ("interval", timedelta(seconds=30)),
    "timeout": ("timeout", timedelta(seconds=30)),
    "start_period": ("startPeriod", timedelta(0)),
}
_RETRIES = 3


def healthcheck(reader: ServiceReader) -> dict[str, Any] | str | None:
    """The field of the environment; None leaves the image's own."""
    if reader.read(values.truth, "healthcheck", "disable"):
        return "none"
    command = reader.read(_command, "healthcheck", "test", confidential=True)
    if command is None:
        if any(reader.value("healthcheck", key) is not None for key in (*_TIMES, "retries")):
            reader.note(
                "healthcheck", "without a test the image's own check is taken, with its own times", "write a test"
            )
        return None
    if not command:
        return "none"
    check: dict[str, Any] = {"command": command}
    for key, (name, default) in _TIMES.items():
        check[name] = format_duration(reader.read(values.duration, "healthcheck", key) or default)
    often = reader.read(values.duration, "healthcheck", "start_interval")
    if often:
        check["startInterval"] = format_duration(often)
    check["retries"] = reader.read(values.number, "healthcheck", "retries") or _RETRIES
    return check


def _command(value: Any) -> list[str]:
    """Program and arguments; none for a check that is turned off."""
    if isinstance(value, str):
        return [*_SHELL, value]
    if not isinstance(value, list) or not value or not all(isinstance(word, str | int | float) for word in value):
        raise RefusedError("is not a test", "write [CMD, program, argument] or [CMD-SHELL, line]")
    how, *words = map(str, value)
    if how == "NONE":
        return []
    if how == "CMD-SHELL" and words:
        return [*_SHELL, *words]
    if how == "CMD" and words:
        return words
    raise RefusedError("is not a test", "write [CMD, program, argument] or [CMD-SHELL, line]")
