"""What the database gives, checked again: good documents, bad ones, and how bad ones are described."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import ValidationError

from specs.snapshots import EnvironmentSnapshot, InvalidSpec, OrganizationSnapshot, describe

ID = "11111111-2222-3333-4444-555555555555"


def environment(**changes: Any) -> dict[str, Any]:
    document = {
        "id": ID,
        "name": "production",
        "swarm_name": "acme-hello-production",
        "suspended": False,
        "organization": {"id": ID, "slug": "acme"},
        "app": {"id": ID, "slug": "hello"},
        "deploy_mode": "image",
        "image_ref": "127.0.0.1:5000/skypanel/web:1",
        "entrypoint": None,
        "cmd": None,
        "instances": 2,
        "cpu_limit": None,
        "memory_mb": None,
        "port": 8080,
        "ports": [],
        "volumes": [],
        "healthcheck": None,
        "stop_grace_seconds": 10,
        "read_only_root": True,
        "tmpfs_paths": ["/tmp"],
        "run_as": None,
        "plan": {"id": ID, "name": "small", "cpu_limit": 0.25, "memory_mb": 128, "pids_limit": 100},
        "processes": [],
        "domains": [],
    }
    return document | changes


def process(**changes: Any) -> dict[str, Any]:
    document = {
        "id": ID,
        "type": "web",
        "command": None,
        "args": None,
        "instances": 1,
        "port": None,
        "healthcheck": None,
        "stop_grace_seconds": None,
        "generation": 1,
    }
    return document | changes


def domain(**changes: Any) -> dict[str, Any]:
    return {"id": ID, "hostname": "hello.localhost", "process_type": "web", "generation": 1} | changes


def refusal(document: Any) -> InvalidSpec:
    with pytest.raises(ValidationError) as raised:
        EnvironmentSnapshot.model_validate(document)
    return InvalidSpec.of(raised.value)


def test_a_good_document_becomes_an_immutable_snapshot() -> None:
    snapshot = EnvironmentSnapshot.model_validate(environment())
    assert snapshot.id == UUID(ID)
    assert snapshot.tmpfs_paths == ("/tmp",)
    with pytest.raises(ValidationError, match="frozen"):
        snapshot.instances = 3  # type: ignore[misc]


def test_fields_of_a_newer_database_are_left_alone() -> None:
    assert EnvironmentSnapshot.model_validate(environment(colour="blue")) == EnvironmentSnapshot.model_validate(
        environment()
    )


def test_an_organization_document_becomes_a_snapshot() -> None:
    document = {"id": ID, "slug": "acme", "name": "Acme", "suspended": True, "network_prefix": 22}
    snapshot = OrganizationSnapshot.model_validate(document)
    assert (snapshot.slug, snapshot.suspended, snapshot.network_prefix) == ("acme", True, 22)


def test_an_organization_with_a_slug_that_cannot_be_a_name_is_refused() -> None:
    document = {"id": ID, "slug": "Acme Inc", "name": "Acme"}
    with pytest.raises(ValidationError) as raised:
        OrganizationSnapshot.model_validate(document)
    assert describe(raised.value).startswith('slug: "Acme Inc" is not a name (')


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_ref": "UPPER/x"}, 'image_ref: "UPPER/x" is not an image reference: '),
        ({"name": "x" * 70}, f'name: "{"x" * 70}" has 70 characters'),
        ({"port": 0}, "port: 0 is not a port (1-65535)"),
        ({"port": "8080"}, "port: is text, not a whole number"),
        ({"instances": 1001}, "instances: 1001 is not a number of replicas (0-1000)"),
        ({"instances": True}, "instances: is true, true or false, not a whole number"),
        ({"memory_mb": 3}, "memory_mb: 3 MiB is less than Swarm accepts"),
        ({"cpu_limit": float("nan")}, "cpu_limit: NaN is not an amount of CPU"),
        ({"cpu_limit": 1e300}, "cpu_limit: 1E+300 is not an amount of CPU"),
        ({"cpu_limit": 0}, "cpu_limit: 0 is not an amount of CPU"),
        ({"suspended": "no"}, "suspended: is text, not true or false"),
        ({"run_as": "root"}, 'run_as: "root" is not a numeric user'),
        ({"run_as": "4294967295"}, 'run_as: "4294967295" is not a numeric user'),
        ({"drain_seconds": 3601}, "drain_seconds: 3601 is not a time to drain in seconds (0-3600)"),
        ({"stop_grace_seconds": -1}, "stop_grace_seconds: -1 is not a stop grace period in seconds (0-3600)"),
        ({"tmpfs_paths": ["/"]}, 'tmpfs_paths: "/" belongs to the system'),
        ({"tmpfs_paths": ["/proc/x"]}, 'tmpfs_paths: "/proc/x" belongs to the system'),
        ({"tmpfs_paths": ["/a/../sys"]}, 'tmpfs_paths: "/a/../sys" is not an absolute, normalised path'),
        ({"tmpfs_paths": ["/{{.Node.Hostname}}"]}, 'tmpfs_paths: "/{{.Node.Hostname}}" cannot be mounted'),
        ({"tmpfs_paths": ['/{{"proc"}}']}, 'tmpfs_paths: "/{{\\"proc\\"}}" cannot be mounted'),
        ({"tmpfs_paths": ["/tmp/ü"]}, 'tmpfs_paths: "/tmp/ü" cannot be mounted'),
        ({"tmpfs_paths": ["tmp"]}, 'tmpfs_paths: "tmp" is not an absolute'),
        ({"tmpfs_paths": ["/tmp", "/tmp"]}, "tmpfs_paths: names a path twice"),
        ({"healthcheck": {"command": []}}, "healthcheck.command: names no program"),
        (
            {"healthcheck": {"cmd": ["x"], "command": ["x"]}},
            "healthcheck.cmd: is not a field here (did you mean command?)",
        ),
        (
            {"healthcheck": {"command": ["x"], "interval_seconds": 0}},
            "healthcheck.interval_seconds: 0 is not a time",
        ),
        ({"healthcheck": ["x"]}, "healthcheck: is a list, not a mapping"),
        ({"entrypoint": ["x\0y"]}, "entrypoint: has a NUL character"),
        ({"deploy_mode": "git"}, "deploy_mode: \"git\" is not one of 'image' or 'buildpack'"),
        ({"image_ref": None}, "image_ref: is required when deploy_mode is 'image'"),
        ({"healthcheck": {}}, "healthcheck.command: is required"),
        ({"healthcheck": {"disabled": False}}, "healthcheck.command: is required"),
        ({"healthcheck": {"disabled": True, "retries": 3}}, "healthcheck.disabled: turns every check off"),
        ({"init": 0}, "init: is 0, a number, not true or false"),
        ({"processes": [process(type=f"p{n}") for n in range(101)]}, "processes: has more than 100"),
        ({"domains": [domain(hostname=f"h{n}.example") for n in range(501)]}, "domains: has more than 500"),
        ({"plan": {"id": ID, "name": "x", "cpu_limit": 1, "memory_mb": 1}}, "plan.memory_mb: 1 MiB"),
        ({"processes": [process(port=0)]}, "processes[web].port: 0 is not a port (1-65535)"),
        ({"processes": [process(type="my-web")]}, 'processes[my-web].type: "my-web" is not a process type'),
        (
            {"domains": [domain(hostname="A.example")]},
            'domains[A.example].hostname: "A.example" is not a host name',
        ),
        (
            {"domains": [domain(process_type="api")]},
            'domains[hello.localhost].process_type: "api" is not a process',
        ),
        ({"domains": [domain()], "port": None}, "port: is required: the domain hello.localhost"),
    ],
)
def test_a_bad_value_is_described_by_the_column_that_holds_it(changes: dict[str, Any], message: str) -> None:
    error = refusal(environment(**changes))
    assert str(error).startswith(message)
    assert len(error.problems) == 1


def test_all_problems_of_a_document_are_said_at_once() -> None:
    error = refusal(environment(port=0, image_ref="UPPER/x", processes=[process(instances=-1)]))
    assert {problem.field for problem in error.problems} == {"port", "image_ref", "processes[web].instances"}


@pytest.mark.parametrize("document", [None, 5, "x", [], {}])
def test_what_is_no_document_at_all_is_described_too(document: Any) -> None:
    assert refusal(document).problems


def test_words_of_a_command_are_never_in_a_message() -> None:
    error = refusal(environment(entrypoint=["run", "--password=hunter2\0"], cmd="--password=hunter2"))
    assert "hunter2" not in str(error)
    assert len(error.problems) == 2


def test_an_environment_without_processes_runs_one_web_of_its_own_columns() -> None:
    check = {"command": ["true"]}
    snapshot = EnvironmentSnapshot.model_validate(
        environment(entrypoint=["run"], cmd=["a"], healthcheck=check, stop_grace_seconds=3, domains=[domain()])
    )
    (web,) = snapshot.effective_processes()
    assert (web.id, web.type, web.instances, web.port) == (UUID(ID), "web", 2, 8080)
    assert (web.command, web.args, web.stop_grace_seconds) == (("run",), ("a",), 3)
    assert web.healthcheck is not None
    assert (web.healthcheck.interval_seconds, web.healthcheck.retries) == (10, 3)


def test_a_copy_with_another_port_has_processes_of_its_own() -> None:
    snapshot = EnvironmentSnapshot.model_validate(environment())
    assert [process.port for process in snapshot.effective_processes()] == [8080]
    copied = snapshot.model_copy(update={"port": 8081, "instances": 3})
    assert [(process.port, process.instances) for process in copied.effective_processes()] == [(8081, 3)]
    assert [process.port for process in snapshot.effective_processes()] == [8080]
    assert snapshot.model_copy() == snapshot


def test_web_takes_port_and_health_check_of_the_environment_and_other_processes_do_not() -> None:
    rows = [process(), process(type="worker")]
    snapshot = EnvironmentSnapshot.model_validate(environment(healthcheck={"command": ["true"]}, processes=rows))
    web, worker = snapshot.effective_processes()
    assert (web.port, web.healthcheck is not None) == (8080, True)
    assert (worker.port, worker.healthcheck) == (None, None)
    assert worker.stop_grace_seconds == 10


def test_arguments_of_the_environment_go_with_its_command_only() -> None:
    rows = [
        process(type="both"),
        process(type="command", command=["own"]),
        process(type="args", args=["own"]),
        process(type="empty", command=[]),
    ]
    snapshot = EnvironmentSnapshot.model_validate(environment(entrypoint=["run"], cmd=["a"], processes=rows))
    assert {p.type: (p.command, p.args) for p in snapshot.effective_processes()} == {
        "both": (("run",), ("a",)),
        "command": (("own",), None),
        "args": (("run",), ("own",)),
        "empty": (("run",), ("a",)),
    }


def test_a_domain_may_point_at_a_web_row_that_takes_its_port_from_the_environment() -> None:
    EnvironmentSnapshot.model_validate(environment(processes=[process()], domains=[domain()]))


def test_a_domain_needs_a_port_on_the_very_process_that_it_points_at() -> None:
    rows = [process(), process(type="api")]
    error = refusal(environment(processes=rows, domains=[domain(process_type="api")]))
    assert [problem.field for problem in error.problems] == ["processes[api].port"]


def test_the_environments_limits_go_before_the_plans() -> None:
    plain = EnvironmentSnapshot.model_validate(environment()).resources
    assert (plain.cpu_cores, plain.memory_mb, plain.pids) == (Decimal("0.25"), 128, 100)
    own = EnvironmentSnapshot.model_validate(environment(cpu_limit=0.1, memory_mb=64)).resources
    assert (own.cpu_cores, own.memory_mb, own.pids) == (Decimal("0.1"), 64, 100)
    free = EnvironmentSnapshot.model_validate(environment(plan=None)).resources
    assert (free.cpu_cores, free.memory_mb) == (None, None)


def test_an_environment_that_waits_for_its_first_build_has_no_image_yet() -> None:
    snapshot = EnvironmentSnapshot.model_validate(environment(deploy_mode="buildpack", image_ref=None))
    assert snapshot.image_ref is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ports": [{"port": 1}]}, "ports: has no effect yet (set it to [])"),
        ({"volumes": [{"name": "x"}], "deploy_mode": "buildpack"}, "volumes: has no effect yet (set it to [])"),
        ({}, ""),
    ],
)
def test_what_would_have_no_effect_is_told_with_the_way_back(changes: dict[str, Any], said: str) -> None:
    snapshot = EnvironmentSnapshot.model_validate(environment(**changes))
    assert "; ".join(map(str, snapshot.unsupported())) == said


def test_a_health_check_that_is_off_is_off_for_web_and_may_be_on_for_a_process() -> None:
    own = process(type="api", healthcheck={"command": ["true"]})
    snapshot = EnvironmentSnapshot.model_validate(
        environment(healthcheck={"disabled": True}, processes=[process(), own])
    )
    web, api = snapshot.effective_processes()
    assert web.healthcheck is not None
    assert web.healthcheck.disabled
    assert api.healthcheck is not None
    assert not api.healthcheck.disabled
