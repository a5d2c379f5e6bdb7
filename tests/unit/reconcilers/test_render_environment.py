"""What an environment means on Swarm: the documents, field by field, and what holds for every one of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings

from reconcilers import labels
from reconcilers.environment.resources import DEFAULT_CPU_CORES, DEFAULT_MEMORY_MB
from reconcilers.environment.service import render
from reconcilers.objects import Network, spec_hash
from specs.snapshot_parts import DEFAULT_PIDS
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import (
    ENVIRONMENT_ID,
    HOME,
    OPTIONS,
    ORGANIZATION_ID,
    domain,
    environment,
    environments,
    name_of,
    plan,
    process,
)

declared = settings(max_examples=40)(given(environments()))
MIB = 1024 * 1024
SECOND = 1_000_000_000


def specs(snapshot: EnvironmentSnapshot, **options: Any) -> dict[str, dict[str, Any]]:
    """The documents by process type."""
    objects = render(snapshot, replace(OPTIONS, **options), HOME)
    assert not objects.of(Network)
    return {service.spec["Labels"][labels.PROCESS]: service.spec for service in objects.services}


def container(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["TaskTemplate"]["ContainerSpec"]
    return found


def routes(spec: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in spec["Labels"].items() if name.startswith("traefik.")}


# -- names and owners ------------------------------------------------------------------------------------------------


def test_without_process_rows_there_is_one_service_for_web() -> None:
    (service,) = render(environment(), OPTIONS, HOME).services
    assert service.name == service.spec["Name"] == name_of("web")


def test_each_process_has_a_service_of_its_own() -> None:
    objects = render(environment(processes=[process("clock"), process("web"), process("worker")]), OPTIONS, HOME)
    assert [s.name for s in objects.services] == [name_of(t) for t in ("clock", "web", "worker")]


def test_service_and_container_say_whose_they_are() -> None:
    spec = specs(environment())["web"]
    owner = {
        labels.INSTALLATION: "blue",
        labels.OWNER: f"environment/{ENVIRONMENT_ID}",
        labels.ORGANIZATION: str(ORGANIZATION_ID),
        labels.PROCESS: "web",
    }
    assert container(spec)["Labels"] == owner
    assert spec["Labels"].items() >= owner.items()


def test_the_container_s_labels_do_not_change_with_the_spec() -> None:
    """They restart tasks; the hash of the spec and the routes are the service's alone."""
    before, after = (specs(e)["web"] for e in (environment(), environment(domains=[domain("a.example.com")])))
    assert before["TaskTemplate"] == after["TaskTemplate"]
    assert before["Labels"] != after["Labels"]


def test_tasks_are_on_the_organization_s_network_alone_under_a_name_that_cannot_collide() -> None:
    networks = specs(environment())["web"]["TaskTemplate"]["Networks"]
    assert networks == [{"Target": HOME.id, "Aliases": ["web.production.shop.internal"]}]


# -- what runs -------------------------------------------------------------------------------------------------------


def test_the_implicit_web_takes_everything_from_the_environment() -> None:
    check = {
        "command": ["/bin/check"],
        "interval_seconds": 3,
        "timeout_seconds": 2,
        "retries": 4,
        "start_period_seconds": 1,
    }
    spec = specs(
        environment(
            entrypoint=["/bin/app"], cmd=["serve"], instances=3, port=9000, healthcheck=check, stop_grace_seconds=7
        )
    )["web"]
    assert (container(spec)["Command"], container(spec)["Args"]) == (["/bin/app"], ["serve"])
    assert spec["Mode"] == {"Replicated": {"Replicas": 3}}
    assert "PORT=9000" in container(spec)["Env"]
    assert container(spec)["StopGracePeriod"] == 7 * SECOND
    assert container(spec)["Healthcheck"] == {
        "Test": ["CMD", "/bin/check"],
        "Interval": 3 * SECOND,
        "Timeout": 2 * SECOND,
        "StartPeriod": SECOND,
        "Retries": 4,
    }


def test_a_process_without_a_command_runs_the_environment_s_and_only_web_takes_port_and_check() -> None:
    found = specs(
        environment(
            entrypoint=["/bin/app"],
            cmd=["serve"],
            port=9000,
            healthcheck={"command": ["/bin/check"]},
            processes=[process("web"), process("worker")],
        )
    )
    for spec in found.values():
        assert (container(spec)["Command"], container(spec)["Args"]) == (["/bin/app"], ["serve"])
    assert "PORT=9000" in container(found["web"])["Env"]
    assert "PORT=8080" in container(found["worker"])["Env"]
    assert "Healthcheck" in container(found["web"])
    assert "Healthcheck" not in container(found["worker"])


