"""What doctor says of an engine, from the engine's own documents."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any

import pytest

from controller.actions.doctor import ipv6
from controller.actions.doctor.address_pool import host_routes, pool_checks
from controller.actions.doctor.edge import Edge, api_check, edge_checks, page_check
from controller.actions.doctor.engine import (
    logs_check,
    node_checks,
    open_check,
    security_checks,
    swarm_check,
    version_check,
)
from controller.settings import Settings

SETTINGS = Settings.model_construct(skypanel_subnet_pool=IPv4Network("10.64.0.0/12"), skypanel_installation="skypanel")


def levels(checks: Any) -> dict[str, str]:
    return {check.name: check.level for check in checks}


def node(name: str, version: str, state: str = "ready") -> dict[str, Any]:
    return {
        "ID": name,
        "Description": {"Hostname": name, "Engine": {"EngineVersion": version}},
        "Status": {"State": state},
    }


def network(name: str, subnet: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"Name": name, "IPAM": {"Config": [{"Subnet": subnet}]}, "Labels": labels or {}}


def edge_service(*sources: str) -> dict[str, Any]:
    mounts = [{"Type": "bind", "Source": source} for source in sources]
    return {"ID": "e1", "Spec": {"Name": "edge", "TaskTemplate": {"ContainerSpec": {"Mounts": mounts}}}}


RUNNING = {"Status": {"State": "running"}}


@pytest.mark.parametrize(("api", "level"), [("1.41", "fail"), ("1.43", "fail"), ("1.44", "ok"), ("1.52", "ok")])
def test_an_engine_older_than_api_1_44_fails(api: str, level: str) -> None:
    assert version_check({"Version": "x", "ApiVersion": api}).level == level


def test_an_old_engine_is_told_what_to_install() -> None:
    assert "docker-ce 25" in version_check({"Version": "20.10.24", "ApiVersion": "1.41"}).mend


def test_a_worker_or_a_lone_engine_fails() -> None:
    assert swarm_check({"Swarm": {"LocalNodeState": "inactive"}}).level == "fail"
    assert swarm_check({"Swarm": {"LocalNodeState": "active", "ControlAvailable": False}}).level == "fail"


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ("locked", "docker swarm unlock"),
        ("pending", "wait"),
        ("error", "the engine's log"),
        ("active", "point DOCKER_HOST at a manager"),
        ("inactive", "docker swarm init"),
    ],
)
def test_the_advice_is_for_the_state_that_the_swarm_is_in(state: str, advice: str) -> None:
    found = swarm_check({"Swarm": {"LocalNodeState": state, "ControlAvailable": False}})
    assert found.level == "fail"
    assert advice in found.mend
    assert ("run `docker swarm init`" in found.mend) == (state == "inactive"), "it would cost a locked node its Swarm"


@pytest.mark.parametrize(("managers", "level"), [(1, "ok"), (2, "warn"), (3, "ok"), (4, "warn")])
def test_an_even_number_of_managers_is_warned_of(managers: int, level: str) -> None:
    info = {"Swarm": {"LocalNodeState": "active", "ControlAvailable": True, "Nodes": 5, "Managers": managers}}
    assert swarm_check(info).level == level


@pytest.mark.parametrize(
    ("said", "level"),
    [
        (
            "WARNING: API is accessible on http://0.0.0.0:2375 without encryption.\n  Access to it",
            "fail",
        ),
        ("[DEPRECATION NOTICE]: API is accessible on https://10.0.0.1:2376 without TLS client verification.", "fail"),
        ("WARNING: No swap limit support", "ok"),
    ],
)
def test_an_api_without_clients_certificates_fails_and_is_named(said: str, level: str) -> None:
    found = open_check({"Warnings": [said]})
    assert found.level == level
    assert ("://" in found.message) == (level == "fail")
    assert open_check({"Warnings": None}).level == "ok"


def test_an_engine_must_know_the_driver_that_every_service_names() -> None:
    found = logs_check({"Plugins": {"Log": ["json-file", "local"]}})
    assert (found.level, found.message.partition(":")[0]) == (
        "ok",
        "the output of each container is kept in at most 3 files of 10MB, by json-file",
    )
    assert logs_check({"Plugins": {"Log": ["local"]}}).level == "fail"


def test_a_node_with_an_old_engine_fails_by_name() -> None:
    (engines, ready) = node_checks([node("a", "26.1.5"), node("b", "20.10.24")])
    assert engines.level == "fail"
    assert "too old on b" in engines.message
    assert ready.level == "ok"


def test_different_versions_and_absent_nodes_are_warned_of() -> None:
    found = levels(node_checks([node("a", "26.1.5"), node("b", "28.5.2", state="down")]))
    assert found == {"node engines": "warn", "nodes ready": "warn"}


def test_a_daemon_without_isolation_is_found_out() -> None:
    assert levels(security_checks({"SecurityOptions": []})) == {"seccomp": "fail", "apparmor": "warn"}


def test_a_well_isolated_daemon_is_well() -> None:
    options = ["name=apparmor", "name=seccomp,profile=builtin", "name=userns", "name=cgroupns"]
    assert set(levels(security_checks({"SecurityOptions": options})).values()) == {"ok"}


def test_an_unconfined_seccomp_profile_fails() -> None:
    assert levels(security_checks({"SecurityOptions": ["name=seccomp,profile=unconfined"]}))["seccomp"] == "fail"


def test_a_pool_of_its_own_is_well() -> None:
    info = {"Swarm": {"Cluster": {"DefaultAddrPool": ["10.201.0.0/16"]}}}
    own = network("org-acme", "10.64.0.0/24", {"io.skypanel.installation": "skypanel"})
    (check,) = pool_checks(SETTINGS, info, [network("bridge", "172.17.0.0/16"), own], [IPv4Network("10.99.0.0/24")])
    assert check.level == "ok"


def test_every_overlap_of_the_pool_is_named() -> None:
    info = {"Swarm": {"Cluster": {"DefaultAddrPool": ["10.0.0.0/8"]}}}
    found = list(pool_checks(SETTINGS, info, [network("bridge", "10.65.0.0/16")], [IPv4Network("10.70.0.0/16")]))
    said = " ".join(check.message for check in found)
    assert all(part in said for part in ("10.0.0.0/8", "bridge (10.65.0.0/16)", "10.70.0.0/16"))
    assert {check.level for check in found} == {"warn"}


def test_ipv6_networks_and_networks_without_a_subnet_are_passed_over() -> None:
    (check,) = pool_checks(SETTINGS, {}, [network("six", "fd00::/64"), {"Name": "host", "IPAM": {}}], [])
    assert check.level == "ok"


def test_routes_are_read_without_the_default_one() -> None:
    text = (
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0100000A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth0\t0000400A\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
    )
    assert host_routes(text) == [IPv4Network("10.64.0.0/16")]


def test_a_swarm_without_an_edge_is_warned_of() -> None:
    assert levels(edge_checks(Edge([], [], []), [], "skypanel")) == {"edge": "warn"}


def test_an_edge_with_the_raw_socket_fails() -> None:
    edge = Edge([edge_service("/var/run/docker.sock")], [RUNNING], [{}])
    assert levels(edge_checks(edge, [], "skypanel"))["edge socket"] == "fail"


@pytest.mark.parametrize(("sysctls", "level"), [({}, "warn"), ({"net.ipv4.ip_forward": "0"}, "ok")])
def test_an_edge_that_forwards_packets_between_tenants_is_found_out(sysctls: dict[str, str], level: str) -> None:
    service = edge_service()
    service["Spec"]["TaskTemplate"]["ContainerSpec"]["Sysctls"] = sysctls
    found = next(
        c for c in edge_checks(Edge([service], [RUNNING], [{}]), [], "skypanel") if c.name == "edge forwarding"
    )
    assert found.level == level


def test_an_edge_without_the_page_of_what_is_suspended_is_warned_of() -> None:
    assert page_check([]).level == "warn"
    assert "page_1" in page_check([{"Spec": {"Name": "page_1"}}]).message


def test_an_edge_that_does_not_run_fails() -> None:
    assert levels(edge_checks(Edge([edge_service()], [], []), [], "skypanel"))["edge"] == "fail"


def test_an_edge_on_another_node_is_warned_of() -> None:
    assert levels(edge_checks(Edge([edge_service()], [RUNNING], []), [], "skypanel"))["edge"] == "warn"


def test_a_network_that_the_edge_is_not_on_is_named() -> None:
    ours = network("org-acme", "10.64.0.0/24", {"io.skypanel.installation": "skypanel"})
    edge = Edge([edge_service()], [RUNNING], [{"NetworkSettings": {"Networks": {"edge": {}}}}])
    found = {check.name: check for check in edge_checks(edge, [ours], "skypanel")}
    assert found["edge networks"].level == "warn"
    assert "org-acme" in found["edge networks"].message


def test_an_edge_that_is_not_asked_or_does_not_answer_is_said() -> None:
    assert (api_check("").level, "RouteGiven" in api_check("").message) == ("warn", True)
    found = api_check("http://skypanel:not-to-be-seen@127.0.0.1:1")
    assert (found.level, "does not answer" in found.message) == ("fail", True)
    assert "not-to-be-seen" not in found.message + found.mend


def test_a_task_of_the_edge_on_another_node_is_said_also_beside_one_here() -> None:
    running: dict[str, Any] = {"Status": {"State": "running"}}
    spec = {"Name": "edge", "TaskTemplate": {}}
    here: list[Any] = [{"NetworkSettings": {}}]
    for containers in ([], here):
        edge = Edge([{"ID": "e", "Spec": spec}], [running, running], containers)
        assert next(edge_checks(edge, [], "skypanel")).level == "warn"


@pytest.mark.parametrize(
    ("name", "labels", "level"),
    [
        ("docker_gwbridge", {}, "warn"),
        ("org-acme", {"io.skypanel.installation": "skypanel"}, "warn"),
        ("somebody-s", {}, "ok"),
    ],
)
def test_a_network_of_ours_or_of_every_container_with_addresses_of_version_6_is_warned_of(
    name: str, labels: dict[str, str], level: str
) -> None:
    shown = network(name, "10.64.0.0/24", labels)
    found = ipv6.check([network("docker_gwbridge", "172.18.0.0/16"), {**shown, "EnableIPv6": True}], "skypanel")
    assert found.level == level
    assert (name in found.message) == (level == "warn")
    assert ipv6.check([{**shown, "EnableIPv6": False}], "skypanel").level == "ok"
