"""Whether the HTTP API that `skypanel up` runs beside it answers where it should."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator

from controller.actions.doctor.findings import Check, fail, ok, warn
from controller.settings import Settings

NAME = "http api"
_SECONDS = 3.0
_READY = {"ready": True, "database": True}
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def examine(settings: Settings) -> Iterator[Check]:
    """Whether it answers, and where browsers' sessions are."""
    yield _of(settings)
    if settings.skypanel_console_origin:
        yield _console(settings)


def _console(settings: Settings) -> Check:
    name, host = "console", settings.console_host
    if not settings.paas_base_domain:
        return warn(
            name,
            f"sessions are on for {settings.skypanel_console_origin}, and nobody says where tenants' hosts are",
            "set PAAS_BASE_DOMAIN, so that a console whose host they share is refused",
        )
    if settings.skypanel_api_host and settings.skypanel_api_host != host:
        return ok(name, f"sessions are on for {host}; whatever leads there has to lead /api to the API, too")
    return ok(name, f"sessions are on for {host}, which tenants' hosts below {settings.paas_base_domain} do not share")


def _of(settings: Settings) -> Check:
    if not settings.skypanel_serve_api:
        return ok(NAME, "SKYPANEL_SERVE_API=false: `skypanel up` starts none")
    if not settings.skypanel_api_database_url.get_secret_value():
        return warn(
            NAME,
            "it is not started: SKYPANEL_API_DATABASE_URL is not set",
            "`skypanel setup` makes a login and writes it into /etc/skypanel/api.env, which the unit reads;"
            " SKYPANEL_SERVE_API=false if it is not wanted",
        )
    try:
        host, port = settings.api_listen
    except ValueError as error:
        return fail(NAME, f"SKYPANEL_API_LISTEN: {error}", "write host:port, such as 127.0.0.1:9480")
    host = _EVERYWHERE.get(host, host)
    return _asked(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def _asked(address: str) -> Check:
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=_SECONDS) as answer:  # noqa: S310 - http alone
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return fail(
                NAME,
                f"{address} answers, and is not ready ({error.code})",
                "look whether the login of SKYPANEL_API_DATABASE_URL reaches the database",
            )
    except (OSError, ValueError):
        return warn(
            NAME,
            f"nothing answers as it at {address}",
            "`skypanel up` starts it: lines `api.ended` of its log, and those before, say why it did not stay",
        )
    if found != _READY:
        return warn(NAME, f"something else answers at {address}", "set SKYPANEL_API_LISTEN to a free host:port")
    return ok(NAME, f"answers at {address}, and reaches the database")
