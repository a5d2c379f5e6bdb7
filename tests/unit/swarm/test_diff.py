"""What counts as a difference between a wanted service and a stored one, and what the engine only wrote otherwise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.changes import Change as Planned
from controller.changes import Difference
from controller.swarm.diff import label_only, network_differences, normalise, service_differences
from reconcilers import labels
from reconcilers.environment.service import render
from reconcilers.objects import Network, Service
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, domain, environment, environments
from tests.unit.swarm.stored import live_network, stored

NETWORK = Network("org-acme", "10.64.3.0/24", labels.owned("blue", "organization", "1", "1"))
Change = Callable[[dict[str, Any]], object]


def wanted(**changes: Any) -> dict[str, Any]:
    check = {"command": ["/bin/check"]}
    (service,) = render(
        environment(healthcheck=check, domains=[domain("a.example.com")], **changes), OPTIONS, HOME
    ).services
    return service.spec


def found(change: Change) -> list[Difference]:
    """The differences after ``change`` was made to the stored document."""
    document = stored(wanted())
    change(document)
    return service_differences(wanted(), document)


def container(document: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = document["TaskTemplate"]["ContainerSpec"]
    return inner


# -- no difference ---------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(environments())
def test_what_was_written_reads_back_without_a_difference(snapshot: EnvironmentSnapshot) -> None:
    for service in render(snapshot, OPTIONS, HOME).services:
        assert service_differences(service.spec, stored(service.spec)) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda d: container(d).update(Isolation="default"),
        lambda d: container(d).pop("Isolation"),
        lambda d: container(d).update(DNSConfig={}),
        lambda d: container(d).update(DNSConfig=None),
        lambda d: container(d)["Privileges"].update(CredentialSpec=None, SELinuxContext=None),
        lambda d: d["TaskTemplate"].update(Runtime="container"),
        lambda d: d["TaskTemplate"].update(Placement={}),
        lambda d: d["TaskTemplate"].update(ForceUpdate=7),
        lambda d: d["TaskTemplate"].pop("ForceUpdate"),
        lambda d: d["UpdateConfig"].update(Delay=0, MaxFailureRatio=0),
        lambda d: container(d)["Env"].reverse(),
        lambda d: container(d).update(Mounts=[*container(d)["Mounts"]], Secrets=None, Configs=[]),
        lambda d: d["TaskTemplate"]["Networks"][0].update(DriverOpts=None),
    ],
    ids=[
        "isolation", "no isolation", "empty DNS", "null DNS", "null privileges", "runtime", "empty placement",
        "a restart that somebody asked for", "no restart", "zeros", "order of Env", "null lists", "null options",
    ],
)  # fmt: skip
def test_what_the_engine_fills_in_is_no_difference(change: Change) -> None:
    assert found(change) == []


def test_order_of_networks_and_aliases_means_nothing() -> None:
    def networks(*pairs: tuple[str, list[str]]) -> dict[str, Any]:
        return {"TaskTemplate": {"Networks": [{"Target": target, "Aliases": aliases} for target, aliases in pairs]}}

    one = networks(("b", ["y", "x"]), ("a", []))
    other = networks(("a", []), ("b", ["x", "y"]))
    assert service_differences(one, other) == []


# -- differences -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda d: container(d).update(Image="other:1"), "TaskTemplate.ContainerSpec.Image"),
        (lambda d: container(d)["Env"].append("DEBUG=1"), "TaskTemplate.ContainerSpec.Env"),
        (lambda d: container(d).pop("Env"), "TaskTemplate.ContainerSpec.Env"),
        (lambda d: container(d).update(Args=["--debug"]), "TaskTemplate.ContainerSpec.Args"),
        (lambda d: container(d).update(Hostname="me"), "TaskTemplate.ContainerSpec.Hostname"),
        (lambda d: container(d).update(Isolation="hyperv"), "TaskTemplate.ContainerSpec.Isolation"),
        (lambda d: container(d).update(DNSConfig={"Nameservers": ["1.1.1.1"]}), "TaskTemplate.ContainerSpec.DNSConfig"),
        (lambda d: container(d).update(CapabilityAdd=["CAP_NET_ADMIN"]), "TaskTemplate.ContainerSpec.CapabilityAdd"),
        (lambda d: container(d).update(ReadOnly=False), "TaskTemplate.ContainerSpec.ReadOnly"),
        (lambda d: container(d).pop("ReadOnly"), "TaskTemplate.ContainerSpec.ReadOnly"),
        (lambda d: container(d).pop("Healthcheck"), "TaskTemplate.ContainerSpec.Healthcheck"),
        (lambda d: container(d)["Mounts"].append({"Type": "bind"}), "TaskTemplate.ContainerSpec.Mounts"),
        (
            lambda d: container(d)["Privileges"].update(NoNewPrivileges=False),
            "TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges",
        ),
        (lambda d: d["TaskTemplate"]["Networks"].append({"Target": "ingress"}), "TaskTemplate.Networks"),
        (lambda d: d["TaskTemplate"]["Networks"][0].update(Target="gone"), "TaskTemplate.Networks"),
        (lambda d: d["TaskTemplate"]["Networks"][0].update(Aliases=["web"]), "TaskTemplate.Networks"),
        (lambda d: d["TaskTemplate"]["Resources"]["Limits"].pop("Pids"), "TaskTemplate.Resources.Limits.Pids"),
        (lambda d: d["TaskTemplate"].update(Placement={"Constraints": ["node.id == x"]}), "TaskTemplate.Placement"),
        (lambda d: d["Mode"].update(Replicated={"Replicas": 2}), "Mode.Replicated.Replicas"),
        (lambda d: d["UpdateConfig"].update(FailureAction="pause"), "UpdateConfig.FailureAction"),
        (lambda d: d["EndpointSpec"].update(Mode="vip"), "EndpointSpec.Mode"),
        (lambda d: d["EndpointSpec"].update(Ports=[{"TargetPort": 80}]), "EndpointSpec.Ports"),
        (lambda d: d["Labels"].update(extra="1"), "Labels.extra"),
        (lambda d: d["Labels"].update(extra=""), "Labels.extra"),
        (lambda d: d["Labels"].update({labels.OWNER: "environment/other"}), f"Labels.{labels.OWNER}"),
        (lambda d: d["Labels"].update({labels.OWNER: ""}), f"Labels.{labels.OWNER}"),
        (lambda d: d["Labels"].pop("traefik.enable"), "Labels.traefik.enable"),
        (lambda d: container(d)["Labels"].update(extra=""), "TaskTemplate.ContainerSpec.Labels.extra"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_somebody_changed_is_found_and_named(change: Change, path: str) -> None:
    differences = found(change)
    assert differences
    assert all(difference.path.startswith(path) for difference in differences)


def test_replicas_at_nought_are_no_difference_to_their_absence_and_one_to_more() -> None:
    off = wanted(instances=0)
    document = stored(off)
    assert service_differences(off, document) == []
    document["Mode"] = {"Replicated": {"Replicas": 3}}
    (difference,) = service_differences(off, document)
    assert str(difference) == "Mode.Replicated.Replicas: 3 -> none"


def test_a_difference_reads_as_from_what_to_what() -> None:
    (difference,) = found(lambda d: container(d).update(Image="other:1"))
    assert str(difference) == "TaskTemplate.ContainerSpec.Image: other:1 -> registry.example.com/shop:1"
    (difference,) = found(lambda d: d["Labels"].update(extra="x" * 500))
    assert str(difference).endswith("… -> none")
    assert len(str(difference)) < 150


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_normalising_twice_is_normalising_once(value: Any) -> None:
    document = {"Labels": {"a": ""}, "TaskTemplate": {"ContainerSpec": {"Hosts": value}}}
    once = normalise(document)
    assert normalise(once) == once


def test_normalising_leaves_its_argument_alone() -> None:
    document = stored(wanted())
    before = copy.deepcopy(document)
    normalise(document)
    assert document == before


# -- labels alone ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "alone"),
    [
        ([], False),
        (["Labels.traefik.enable"], True),
        (["Labels.traefik.enable", f"Labels.{labels.SPEC_HASH}"], True),
        (["Labels.traefik.enable", "TaskTemplate.ContainerSpec.Image"], False),
        (["TaskTemplate.ContainerSpec.Labels.x"], False),
    ],
)
def test_a_change_of_labels_alone_is_known(paths: list[str], alone: bool) -> None:
    assert label_only([Difference(path, 1, 2) for path in paths]) is alone


def test_labels_that_somebody_took_away_altogether_are_labels_alone() -> None:
    assert label_only(found(lambda d: d.pop("Labels")))


# -- networks --------------------------------------------------------------------------------------------------------


def test_a_network_as_it_was_made_has_no_difference() -> None:
    assert network_differences(NETWORK, live_network(NETWORK)) == []


def test_labels_of_others_on_a_network_are_left_alone() -> None:
    assert network_differences(NETWORK, live_network(NETWORK, labels={**NETWORK.labels, "team": "a"})) == []


def test_a_network_that_is_not_allocated_yet_is_waited_for() -> None:
    assert network_differences(NETWORK, live_network(NETWORK, subnet=None, task_range=None)) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"driver": ""}, "Driver"),
        ({"driver": "bridge", "scope": "local"}, "Driver"),
        ({"subnet": "10.0.9.0/24", "task_range": NETWORK.task_range}, "IPAM.Subnet"),
        ({"task_range": None}, "IPAM.IPRange"),
        ({"attachable": True}, "Attachable"),
        ({"labels": {}}, "Labels"),
        ({"labels": {**NETWORK.labels, labels.INSTALLATION: "green"}}, f"Labels.{labels.INSTALLATION}"),
        ({"internal": True}, "Internal"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_network_that_is_otherwise_is_found(changes: dict[str, Any], path: str) -> None:
    differences = network_differences(NETWORK, live_network(NETWORK, **changes))
    assert differences
    assert all(d.path.startswith(path) for d in differences)


def test_another_network_is_a_difference_although_the_hash_is_the_same() -> None:
    service = Service.seal({"Name": "a", "Labels": {}, "TaskTemplate": {"Networks": [{"Target": "old"}]}})
    other = service.attached_to("new")
    assert other.hash == service.hash
    (difference,) = service_differences(other.spec, service.spec)
    assert difference.path == "TaskTemplate.Networks"


# Marked, so that none is a part of a number that is shown.
secret = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=8).map("§".__add__)
spoken = st.fixed_dictionaries(
    {}, optional={"entrypoint": st.just("-p"), "cmd": st.just("-c"), "healthcheck": st.just("-h")}
)


@settings(max_examples=50)
@given(secret, secret, spoken, spoken)
def test_words_of_commands_are_never_shown(old: str, new: str, had: dict[str, str], has: dict[str, str]) -> None:
    def service(word: str, fields: dict[str, str]) -> Service:
        columns: dict[str, Any] = {name: ["run", flag + word, word] for name, flag in fields.items()}
        if "healthcheck" in columns:
            columns["healthcheck"] = {"command": columns["healthcheck"]}
        return render(environment(**columns), OPTIONS, HOME).services[0]

    live, wanted = service(old, had), service(new, has)
    differences = service_differences(wanted.spec, stored(live.spec))
    change = Planned("update", "service", wanted.name, wanted, differences=tuple(differences))
    told = f"{change} {[difference.document() for difference in differences]}"
    assert old not in told
    assert new not in told
    touched = {name for name in had.keys() | has.keys() if name not in had or name not in has or old != new}
    paths = " ".join(difference.path for difference in differences)
    fields = {"entrypoint": "Command", "cmd": "Args", "healthcheck": "Healthcheck.Test"}
    assert {name for name, path in fields.items() if f"ContainerSpec.{path}" in paths} == touched


def test_what_somebody_mounted_or_logs_to_by_hand_is_named_and_not_shown() -> None:
    def change(document: dict[str, Any]) -> None:
        options = {"o": "username=ada,password=hunter2"}
        mount = {"Type": "volume", "VolumeOptions": {"DriverConfig": {"Options": options}}}
        container(document)["Mounts"].append(mount)
        document["TaskTemplate"]["LogDriver"]["Options"]["splunk-token"] = "hunter2"

    assert [str(difference) for difference in found(change)] == [
        "TaskTemplate.ContainerSpec.Mounts: changed",
        "TaskTemplate.LogDriver.Options.splunk-token: removed",
    ]


def test_values_of_environment_variables_are_never_shown() -> None:
    change = Difference(
        "TaskTemplate.ContainerSpec.Env", ["PORT=1", "TOKEN=s3cret", "OLD=1"], ["PORT=2", "NEW=x", "OLD=1"]
    )
    assert str(change) == "TaskTemplate.ContainerSpec.Env: TOKEN removed, NEW added, PORT changed"
    assert change.document() == {
        "path": "TaskTemplate.ContainerSpec.Env",
        "change": "TOKEN removed, NEW added, PORT changed",
    }
