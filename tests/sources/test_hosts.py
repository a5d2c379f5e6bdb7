"""Which hosts git may speak to, by what their names lead to now."""

from __future__ import annotations

import socket
from collections.abc import Sequence

import pytest

from controller.sources.command import Remote
from controller.sources.hosts import Hosts
from reconcilers.sources import SourceError

pytestmark = pytest.mark.anyio


def hosts(*addresses: str, allowed: Sequence[str] = ()) -> Hosts:
    async def resolve(_host: str) -> Sequence[str]:
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return addresses

    return Hosts(allowed, resolve)


async def test_a_public_host_is_asked_at_the_addresses_that_were_looked_at() -> None:
    found = await hosts("140.82.121.4", "2606:50c0:8000::153").addresses("https://git.example.com/a.git")
    assert found == ("140.82.121.4", "2606:50c0:8000::153")
    remote = Remote("https://git.example.com/a.git", "git.example.com", 443, found)
    assert remote.config["http.curloptResolve"] == "git.example.com:443:140.82.121.4,[2606:50c0:8000::153]"


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:10.0.0.1"])
async def test_a_public_name_that_leads_to_a_private_address_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match="not a public address") as error:
        await hosts("140.82.121.4", address).addresses("https://git.example.com/a.git")
    assert (error.value.reason, error.value.passes) == ("SourceRefused", False)


async def test_what_an_operator_lists_may_be_private_and_without_tls_at_that_port_alone() -> None:
    listed = hosts("10.0.0.1", allowed=["git.internal:3000"])
    assert await listed.addresses("http://git.internal:3000/a.git") == ("10.0.0.1",)
    for url in ("http://git.internal/a.git", "https://git.internal:3001/a.git", "http://git.internal.evil:3000/a.git"):
        with pytest.raises(SourceError) as error:
            await listed.addresses(url)
        assert error.value.reason == "SourceRefused"


async def test_a_name_that_is_none_passes() -> None:
    with pytest.raises(SourceError, match="no such name") as error:
        await hosts().addresses("https://git.example.com/a.git")
    assert (error.value.reason, error.value.passes) == ("FetchFailed", True)
