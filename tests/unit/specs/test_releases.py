"""What a release is made of: what changes it and what does not, and its place in a document."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from specs.releases import SETTINGS, overlaid, release_of
from specs.snapshots import EnvironmentSnapshot

OF_NO_RELEASE = {
    "id", "name", "swarm_name", "suspended", "organization", "app", "instances", "cpu_limit", "memory_mb", "region",
    "pool", "spread", "plan", "registries", "domains", "release", "pinned", "left_out", "restart_token", "canary",
    "by_tag", "image_policy", "verdict", "stopped_images", "withheld", "follow_seconds", "followed",
    "of_run",
}  # fmt: skip
"""Scale, size, place, names, routes and restarts."""


def document(**fields: Any) -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "name": "production",
        "swarm_name": "acme-shop-production",
        "organization": {"id": str(uuid4()), "slug": "acme"},
        "app": {"id": str(uuid4()), "slug": "shop"},
        "image_ref": "web:1",
        **fields,
    }


def digest(made: dict[str, Any]) -> str:
    return release_of(EnvironmentSnapshot.model_validate(made), "web:1").digest


def test_every_field_of_an_environment_is_part_of_a_release_or_known_not_to_be() -> None:
    kept = {*SETTINGS, "processes", "config", "resolved"}
    assert kept | OF_NO_RELEASE == set(EnvironmentSnapshot.model_fields)
    assert not kept & OF_NO_RELEASE


@pytest.mark.parametrize(
    "change",
    [
        {"instances": 9},
        {"memory_mb": 64},
        {"region": "eu"},
        {"suspended": True},
        {"restart_token": "1"},
        {"canary": {"tasks": 1}},
        {"follow_seconds": 60},
        {"init": True},
        {"cmd": None},
    ],
)
def test_scale_size_place_and_what_is_the_default_make_no_other_release(change: dict[str, Any]) -> None:
    made = document()
    assert digest(made | change) == digest(made)


@pytest.mark.parametrize(
    "change",
    [
        {"cmd": ["serve"]},
        {"healthcheck": {"tcp": True}},
        {"init": False},
        {"processes": [{"id": str(uuid4()), "type": "web"}]},
        {"config": {"digest": "0" * 32, "variables": 1}},
        {"files": {"/etc/app.conf": "a = 1"}},
    ],
)
def test_what_tasks_run_makes_another_release(change: dict[str, Any]) -> None:
    made = document()
    assert digest(made | change) != digest(made)


def test_the_scale_of_a_process_makes_no_other_release() -> None:
    process = {"id": str(uuid4()), "type": "web"}
    one, many = (document(processes=[{**process, "instances": number}]) for number in (1, 5))
    assert digest(one) == digest(many)


def test_a_release_goes_through_a_document_and_back() -> None:
    healthcheck = {"command": ["check"], "interval_seconds": 3}
    made = document(
        cmd=["serve"],
        tmpfs_paths=[],
        healthcheck={"disabled": True},
        processes=[
            {"id": str(uuid4()), "type": "web", "healthcheck": healthcheck, "instances": 2},
            {"id": str(uuid4()), "type": "worker", "args": [], "instances": 4},
        ],
    )
    release = release_of(EnvironmentSnapshot.model_validate(made), "web:1")
    pinned = {
        "version": 7,
        "settings": release.settings,
        "processes": release.processes,
        "config": None,
        "resolved": None,
    }
    cron = {"id": str(uuid4()), "type": "cron", "generation": 3}
    rows = [{**made["processes"][0], "healthcheck": None, "instances": 9, "generation": 5}, cron]
    now = {**made, "image_ref": "not an image", "cmd": None, "init": False, "processes": rows, "pinned": pinned}
    snapshot = EnvironmentSnapshot.model_validate(now)
    assert release_of(snapshot, "web:1").digest == release.digest
    web, worker = snapshot.processes
    assert (str(web.id), web.instances, web.generation, web.declared) == (made["processes"][0]["id"], 9, 5, True)
    assert (worker.instances, worker.declared) == (4, False)
    assert [(left.type, left.generation) for left in snapshot.left_out] == [("cron", 3)]
    assert "release 7" in snapshot.overruled()


def test_what_names_no_release_is_the_document_itself() -> None:
    made = document(pinned=None)
    assert overlaid(made) is made


def test_restart_tokens_are_today_s_whatever_release_runs() -> None:
    row = {"id": str(uuid4()), "type": "worker", "restart_token": "1", "command": ["new"], "generation": 1}
    kept = {
        "version": 1,
        "settings": {"image_ref": "web:1"},
        "processes": [{"type": "worker"}],
        "config": None,
        "resolved": None,
    }
    found = EnvironmentSnapshot.model_validate(document(restart_token="2", processes=[row], pinned=kept))
    assert (found.restart_token, found.processes[0].restart_token) == ("2", "1")
    assert found.processes[0].command is None
