"""The second line against passwords in logs: what looks like a connection string is blanked, in every field."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from controller.kit import clock
from controller.kit.redaction import redact
from controller.telemetry.logs import configure

SECRET = "hunter2!x"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What a process that logs JSON writes to standard error."""
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure("json", "info")
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://skypanel:{SECRET}@db.example.com:5432/panel",
        f"postgres://skypanel:{SECRET}@/panel?host=/run/postgresql",
        f"could not connect to 'POSTGRESQL://skypanel:{SECRET}@db.example.com/panel': timed out",
        f"https://:{SECRET}@git.example.com/app.git",
        f"host=db.example.com user=skypanel password={SECRET} dbname=panel",
        f"host=db.example.com password = {SECRET}",
        f"PASSWORD='{SECRET} with a blank' user=skypanel",
        f"PGPASSWORD={SECRET} psql",
        f"postgresql://db.example.com/panel?user=skypanel&password={SECRET}&sslmode=require",
        rf"host=db.example.com password='it\'s {SECRET}' user=skypanel",
        f"postgresql://skypanel:a/b:{SECRET}@db.example.com/panel",
        f"postgresql://skypanel:a@b{SECRET}@db.example.com/panel",
        f"https://{SECRET}@mirror.example.com/v2/",
        f"https://mirror.example.com/v2/?token={SECRET} does not answer",
        f"tcp://{SECRET}@manager.example.com:2376: connection refused",
    ],
)
def test_a_password_in_a_connection_string_is_blanked(text: str) -> None:
    assert SECRET not in redact(text)
    assert "***" in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://skypanel@db.example.com:5432/panel",
        "image registry.example.com:5000/web:1 was refused",
        "unix:///var/run/docker.sock: connection refused",
        "the password is not in a file",
        "~ service acme-shop-production-web: Mode.Replicated.Replicas: 1 -> 2",
        "http://127.0.0.1:9470/metrics and ops@example.com",
        "ssh://ops@manager.example.com does not answer",
    ],
)
def test_text_without_a_password_stays_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_what_is_around_a_password_stays_readable() -> None:
    text = f"host=db.example.com password={SECRET} user=skypanel; postgresql://skypanel:{SECRET}@db.example.com/panel"
    assert (
        redact(text) == "host=db.example.com password=*** user=skypanel; postgresql://skypanel:***@db.example.com/panel"
    )


def test_no_field_and_no_traceback_of_a_log_line_shows_a_password(lines: io.StringIO) -> None:
    log = structlog.get_logger("test")
    try:
        raise ConnectionError(  # noqa: TRY301 - the traceback is what is tested
            f"postgresql://skypanel:{SECRET}@db.example.com/panel does not answer"
        )
    except ConnectionError:
        log.exception(
            "database.lost",
            url=f"password={SECRET}",
            given=[{"dsn": f"a://b:{SECRET}@c"}],
            error=ValueError(f"password={SECRET}"),
        )
    logging.getLogger("library").warning("cannot open postgresql://skypanel:%s@db.example.com", SECRET)
    ours, theirs = map(json.loads, lines.getvalue().splitlines())
    assert SECRET not in lines.getvalue()
    assert "ConnectionError" in ours["exception"]
    assert (ours["event"], theirs["event"]) == ("database.lost", "library.message")


def test_what_is_bound_once_is_in_every_line(lines: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(key="environment/1", epoch=7):
        structlog.get_logger("test").info("environment.updated")
    assert json.loads(lines.getvalue()).items() >= {"key": "environment/1", "epoch": 7, "level": "info"}.items()


def test_lines_below_the_level_are_not_written(lines: io.StringIO) -> None:
    structlog.get_logger("test").debug("reconcile.began")
    assert lines.getvalue() == ""


def test_what_a_library_says_again_and_again_is_said_once_a_minute_and_counted(
    lines: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    for seconds in range(90):
        now = 1000.0 + seconds
        logging.getLogger("psycopg.pool").warning("connection refused")
        if seconds == 1:
            logging.getLogger("psycopg.pool").warning("something else")
    said = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(line["text"], line.get("unsaid", 0)) for line in said] == [
        ("connection refused", 0),
        ("something else", 0),
        ("connection refused", 59),
    ]
