"""What an organization means on Swarm: its network, and the pin that keeps it on the edge's node."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers import labels
from reconcilers.objects import Network, spec_hash
from reconcilers.organization import render
from specs.names import network_name
from tests.unit.reconcilers.documents import HOME, OPTIONS, ORG_ACME, ORGANIZATION_ID, organization

SUBNET = "10.64.3.0/24"


def test_without_an_edge_there_is_the_network_alone() -> None:
    objects = render(organization(), OPTIONS, subnet=SUBNET, edge_node=None, home=HOME)
    (network,) = objects.of(Network)
    assert (network.name, network.subnet) == (ORG_ACME, SUBNET)
    assert network.labels == {
        labels.INSTALLATION: "blue",
        labels.OWNER: f"organization/{ORGANIZATION_ID}",
        labels.ORGANIZATION: str(ORGANIZATION_ID),
    }
    assert (objects.services, objects.edge_networks) == ((), ())


def test_with_an_edge_a_pin_on_its_node_keeps_the_network_there_and_the_edge_joins_it() -> None:
    objects = render(organization(), OPTIONS, subnet=SUBNET, edge_node="n0de", home=HOME)
    (pin,) = objects.services
    template = pin.spec["TaskTemplate"]
    assert template["Placement"] == {"Constraints": ["node.id == n0de"]}
    assert template["Networks"] == [{"Target": HOME.id}]
    assert template["ContainerSpec"]["Image"] == OPTIONS.pin_image
    assert objects.edge_networks == (ORG_ACME,)


def test_the_pin_has_the_security_baseline_and_nobody_s_rights() -> None:
    (pin,) = render(organization(), OPTIONS, subnet=SUBNET, edge_node="n0de", home=HOME).services
    container = pin.spec["TaskTemplate"]["ContainerSpec"]
    assert container["User"] == "65534:65534"
    assert (container["CapabilityDrop"], container["ReadOnly"], container["Mounts"]) == (["ALL"], True, [])
    assert container["Privileges"]["NoNewPrivileges"] is True


def test_a_live_network_keeps_its_name_when_the_organization_is_renamed() -> None:
    before, after, new = (
        render(organization(slug=slug), OPTIONS, subnet=SUBNET, edge_node="n0de", home=home)
        for slug, home in (("acme", HOME), ("apex", HOME), ("apex", None))
    )
    assert before == after
    assert new.of(Network)[0].name == network_name("apex", installation="blue", organization=ORGANIZATION_ID)


def test_the_pin_s_hash_is_that_of_the_rest_of_its_document() -> None:
    (pin,) = render(organization(), OPTIONS, subnet=SUBNET, edge_node="n0de", home=HOME).services
    rest = {k: v for k, v in pin.spec["Labels"].items() if k != labels.SPEC_HASH}
    assert pin.hash == spec_hash({**pin.spec, "Labels": rest})


@given(st.integers(16, 28), st.integers(0, 2**20 - 1))
def test_tasks_and_edge_share_the_subnet_by_halves(prefix: int, number: int) -> None:
    subnet = IPv4Network((int(IPv4Network("10.64.0.0/12")[number]), prefix), strict=False)
    tasks = IPv4Network(Network("n", str(subnet), {}).task_range)
    assert tasks.network_address == subnet.network_address
    assert tasks.num_addresses * 2 == subnet.num_addresses


@pytest.mark.parametrize("value", ["", "environment", "environment/", "/1", "environment/1/2"])
def test_an_owner_label_that_is_none_names_nobody(value: str) -> None:
    assert labels.parse_owner(value) is None


def test_an_owner_label_names_kind_and_id() -> None:
    assert labels.parse_owner(labels.owner_key("environment", "1")) == ("environment", "1")
