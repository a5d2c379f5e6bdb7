"""A look ahead: the Swarm's part of a plan, on a Swarm that has nothing yet."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from controller.actions.preview import Preview, Wanted, render, swarm_changes
from controller.declared.lookups import Document
from controller.declared.readiness import Progress
from controller.records import InventoryRow
from controller.swarm.liveview import LiveView
from controller.swarm.plan import plan
from controller.swarm.service_cache import service_of
from reconcilers import labels
from reconcilers.objects import Network
from reconcilers.ports import LiveNetwork, LookAhead, Options
from reconcilers.registry import registered
from specs.image_policies import ImagePolicy, digest_of
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
SOURCE_DOC = {
    "id": ENVIRONMENT,
    "organization": {"id": ORGANIZATION, "slug": "acme"},
    "name": "main",
    "repo_url": "https://git.example.com/specs.git",
    "revision": ENVIRONMENT,
    "generation": 1,
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


RUN_DOC = {
    "id": ENVIRONMENT,
    "name": "migrate",
    "command": ["rake", "db:migrate"],
    "created_at": "2026-11-28T09:00:00+00:00",
    "organization": {"id": ORGANIZATION, "slug": "acme"},
    "app": {"id": ORGANIZATION, "slug": "shop"},
    "environment": environment_doc(),
    "released": {"version": 1, "image": "web:1"},
}


@pytest.fixture
def nothing() -> LiveView:
    """The view of an engine that was never asked."""
    return LiveView("skypanel", lambda _owners: None)


def test_every_reconciled_kind_can_be_looked_at_ahead(nothing: LiveView) -> None:
    documents = {
        "organization": ORGANIZATION_DOC,
        "environment": environment_doc(),
        "registry": REGISTRY_DOC,
        "source": SOURCE_DOC,
        "run": RUN_DOC,
    }
    assert documents.keys() == registered().keys()
    for kind, document in documents.items():
        wanted = render(kind, document, LookAhead(OPTIONS, nothing))
        assert bool(wanted.objects) is (kind not in ("registry", "source"))


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


# -- a release that is held --------------------------------------------------------------------------------------------

NAME = service_name(
    "acme-shop-production", "web", installation="skypanel", organization=ORGANIZATION, environment=ENVIRONMENT
)
HOME = LiveNetwork(
    "n1",
    network_name("acme", installation="skypanel", organization=ORGANIZATION),
    driver="overlay",
    scope="swarm",
    subnet="10.64.3.0/24",
    task_range=None,
    attachable=False,
    internal=False,
    labels=labels.owned("skypanel", "organization", ORGANIZATION, ORGANIZATION),
    options={},
)


def looked_ahead(doc: dict[str, Any], *, reason: str = "Deployed", current: bool = True, failed: str = "") -> Preview:
    """Where web:1 runs, and has worked; ``reason``: of its status, which is about this document or one before it."""
    live = LiveView("skypanel", lambda _owners: None)
    live.put("network", HOME, 0)
    (before,) = render("environment", environment_doc(), LookAhead(OPTIONS, live)).services
    data = {"ID": "s1", "Version": {"Index": 7}, "Spec": before.spec}
    live.put_service(service_of(data), orjson.dumps(data), 0)
    row = InventoryRow(
        "service", NAME, "s1", before.hash, failed or None, before.spec, "present", template_hash=before.template_hash
    )
    key = ("environment", UUID(ENVIRONMENT))
    whole = {"suspended": False, "pinned": None, "processes": [], "domains": [], **doc}
    document = Document(*key, UUID(ORGANIZATION), 3, False, whole)
    said = Progress(
        *key, "acme/shop/production", 3, False, 3 if current else 2, reason == "Deployed", reason, "as it is", False,
        False, {},
    )  # fmt: skip
    found = Preview([])
    wanted = Wanted([], [document], {key: [row]}, said={key: said})
    found.changes = list(swarm_changes(wanted, live, OPTIONS, {}, found))
    return found


def told(found: Preview) -> tuple[list[str], list[tuple[str, str]]]:
    assert found.changes is not None
    lines = [line for change in found.changes for line in change.told()]
    return lines, [(each.kind, each.reason) for each in found.held]


def test_a_release_that_comes_is_a_change_of_its_service() -> None:
    assert told(looked_ahead(environment_doc())) == ([], [])
    assert told(looked_ahead(environment_doc(image_ref="web:2"))) == (["image: web:1 -> web:2"], [])


@pytest.mark.parametrize("reason", ["RegistryUnavailable", "ImageNotFound", "NotScanned", "ReleaseCommandFailed"])
def test_a_release_that_is_held_is_no_change_and_it_is_said_why(reason: str) -> None:
    found = looked_ahead(environment_doc(image_ref="web:2", instances=3), reason=reason)
    assert told(found) == (["replicas: 1 -> 3"], [("environment", reason)]), "what worked last is scaled"
    assert [str(each) for each in found.held] == [f"environment acme-shop-production is held ({reason}): as it is"]


@pytest.mark.parametrize(("reason", "current"), [("RegistryUnavailable", False), ("RollingOut", True)])
def test_nothing_holds_what_was_not_looked_at_nor_what_is_on_its_way(reason: str, current: bool) -> None:
    found = looked_ahead(environment_doc(image_ref="web:2"), reason=reason, current=current)
    assert told(found) == (["image: web:1 -> web:2"], [])


def test_another_scale_of_what_is_held_by_its_policies_brings_nothing_else() -> None:
    policy = {"vulnerabilities": {"critical": 0}}
    own = ImagePolicy.model_validate(policy)
    verdict = {
        "image": "web:2", "policy": digest_of([("organization acme", own)]), "verdict": "awaited",
        "reason": "NotScanned", "message": "there is none",
    }  # fmt: skip
    doc = environment_doc(image_ref="web:2", instances=3, image_policy=policy, verdict=verdict)
    assert told(looked_ahead(doc, current=False)) == (["replicas: 1 -> 3"], [("environment", "NotScanned")])
    loose = {**doc, "image_policy": {"vulnerabilities": {"critical": 9}}}
    assert told(looked_ahead(loose, current=False))[1] == [], "that was judged by another policy"


def test_what_failed_is_no_change_and_it_is_said_that_it_is_not_tried_again() -> None:
    doc = environment_doc(image_ref="web:2")
    (wanted,) = render("environment", doc, LookAhead(OPTIONS, LiveView("skypanel", lambda _owners: None))).services
    template = wanted.attached_to("n1").template_hash
    assert told(looked_ahead(doc, reason="RolledBack", failed=template)) == ([], [("environment", "RolledBack")])
    (held,) = looked_ahead(doc, current=False, failed=template).held
    assert "the new version failed" in held.message
