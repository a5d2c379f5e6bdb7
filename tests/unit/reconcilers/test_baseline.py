"""A field of the baseline that the engine dropped is found, whichever it is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings

from reconcilers.baseline import lost
from reconcilers.environment.service import render
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment, environments

CONTAINER = ("TaskTemplate", "ContainerSpec")


def written() -> dict[str, Any]:
    (service,) = render(environment(run_as="1000:1000"), OPTIONS, HOME).services
    return service.spec


def without(spec: dict[str, Any], *path: str) -> dict[str, Any]:
    doctored = copy.deepcopy(spec)
    *parents, last = path
    place = doctored
    for name in parents:
        place = place[name]
    del place[last]
    return doctored


@settings(max_examples=40)
@given(environments())
def test_what_is_stored_as_it_was_written_has_lost_nothing(snapshot: EnvironmentSnapshot) -> None:
    for service in render(snapshot, OPTIONS, HOME).services:
        assert lost(service.spec, copy.deepcopy(service.spec)) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ((*CONTAINER, "Privileges", "NoNewPrivileges"), "Privileges.NoNewPrivileges"),
        ((*CONTAINER, "Privileges", "Seccomp"), "Privileges.Seccomp"),
        ((*CONTAINER, "Privileges", "AppArmor"), "Privileges.AppArmor"),
        ((*CONTAINER, "CapabilityDrop"), "CapabilityDrop"),
        ((*CONTAINER, "ReadOnly"), "ReadOnly"),
        ((*CONTAINER, "Init"), "Init"),
        ((*CONTAINER, "Ulimits"), "Ulimits"),
        ((*CONTAINER, "User"), "User"),
        (("TaskTemplate", "Resources", "Limits", "Pids"), "Resources.Limits.Pids"),
        (("TaskTemplate", "Resources", "Limits", "MemoryBytes"), "Resources.Limits.MemoryBytes"),
        (("TaskTemplate", "Resources", "Limits", "NanoCPUs"), "Resources.Limits.NanoCPUs"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_dropped_field_is_named(path: tuple[str, ...], name: str) -> None:
    assert lost(written(), without(written(), *path)) == [name]


def test_an_engine_that_dropped_everything_is_told_so_without_a_stumble() -> None:
    assert len(lost(written(), {})) == 11
    assert "Privileges.NoNewPrivileges" in lost(written(), without(written(), *CONTAINER, "Privileges"))


def test_a_weaker_value_is_as_bad_as_none() -> None:
    stored = copy.deepcopy(written())
    stored["TaskTemplate"]["ContainerSpec"]["Privileges"]["Seccomp"] = {"Mode": "unconfined"}
    stored["TaskTemplate"]["ContainerSpec"]["Ulimits"][0]["Hard"] = 10
    stored["TaskTemplate"]["Resources"]["Limits"]["Pids"] = 10_000
    assert lost(written(), stored) == ["Privileges.Seccomp", "Ulimits", "Resources.Limits.Pids"]


def test_what_the_engine_adds_is_no_loss() -> None:
    stored = copy.deepcopy(written())
    stored["TaskTemplate"]["ContainerSpec"]["Privileges"] |= {"CredentialSpec": None, "SELinuxContext": None}
    stored["TaskTemplate"]["ContainerSpec"]["Isolation"] = "default"
    assert lost(written(), stored) == []