def test_a_process_s_own_columns_win() -> None:
    row = process("worker", command=["/bin/work"], instances=5, port=7000, stop_grace_seconds=0)
    spec = specs(environment(entrypoint=["/bin/app"], cmd=["serve"], stop_grace_seconds=30, processes=[row]))["worker"]
    assert container(spec)["Command"] == ["/bin/work"]
    assert "Args" not in container(spec), "the environment's arguments belong to the environment's command"
    assert spec["Mode"]["Replicated"]["Replicas"] == 5
    assert "PORT=7000" in container(spec)["Env"]
    assert container(spec)["StopGracePeriod"] == 0


def test_nothing_runs_of_a_suspended_environment() -> None:
    snapshot = environment(suspended=True, instances=3, processes=[process("web", instances=2), process("worker")])
    assert {spec["Mode"]["Replicated"]["Replicas"] for spec in specs(snapshot).values()} == {0}


def test_suspending_changes_nothing_but_the_number_of_tasks() -> None:
    on, off = (specs(environment(suspended=suspended))["web"] for suspended in (False, True))
    assert on["TaskTemplate"] == off["TaskTemplate"]


# -- resources -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("columns", "cores", "memory_mb", "pids"),
    [
        ({}, DEFAULT_CPU_CORES, DEFAULT_MEMORY_MB, DEFAULT_PIDS),
        ({"plan": plan()}, 0.25, 128, 64),
        ({"plan": plan(), "cpu_limit": 2}, 2, 128, 64),
        ({"plan": plan(), "memory_mb": 512}, 0.25, 512, 64),
        ({"cpu_limit": 1.5, "memory_mb": 16}, 1.5, 16, DEFAULT_PIDS),
        ({"cpu_limit": 0.001, "memory_mb": 4}, 0.001, 4, DEFAULT_PIDS),
    ],
    ids=["defaults", "plan", "own cores", "own memory", "no plan", "the least"],
)
def test_limits_are_the_environment_s_own_else_the_plan_s_else_the_defaults(
    columns: dict[str, Any], cores: float, memory_mb: int, pids: int
) -> None:
    limits = specs(environment(**columns))["web"]["TaskTemplate"]["Resources"]["Limits"]
    assert limits == {"NanoCPUs": round(cores * 1e9), "MemoryBytes": memory_mb * MIB, "Pids": pids}


# -- routes ----------------------------------------------------------------------------------------------------------


def test_without_a_domain_the_edge_knows_nothing_of_a_service() -> None:
    assert routes(specs(environment())["web"]) == {}


def test_domains_are_routed_to_the_port_of_their_process() -> None:
    snapshot = environment(
        processes=[process("api", port=9000), process("web"), process("worker")],
        domains=[domain("b.example.com"), domain("a.example.com"), domain("api.example.com", "api")],
    )
    found = specs(snapshot)
    name = name_of("web")
    assert routes(found["web"]) == {
        "traefik.enable": "true",
        "traefik.swarm.network": HOME.name,
        f"traefik.http.services.{name}.loadbalancer.server.port": "8080",
        f"traefik.http.routers.{name}-a_example_com.rule": "Host(`a.example.com`)",
        f"traefik.http.routers.{name}-a_example_com.entrypoints": "web",
        f"traefik.http.routers.{name}-a_example_com.service": name,
        f"traefik.http.routers.{name}-a_example_com.middlewares": f"{name}-retry",
        f"traefik.http.routers.{name}-b_example_com.rule": "Host(`b.example.com`)",
        f"traefik.http.routers.{name}-b_example_com.entrypoints": "web",
        f"traefik.http.routers.{name}-b_example_com.service": name,
        f"traefik.http.routers.{name}-b_example_com.middlewares": f"{name}-retry",
        f"traefik.http.middlewares.{name}-retry.retry.attempts": "4",
        f"traefik.http.middlewares.{name}-retry.retry.initialinterval": "50ms",
    }
    api = routes(found["api"])
    assert api[f"traefik.http.services.{name_of('api')}.loadbalancer.server.port"] == "9000"
    assert api[f"traefik.http.routers.{name_of('api')}-api_example_com.rule"] == "Host(`api.example.com`)"
    assert routes(found["worker"]) == {}


def test_each_host_has_a_certificate_of_its_own() -> None:
    snapshot = environment(domains=[domain("a.example.com"), domain("b.example.com")])
    found = routes(specs(snapshot, edge_entrypoints=("web", "websecure"), edge_cert_resolver="acme")["web"])
    for host in ("a", "b"):
        router = f"traefik.http.routers.{name_of('web')}-{host}_example_com"
        assert found[f"{router}.rule"] == f"Host(`{host}.example.com`)", "one host in an order for a certificate"
        assert found[f"{router}.entrypoints"] == "web,websecure"
        assert (found[f"{router}.tls"], found[f"{router}.tls.certresolver"]) == ("true", "acme")


# -- whatever is declared --------------------------------------------------------------------------------------------


@declared
def test_the_same_snapshot_gives_the_same_bytes(snapshot: EnvironmentSnapshot) -> None:
    again = EnvironmentSnapshot.model_validate(snapshot.model_dump())
    first, second = (json.dumps([s.spec for s in render(e, OPTIONS, HOME).services]) for e in (snapshot, again))
    assert first == second


