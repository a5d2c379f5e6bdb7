"""Whose request it is, behind proxies."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from controller.api.proxies import ThroughProxies, client
from controller.settings import Settings

TRUSTED = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


@pytest.mark.parametrize(
    ("forwarded", "whose"),
    [
        ([], "10.0.0.1"),
        (["203.0.113.7"], "203.0.113.7"),
        (["203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
        (["198.51.100.1", "203.0.113.7"], "203.0.113.7"),
        (["10.9.9.9, 203.0.113.7, 10.0.0.2"], "203.0.113.7"),
        (["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        (["203.0.113.7:4711"], "203.0.113.7"),
        (["[2001:db8::7]:4711"], "2001:db8::7"),
        (["2001:db8::7, fd00::2"], "2001:db8::7"),
        (["2001:db8::7%eth0"], "2001:db8::7"),
        (["::ffff:203.0.113.7"], "203.0.113.7"),
        (["::ffff:10.0.0.2"], "10.0.0.2"),
        (["203.0.113.7, unknown"], "10.0.0.1"),
        (["203.0.113.7, _hidden, 10.0.0.2"], "10.0.0.2"),
        (["203.0.113.7,"], "10.0.0.1"),
        (["x" * 100_000], "10.0.0.1"),
    ],
)
def test_it_is_the_right_most_address_that_is_no_proxy_s(forwarded: list[str], whose: str) -> None:
    assert str(client(ip_address("10.0.0.1"), forwarded, TRUSTED)) == whose


def seen(peer: str, headers: dict[str, str], **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    async def app(scope: Any, _receive: Any, _send: Any) -> None:
        found.update(scope)

    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "client": (peer, 5), "scheme": "http", "headers": sent, **more}
    through: Any = ThroughProxies(app, TRUSTED)
    anyio.run(through, scope, None, None)
    return found


def test_what_anybody_else_says_is_passed_over() -> None:
    said = {"X-Forwarded-For": "198.51.100.1", "X-Forwarded-Proto": "https"}
    other = seen("203.0.113.7", said)
    assert (other["client"], other["scheme"]) == (("203.0.113.7", 5), "http")
    proxy = seen("10.0.0.1", said)
    assert (proxy["client"][0], proxy["scheme"]) == ("198.51.100.1", "https")
    carried = seen("::ffff:10.0.0.1", said)
    assert carried["client"][0] == "198.51.100.1"
    assert seen("10.0.0.1", {"X-Forwarded-Proto": "javascript"})["scheme"] == "http"
    by_socket = seen("", said, client=None)
    assert (by_socket["client"][0], by_socket["scheme"]) == ("198.51.100.1", "https")
    assert seen("", {}, client=None)["client"] is None


@pytest.mark.parametrize("said", ["10.0.0.0/33", "edge", "10.0.0.1/8", "*"])
def test_what_is_no_network_is_refused(said: str) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"skypanel_api_trusted_proxies": said})
    assert (
        len(
            Settings.model_validate({"skypanel_api_trusted_proxies": "10.0.0.1, fd00::/8"}).skypanel_api_trusted_proxies
        )
        == 2
    )
