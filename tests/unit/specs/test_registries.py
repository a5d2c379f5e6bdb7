"""Where an image may come from: public registries, and those private ones that the operator lists."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.problems import RefusedError
from specs.registries import check_registry


@pytest.mark.parametrize(
    "image",
    [
        "redis",
        "library/redis:7",
        "registry.example.com/team/app:1",
        "registry.example.com:5000/team/app:1",
        "localhost.example.com/x",
        "lan.example/x",
        "8.8.8.8:5000/x",
        "[2606:4700::1111]:5000/x",
        "xn--bcher-kva.example/x",
    ],
)
def test_a_public_registry_may_be_used(image: str) -> None:
    assert check_registry(image) == image


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:5000",
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "0x7f.1",
        "0x7f000001:9470",
        "0177.0.0.1",
        "2130706433:9470",
        "0:80",
        "0.0.0.0:80",
        "10.0.0.5:22",
        "172.17.0.1:2375",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "08.8.8.8",
        "1.2.3",
        "999.1.1.1",
        "[::1]",
        "[::]:80",
        "[::ffff:7f00:1]:5000",
        "[::7f00:1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fe80::1]",
        "[fd00::1]:5000",
        "[ff02::1]",
        "[1:2]",
        "[::::]",
        "localhost",
        "localhost:5000",
        "a.localhost",
        "registry:5000",
        "db:5432",
        "nas.local",
        "registry.internal:5000",
        "metadata.google.internal",
        "router.home.arpa",
        "files.corp",
    ],
)
def test_a_private_one_is_refused_in_every_spelling_unless_it_is_listed(host: str) -> None:
    image = f"{host}/team/app:1"
    with pytest.raises(RefusedError, match="is not a registry that may be used") as refused:
        check_registry(image, ["registry.other:5000", "10.9.*"])
    assert "SKYPANEL_ALLOWED_REGISTRIES" in refused.value.hint
    assert check_registry(image, ["other", host]) == image


@pytest.mark.parametrize("host", ["127.0.0.1.:5000", "[::ffff:127.0.0.1]:5000", "localhost.:5000", "[fe80::1%eth0]"])
def test_spellings_that_are_no_part_of_a_reference_are_no_images(host: str) -> None:
    with pytest.raises(RefusedError, match="is not an image reference"):
        check_registry(f"{host}/team/app:1", ["*"])


def test_a_pattern_lists_many_and_a_port_that_is_not_listed_is_refused() -> None:
    allowed = ["*.internal:5000", "10.0.0.7:*"]
    for image in ("a.internal:5000/x", "b.c.internal:5000/x", "10.0.0.7:1/x"):
        assert check_registry(image, allowed) == image
    for image in ("a.internal/x", "a.internal:5001/x", "10.0.0.7/x", "10.0.0.70:1/x"):
        with pytest.raises(RefusedError):
            check_registry(image, allowed)


@given(st.ip_addresses(v=4))
def test_no_address_is_let_through_that_is_not_global(address: IPv4Address) -> None:
    spellings = {str(address), str(int(address)), hex(int(address))}
    for spelling in spellings:
        try:
            check_registry(f"{spelling}:5000/x")
        except RefusedError:
            continue
        assert address.is_global
        assert spelling == str(address)


@given(st.ip_addresses(network=IPv6Network("::/3")) | st.ip_addresses(network=IPv6Network("8000::/1")))
def test_no_address_of_version_6_outside_the_global_ones_is_let_through(address: IPv6Address) -> None:
    with pytest.raises(RefusedError):
        check_registry(f"[{address.exploded}]:5000/x")
