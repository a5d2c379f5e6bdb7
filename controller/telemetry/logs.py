"""Structured logs: stable event names, context bound once, colours on a terminal and JSON elsewhere.

Secrets do not get here: settings hold them as ``SecretStr``, and specs hold none. As a second line, ``redact`` blanks
passwords in anything that looks like a connection string.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

from controller.kit import clock
from controller.kit.redaction import redact

_AGAIN_SECONDS, _REMEMBERED = 60.0, 100


def _redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _redacted(value) for key, value in event.items()}


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case None | bool() | int() | float():
            return value
        case Mapping():
            return {key: _redacted(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_redacted(item) for item in value]
    return redact(repr(value))  # as it would be shown, an exception above all


def configure(form: Literal["auto", "console", "json"], level: str) -> None:
    """Set up structlog, and send the standard library's warnings the same way, to standard error."""
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    processors.append(structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(sort_keys=True))
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, handlers=[_Forward()], force=True)


class _Forward(logging.Handler):
    """Libraries' warnings, in the same form as our own lines; what is said again and again once a minute, counted."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[str, tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        since, unsaid = self._said.get(text, (-_AGAIN_SECONDS, 0))
        if clock.monotonic() - since < _AGAIN_SECONDS:
            self._said[text] = since, unsaid + 1
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[text] = clock.monotonic(), 0
        again = {"unsaid": unsaid} if unsaid else {}
        structlog.get_logger(record.name).log(record.levelno, "library.message", text=text, **again)
