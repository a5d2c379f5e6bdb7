"""Pages of what is suspended: labels of the pin, which are nobody's routes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcilers.organization import render
from reconcilers.routes import hostnames_of, page_labels, paged, traefik_labels, without_hosts
from tests.unit.reconcilers.documents import HOME, OPTIONS, organization

SUBNET = "10.64.3.0/24"
HOSTS = ["a.example.com", "b.example.com"]
ROUTER = "traefik.http.routers.page_pin-a_example_com"


@pytest.mark.parametrize("resolver", [None, "letsencrypt"])
def test_a_host_is_led_to_the_page_when_nothing_else_has_it(resolver: str | None) -> None:
    found = page_labels("pin", network="n", hostnames=HOSTS, entrypoints=("web", "more"), cert_resolver=resolver)
    tls = {f"{ROUTER}.tls": "true", f"{ROUTER}.tls.certresolver": resolver} if resolver else {}
    assert {key: value for key, value in found.items() if key.startswith(ROUTER)} == {
        f"{ROUTER}.rule": "Host(`a.example.com`)",
        f"{ROUTER}.entrypoints": "web,more",
        f"{ROUTER}.service": "skypanel-suspended",
        f"{ROUTER}.priority": "1",
        **tls,
    }
    assert paged(found) == set(HOSTS)


def test_pages_are_no_routes_and_routes_are_no_pages() -> None:
    pages = page_labels("pin", network="n", hostnames=HOSTS, entrypoints=("web",), cert_resolver=None)
    routes = traefik_labels(
        "page-shop-production-web_a", network="n", port=80, hostnames=HOSTS, entrypoints=("web",), cert_resolver=None
    )
    assert (hostnames_of(pages), without_hosts(pages, HOSTS)) == (frozenset(), pages)
    assert (hostnames_of(routes), paged(routes)) == (frozenset(HOSTS), frozenset())


def test_the_pin_bears_pages_and_its_task_is_none_the_wiser() -> None:
    snapshot = organization(suspended_hosts=HOSTS[:1], resuming_hosts=HOSTS)
    (plain,), (bare,), (both,) = (
        render(
            snapshot if pages else organization(), OPTIONS, subnet=SUBNET, edge_node="n", home=HOME, resuming=more
        ).services
        for pages, more in ((False, ()), (True, ()), (True, HOSTS[1:]))
    )
    assert [paged(pin.spec["Labels"]) for pin in (plain, bare, both)] == [set(), set(HOSTS[:1]), set(HOSTS)]
    assert plain.template_hash == bare.template_hash == both.template_hash
    secure = replace(OPTIONS, edge_entrypoints=("websecure",), edge_cert_resolver="le")
    (pin,) = render(snapshot, secure, subnet=SUBNET, edge_node="n", home=HOME).services
    assert "le" in pin.spec["Labels"].values()
