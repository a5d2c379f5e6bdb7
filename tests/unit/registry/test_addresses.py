"""Which addresses a connection may go to."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import anyio
import pytest

from controller.registry.addresses import Gate, PrivateError, Reach
from controller.registry.errors import RegistryUnavailable
from controller.registry.places import Origin

V6, V4 = [f"2606:4700::{n}" for n in range(1, 6)], [f"93.184.216.{n}" for n in range(1, 6)]


def addresses(
    found: Sequence[str], reach: Reach | None = None, host: str = "a.example.com", port: int = 443
) -> Sequence[str]:
    async def resolve(_: str) -> Sequence[str]:
        return found

    return anyio.run(Gate(reach or Reach(), resolve).addresses, Origin("https", host, port))


def test_the_first_few_are_tried_of_each_family_in_turn() -> None:
    assert addresses([*V6, *V4]) == [V6[0], V4[0], V6[1], V4[1]]
    assert addresses([*V4, *V6]) == [V4[0], V6[0], V4[1], V6[1]]
    assert addresses(V4) == V4[:4]
    assert addresses([]) == []


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "127.0.0.1", "::1", "fe80::1%eth0", "::ffff:93.184.216.1", "64:ff9b::a00:1"]
)
def test_one_private_address_beyond_the_first_few_is_too_much(address: str) -> None:
    with pytest.raises(PrivateError, match="not a public address"):
        addresses([*V4, address])


@pytest.mark.parametrize(
    ("pattern", "host", "port", "may"),
    [
        ("10.0.0.1:5000", "10.0.0.1", 5000, True),
        ("10.0.0.1:5000", "10.0.0.1", 5001, False),
        ("*.corp.example", "registry.corp.example", 443, True),
        ("registry.corp.example:443", "registry.corp.example", 443, True),
        ("registry.corp.example", "registry.corp.example", 5000, False),
        ("localhost:*", "localhost", 5000, True),
        ("[fd00::1]:5000", "fd00::1", 5000, True),
    ],
)
def test_what_an_operator_lists_may_be_private(pattern: str, host: str, port: int, may: bool) -> None:
    if may:
        assert addresses(["10.0.0.1"], Reach(allowed=(pattern,)), host, port) == ["10.0.0.1"]
    else:
        with pytest.raises(PrivateError):
            addresses(["10.0.0.1"], Reach(allowed=(pattern,)), host, port)


@pytest.mark.parametrize(
    ("reach", "found", "may"),
    [
        (Reach(), ["127.0.0.1"], True),
        (Reach(), ["::1", "127.0.0.2"], True),
        (Reach(), ["127.0.0.1", "10.0.0.1"], False),
        (Reach(allowed=("a.example.com",)), ["10.0.0.1"], False),
        (Reach(insecure=("a.example.com:443",)), ["10.0.0.1"], True),
        (Reach(), [], False),
    ],
)
def test_without_tls_only_what_is_listed_or_on_this_host_is_asked(reach: Reach, found: list[str], may: bool) -> None:
    assert Gate(reach).insecure(Origin("https", "a.example.com", 443), found) is may


@pytest.mark.parametrize(("errno", "absent"), [(socket.EAI_NONAME, True), (socket.EAI_AGAIN, False)])
def test_a_name_that_does_not_exist_is_not_one_that_cannot_be_resolved_now(errno: int, absent: bool) -> None:
    async def resolve(_: str) -> Sequence[str]:
        raise socket.gaierror(errno, "said")

    with pytest.raises(RegistryUnavailable) as away:
        anyio.run(Gate(Reach(), resolve).addresses, Origin("https", "a.example.com", 443))
    assert away.value.absent is absent
