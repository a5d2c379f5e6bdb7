"""Whatever is set wrongly, a secret in it is shown nowhere: not in an error, not in a log, not by ``doctor``.

Every setting is given every form in which somebody may have pasted a secret, also where none belongs.
"""

from __future__ import annotations

import base64
import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from controller.actions.doctor.settings import examine
from controller.actions.swarm_view import client
from controller.cli.errors import explain, readable
from controller.daemon import Daemon
from controller.postgres.connecting import connection_string
from controller.settings import Settings
from controller.settings_sources import read, sources
from controller.telemetry import logs

SECRET = "Hx7-s3cret-4711"
FORMS = (
    "https://ada:{}@host.example.com",
    "https://{}@host.example.com",
    "https://host.example.com/?token={}",
    "https://host.example.com:2376/v2?x=1&token={}",
    "tcp://ada:{}@host.example.com:2376",
    "tcp://{}@host.example.com:2376",
    "tcp://host.example.com:2376/?token={}",
    "ssh://ops:{}@host.example.com",
    "postgresql://ada:{}@host.example.com/db",
    "docker.io=https://ada:{}@host.example.com",
    "docker.io=https://host.example.com/?token={}",
    "host=db password={} nonsense",
    "http://[ada:{}@",
)
KEY = base64.b64encode(b"Hx7-s3cret-4711-Hx7-s3cret-4711.").decode()
WHOLE = [name for name, field in Settings.model_fields.items() if "Secret" in str(field.annotation)]
FILES = [name for name, field in Settings.model_fields.items() if "Path" in str(field.annotation)]
"""What is a secret as a whole is one in any form, and so is a key in the place of the file that it should be in."""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """Standard error of a process that logs all that it can."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("json", "debug")
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def said_of(act: Callable[[], Any]) -> list[str]:
    """What a command says when ``act`` fails."""
    failed: Exception | None = None
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is
        failed = error
    if failed is None:
        return []
    explained = explain(failed)
    if explained is None and type(failed) is ValueError:  # ``up`` says these itself
        return readable([str(failed)])
    assert explained is not None, f"a wrong setting is no defect: {failed!r}"
    return readable(explained[0])


def uses(settings: Settings) -> Iterator[Callable[[], Any]]:
    """What a start, and a command that looks, do with them."""
    yield lambda: settings.options
    yield lambda: settings.registry_mirrors
    yield lambda: list(settings.vault.keyring)
    yield lambda: connection_string(settings.database_url.get_secret_value(), "x")
    yield lambda: client(settings).close()
    yield lambda: Daemon(settings, {})._bind().close()


def shown() -> list[str]:
    """All that anybody is shown of the settings."""
    found: list[Settings] = []
    lines = said_of(lambda: found.append(read(Settings, sources([]))))
    for settings in found:
        for act in uses(settings):
            lines += said_of(act)
        lines += readable([check.message for check in examine(settings, [])])
    return lines


def values(name: str) -> list[str]:
    """With a secret in them."""
    whole = [SECRET, KEY] if name in WHOLE else [KEY] if name in FILES else []
    return [*(form.format(SECRET) for form in FORMS), *whole]


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting comes from this machine, and no port is taken."""
    for name in [name for name in os.environ if name.startswith(("SKYPANEL_", "DOCKER_", "DATABASE_", "CAAS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SKYPANEL_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("DOCKER_TLS_CERT_FILE", "/dev/null")
    monkeypatch.setenv("DOCKER_TLS_KEY_FILE", "/dev/null")


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_a_secret_in_a_setting_is_shown_nowhere(name: str, log: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    for value in values(name):
        monkeypatch.setenv(name.upper(), value)
        everything = "\n".join(shown()) + log.getvalue()
        assert SECRET not in everything, f"{name}={value}"
        assert KEY not in everything, f"{name}={value}"
