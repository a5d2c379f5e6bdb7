"""A look ahead: the Swarm's part of a plan, on a Swarm that has nothing yet."""

from __future__ import annotations

from typing import Any

import pytest

from controller.actions.preview import render
from controller.swarm.liveview import LiveView
from controller.swarm.plan import plan
from reconcilers.objects import Network
from reconcilers.ports import LookAhead, Options
from reconcilers.registry import registered
from specs.names import network_name, service_name
from specs.problems import InvalidSpec

ORGANIZATION = "00000000-0000-4000-8000-000000000001"
ENVIRONMENT = "00000000-0000-4000-8000-000000000002"
OPTIONS = Options(installation="skypanel")
ORGANIZATION_DOC = {"id": ORGANIZATION, "slug": "acme", "name": "Acme"}

REGISTRY_DOC = {
    "id": ENVIRONMENT,
    "organization": {"id": ORGANIZATION, "slug": "acme"},
    "registry": "ghcr.io",
    "username": "ada",
    "revision": ENVIRONMENT,
    "sealed": True,
}


def environment_doc(**changes: Any) -> dict[str, Any]:
    return {
        "id": ENVIRONMENT,
        "name": "production",
        "swarm_name": "acme-shop-production",
        "organization": {"id": ORGANIZATION, "slug": "acme"},
        "app": {"id": ORGANIZATION, "slug": "shop"},
        "image_ref": "web:1",
        **changes,
    }


@pytest.fixture
def nothing() -> LiveView:
    """The view of an engine that was never asked."""
    return LiveView("skypanel", lambda _owners: None)


def test_every_reconciled_kind_can_be_looked_at_ahead(nothing: LiveView) -> None:
    documents = {"organization": ORGANIZATION_DOC, "environment": environment_doc(), "registry": REGISTRY_DOC}
    assert documents.keys() == registered().keys()
    for kind, document in documents.items():
        wanted = render(kind, document, LookAhead(OPTIONS, nothing))
        assert bool(wanted.objects) is (kind != "registry")


def test_a_network_that_does_not_exist_yet_is_made(nothing: LiveView) -> None:
    wanted = render("organization", ORGANIZATION_DOC, LookAhead(OPTIONS, nothing))
    changes = plan(("organization", ORGANIZATION), wanted, nothing, []).changes
    assert [str(change) for change in changes] == [
        f"+ network {network_name('acme', installation='skypanel', organization=ORGANIZATION)}"
    ]


def test_a_recorded_subnet_is_used(nothing: LiveView) -> None:
    subnets = {ORGANIZATION: "10.64.7.0/24"}
    ahead = LookAhead(OPTIONS, nothing, subnets=subnets)
    (network,) = render("organization", ORGANIZATION_DOC, ahead).of(Network)
    assert network.subnet == "10.64.7.0/24"


def test_a_service_that_does_not_exist_yet_is_made(nothing: LiveView) -> None:
    wanted = render("environment", environment_doc(), LookAhead(OPTIONS, nothing))
    changes = plan(("environment", ENVIRONMENT), wanted, nothing, []).changes
    name = service_name(
        "acme-shop-production", "web", installation="skypanel", organization=ORGANIZATION, environment=ENVIRONMENT
    )
    assert [str(change) for change in changes] == [f"+ service {name}"]


def test_a_document_that_breaks_a_rule_is_refused(nothing: LiveView) -> None:
    with pytest.raises(InvalidSpec, match="port"):
        render("environment", environment_doc(port=0), LookAhead(OPTIONS, nothing))
