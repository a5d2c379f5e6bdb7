"""What a spec takes back of the baseline is said, and what an installation may require of every spec."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from reconcilers.environment.gates import admit
from reconcilers.environment.relaxed import relaxed
from reconcilers.environment.service import render
from specs.problems import InvalidSpec
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment


def test_nothing_is_said_of_an_environment_under_the_whole_baseline() -> None:
    assert relaxed(environment()) == []
    assert relaxed(environment(run_as="1000:0", ulimits={"nofile": 1024}, tmpfs_paths=[])) == []


def test_each_field_that_takes_something_back_is_named() -> None:
    limits = {"nofile": 65536, "memlock_mb": 64}
    found = relaxed(environment(run_as="0:1000", read_only_root=False, ulimits=limits))
    assert [line.partition(":")[0] for line in found] == [
        "runAs",
        "readOnlyRootFilesystem",
        "ulimits.nofile",
        "ulimits.memlock",
    ]


def test_where_users_have_to_be_declared_an_environment_without_one_is_refused() -> None:
    required = replace(OPTIONS, require_run_as=True)
    admit(environment(), OPTIONS)
    for declared in ("1000:1000", "0:0"):
        admit(environment(run_as=declared), required)
    with pytest.raises(InvalidSpec, match="SKYPANEL_REQUIRE_RUN_AS"):
        admit(environment(), required)


def test_where_user_namespaces_are_required_tasks_go_to_labelled_nodes_alone() -> None:
    required = replace(OPTIONS, require_userns=True)
    for declared, constraints in (({}, []), ({"pool": "gpu"}, ["node.labels.io.skypanel.pool == gpu"])):
        template = render(environment(**declared), required, HOME).services[0].spec["TaskTemplate"]
        assert template["Placement"]["Constraints"] == [*constraints, "node.labels.io.skypanel.userns == true"]


def test_the_host_of_the_api_is_no_environment_s() -> None:
    reserved = replace(OPTIONS, api_host="api.example.com")
    taken = environment(domains=[{"id": str(uuid4()), "hostname": "api.example.com"}])
    admit(taken, OPTIONS)
    admit(environment(domains=[{"id": str(uuid4()), "hostname": "www.api.example.com"}]), reserved)
    with pytest.raises(InvalidSpec, match=r"domains\[api.example.com\].hostname: .*SKYPANEL_API_HOST"):
        admit(taken, reserved)


def test_the_host_of_the_console_is_nobody_s_nor_one_above_or_below_it() -> None:
    reserved = replace(OPTIONS, console_host="console.example.com")
    for hostname in ("console.example.com", "example.com", "x.console.example.com"):
        with pytest.raises(InvalidSpec, match=r"hostname: .*SKYPANEL_CONSOLE_ORIGIN"):
            admit(environment(domains=[{"id": str(uuid4()), "hostname": hostname}]), reserved)
    for hostname in ("shop.example.com", "xconsole.example.com"):
        admit(environment(domains=[{"id": str(uuid4()), "hostname": hostname}]), reserved)