@declared
def test_names_are_unique_and_short_enough_and_made_of_what_dns_takes(snapshot: EnvironmentSnapshot) -> None:
    services = render(snapshot, OPTIONS, HOME).services
    names = [service.name for service in services]
    assert len(set(names)) == len(names) == max(1, len(snapshot.processes))
    for name in names:
        assert len(name) <= 63
        assert name.strip("abcdefghijklmnopqrstuvwxyz0123456789-_") == ""
        assert not name.startswith("-")
        assert "-_" not in name


@declared
def test_the_hash_is_that_of_the_rest_of_the_document(snapshot: EnvironmentSnapshot) -> None:
    for service in render(snapshot, OPTIONS, HOME).services:
        rest = {k: v for k, v in service.spec["Labels"].items() if k != labels.SPEC_HASH}
        assert service.hash == service.spec["Labels"][labels.SPEC_HASH] == spec_hash({**service.spec, "Labels": rest})


@declared
def test_every_container_has_the_security_baseline(snapshot: EnvironmentSnapshot) -> None:
    for service in render(snapshot, OPTIONS, HOME).services:
        found = container(service.spec)
        assert found["CapabilityDrop"] == ["ALL"]
        assert "CapabilityAdd" not in found
        assert found["Privileges"] == {
            "NoNewPrivileges": True,
            "Seccomp": {"Mode": "default"},
            "AppArmor": {"Mode": "default"},
        }
        assert found["Init"] is True
        assert found["ReadOnly"] is snapshot.read_only_root
        assert {mount["Type"] for mount in found["Mounts"]} <= {"tmpfs"}
        assert [mount["Target"] for mount in found["Mounts"]] == sorted(snapshot.tmpfs_paths)
        assert {"Name": "core", "Soft": 0, "Hard": 0} in found["Ulimits"]
        assert found.get("User") == snapshot.run_as
        limits = service.spec["TaskTemplate"]["Resources"]["Limits"]
        assert set(limits) == {"NanoCPUs", "MemoryBytes", "Pids"}
        assert all(value > 0 for value in limits.values())


@declared
def test_what_is_reserved_is_something_and_within_the_limits(snapshot: EnvironmentSnapshot) -> None:
    for service in render(snapshot, OPTIONS, HOME).services:
        resources = service.spec["TaskTemplate"]["Resources"]
        for field, least in (("NanoCPUs", 1_000_000), ("MemoryBytes", 4 * MIB)):
            assert least <= resources["Reservations"][field] <= resources["Limits"][field]


@declared
def test_nothing_is_published_and_every_rollout_goes_back_by_itself(snapshot: EnvironmentSnapshot) -> None:
    for service in render(snapshot, OPTIONS, HOME).services:
        assert service.spec["EndpointSpec"] == {"Mode": "dnsrr"}
        assert service.spec["UpdateConfig"]["FailureAction"] == "rollback"
        assert service.spec["UpdateConfig"]["Monitor"] == 1.5 * SECOND
        assert service.spec["RollbackConfig"]["FailureAction"] == "pause"


@declared
def test_every_domain_is_routed_once_and_only_where_there_are_domains(snapshot: EnvironmentSnapshot) -> None:
    found = specs(snapshot)
    rules = [value for spec in found.values() for name, value in routes(spec).items() if name.endswith(".rule")]
    routed = sorted(
        host for rule in rules for host in rule.removeprefix("Host(`").removesuffix("`)").split("`) || Host(`")
    )
    assert routed == sorted(d.hostname for d in snapshot.domains)
    assert {t for t, spec in found.items() if routes(spec)} == {d.process_type for d in snapshot.domains}


@declared
def test_nothing_that_swarm_expands_holds_a_template(snapshot: EnvironmentSnapshot) -> None:
    """Environment, mounts, host name, aliases and network options: swarmkit template/expand.go."""
    for service in render(snapshot, OPTIONS, HOME).services:
        template = service.spec["TaskTemplate"]
        inner = template["ContainerSpec"]
        expanded = [inner["Env"], inner["Mounts"], inner.get("Hostname"), template["Networks"]]
        assert "{{" not in json.dumps(expanded)


def test_a_check_that_is_turned_off_turns_the_image_s_own_off_and_absence_leaves_it() -> None:
    assert container(specs(environment(healthcheck={"disabled": True}))["web"])["Healthcheck"] == {"Test": ["NONE"]}
    assert "Healthcheck" not in container(specs(environment())["web"])


def test_an_image_that_must_be_process_1_gets_no_init_and_keeps_the_rest_of_the_baseline() -> None:
    with_init, without = (container(specs(environment(init=init))["web"]) for init in (True, False))
    assert (with_init.pop("Init"), without.pop("Init")) == (True, False)
    assert with_init == without
