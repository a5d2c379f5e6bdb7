"""What a task is run with beside its program, as Swarm is told it; what is left out adds nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcilers.environment.placement import asked_of_nodes
from reconcilers.environment.service import render
from reconcilers.helper import CHECK, PROGRAM, VARIABLES, helper_name, without_helper
from reconcilers.objects import Config, Secret
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment, environments, process
from tests.unit.reconcilers.test_render_config import IMAGE, configured

NOTHING: dict[str, Any] = dict.fromkeys(
    ("stop_signal", "ulimits", "sysctls", "extra_hosts", "files", "region", "pool", "spread")
)
NEW_KEYS = {"StopSignal", "Sysctls", "Hosts", "Configs", "Secrets"}


def template(snapshot: EnvironmentSnapshot, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = render(snapshot, OPTIONS, HOME).services[number].spec["TaskTemplate"]
    return found


def container(snapshot: EnvironmentSnapshot, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = template(snapshot, number)["ContainerSpec"]
    return found


@given(environments())
def test_what_is_left_out_adds_nothing(snapshot: EnvironmentSnapshot) -> None:
    objects = render(snapshot, OPTIONS, HOME)
    assert objects.objects == objects.services
    for service in objects.services:
        task = service.spec["TaskTemplate"]
        assert "Placement" not in task
        assert not NEW_KEYS & task["ContainerSpec"].keys()
        assert "StartInterval" not in task["ContainerSpec"].get("Healthcheck", {})
    told = snapshot.model_copy(update=NOTHING)
    assert render(told, OPTIONS, HOME) == objects


def test_a_process_is_asked_to_stop_by_its_signal_or_its_environment_s() -> None:
    both = [process("web", port=80), process("worker", stop_signal="SIGINT")]
    found = environment(stop_signal="SIGQUIT", processes=both)
    assert [container(found, number)["StopSignal"] for number in (0, 1)] == ["SIGQUIT", "SIGINT"]
    assert container(environment(stop_signal="SIGQUIT"))["StopSignal"] == "SIGQUIT"


def test_a_writable_path_has_its_own_size_or_the_usual() -> None:
    mounts = container(environment(tmpfs_paths=["/tmp", "/data:size=512Mi"]))["Mounts"]
    assert {mount["Target"]: mount["TmpfsOptions"]["SizeBytes"] >> 20 for mount in mounts} == {"/data": 512, "/tmp": 64}


def test_limits_of_a_process_are_the_usual_but_for_what_is_declared() -> None:
    def limits(**ulimits: int) -> dict[str, int]:
        found = container(environment(ulimits=ulimits))["Ulimits"]
        assert all(limit["Soft"] == limit["Hard"] for limit in found)
        return {limit["Name"]: limit["Hard"] for limit in found}

    assert limits() == {"core": 0, "nofile": 8192}
    assert limits(nofile=65_536) == {"core": 0, "nofile": 65_536}
    assert limits(memlock_mb=64) == {"core": 0, "nofile": 8192, "memlock": 64 << 20}


def test_settings_of_the_kernel_and_host_names_are_told_as_the_engine_takes_them() -> None:
    settings = {"net.ipv4.ip_local_port_range": "2000 3000", "net.core.somaxconn": 9}
    found = container(environment(sysctls=settings, extra_hosts={"db": "10.1.2.3", "a.example": "2001:db8::7"}))
    assert found["Sysctls"] == {"net.core.somaxconn": "9", "net.ipv4.ip_local_port_range": "2000 3000"}
    assert found["Hosts"] == ["2001:db8::7 a.example", "10.1.2.3 db"]


def test_a_file_is_a_config_that_is_named_by_what_is_in_it() -> None:
    def made(snapshot: EnvironmentSnapshot) -> dict[str, Config]:
        by_name = {config.name: config for config in render(snapshot, OPTIONS, HOME).of(Config)}
        references = container(snapshot)["Configs"]
        assert all(
            each["File"] | {"Name": ""} == {"Name": "", "UID": "0", "GID": "0", "Mode": 0o444} for each in references
        )
        return {each["File"]["Name"]: by_name[each["ConfigName"]] for each in references}

    found = made(environment(files={"/etc/a": "one", "/etc/b": "two", "/etc/c": "one"}))
    assert {path: config.data for path, config in found.items()} == {
        "/etc/a": b"one",
        "/etc/b": b"two",
        "/etc/c": b"one",
    }
    assert found["/etc/a"] is found["/etc/c"]
    assert all(len(config.name) <= 64 for config in found.values())
    again = made(environment(files={"/etc/a": "one", "/etc/b": "three"}))
    assert again["/etc/a"].name == found["/etc/a"].name
    assert again["/etc/b"].name != found["/etc/b"].name
    other = made(environment(id="e0000000-0000-4000-8000-00000000000f", files={"/etc/a": "one"}))
    assert other["/etc/a"].name != found["/etc/a"].name, "whose it is, is a part of it"


def test_files_and_the_helper_are_beside_one_another() -> None:
    found = container(configured().model_copy(update={"files": {"/etc/a": "one"}}))
    assert [each["File"]["Name"] for each in found["Configs"]] == [PROGRAM, "/etc/a"]
    assert [each["File"]["Name"] for each in found["Secrets"]] == [VARIABLES]


def test_an_environment_goes_to_the_nodes_that_it_asks_for_and_is_spread_over_them() -> None:
    found = environment(region="eu", pool="gpu", spread="zone")
    assert template(found)["Placement"] == {
        "Constraints": ["node.labels.io.skypanel.pool == gpu", "node.labels.io.skypanel.region == eu"],
        "Preferences": [{"Spread": {"SpreadDescriptor": "node.labels.io.skypanel.zone"}}],
    }
    assert asked_of_nodes(found, OPTIONS) == {"io.skypanel.pool": "gpu", "io.skypanel.region": "eu"}
    behind = template(configured(region="eu"))["Placement"]
    assert behind == {
        "Platforms": [{"Architecture": "arm64", "OS": "linux"}],
        "Constraints": ["node.labels.io.skypanel.region == eu"],
    }


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"tcp": True}, ["tcp", "8080"]),
        ({"tcp": 9000}, ["tcp", "9000"]),
        ({"http": {}}, ["http", "8080", "/"]),
        ({"http": {"path": "/up?a=b", "port": 9000}}, ["http", "9000", "/up?a=b"]),
    ],
)
def test_a_check_of_ours_needs_the_helper_and_nothing_of_the_image(check: dict[str, Any], words: list[str]) -> None:
    found = container(environment(healthcheck=check, resolved=IMAGE))
    assert found["Healthcheck"]["Test"] == ["CMD", PROGRAM, CHECK, *words]
    assert list(without_helper(found["Healthcheck"]["Test"][1:])) == words
    assert [each["ConfigName"] for each in found["Configs"]] == [helper_name(OPTIONS.installation, "arm64")]
    assert found["Image"] == f"registry.example.com/shop:1@{str(IMAGE['pinned']).partition('@')[2]}"
    assert not {"Command", "Args", "Secrets"} & found.keys()
    with_variables = container(configured(healthcheck=check))
    assert with_variables["Healthcheck"]["Test"] == ["CMD", PROGRAM, CHECK, *words], "it needs no variables"
    assert len(with_variables["Configs"]) == 1


def test_only_the_processes_that_are_checked_so_have_the_helper() -> None:
    both = [process("api", port=81, healthcheck={"tcp": True}), process("worker")]
    found = environment(processes=both, resolved=IMAGE)
    assert container(found)["Healthcheck"]["Test"][-1] == "81"
    assert template(found)["Placement"] == {"Platforms": [{"Architecture": "arm64", "OS": "linux"}]}
    assert "Configs" not in container(found, 1)
    assert "Placement" not in template(found, 1)


def test_what_was_looked_up_runs_on_nodes_of_its_architecture_and_what_runs_already_is_not_asked_to_move() -> None:
    asked = {"Platforms": [{"Architecture": "arm64", "OS": "linux"}]}
    worker = {"port": None, "resolved": IMAGE}
    assert template(environment(start_deadline=True, **worker))["Placement"] == asked
    assert "Placement" not in template(environment(**worker)), "a release of before"
    assert "Placement" not in template(environment(start_deadline=True, port=None)), "nobody knows what it is for"
    placed = template(environment(start_deadline=True, region="eu", **worker))["Placement"]
    assert placed == {**asked, "Constraints": ["node.labels.io.skypanel.region == eu"]}


def test_a_check_may_be_made_sooner_while_a_task_starts() -> None:
    check = {"command": ["/bin/check"], "start_period_seconds": 30, "start_interval_seconds": 0.5}
    assert container(environment(healthcheck=check))["Healthcheck"]["StartInterval"] == 500_000_000


@given(st.permutations(["/b", "/a", "/c"]))
def test_the_order_in_which_it_is_written_does_not_matter(paths: list[str]) -> None:
    one = environment(files={path: path for path in paths}, extra_hosts={f"x{path[1:]}": "10.1.2.3" for path in paths})
    two = environment(
        files={path: path for path in sorted(paths)}, extra_hosts=dict(sorted((one.extra_hosts or {}).items()))
    )
    assert render(one, OPTIONS, HOME) == render(two, OPTIONS, HOME)
    assert not render(one, OPTIONS, HOME).of(Secret)
