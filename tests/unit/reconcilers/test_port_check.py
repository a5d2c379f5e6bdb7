"""A process with a port and no check is asked whether it listens: in new releases, and in none that runs already."""

from __future__ import annotations

from typing import Any

import pytest

from reconcilers.environment.assessment import assess
from reconcilers.environment.config import runs
from reconcilers.environment.port_check import as_checked
from reconcilers.environment.service import render
from reconcilers.helper import PROGRAM, helper_name
from reconcilers.options import Options
from reconcilers.ports import ServiceProgress
from specs.releases import overlaid, release_of
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment, process

SECOND = 1_000_000_000
IMAGE: dict[str, Any] = {
    "reference": "registry.example.com/shop:1",
    "pinned": "registry.example.com/shop@sha256:" + "a" * 64,
    "architecture": "arm64",
    "entrypoint": ["/entry"],
}
CHECKED = {"healthcheck": {"Test": ["CMD", "/probe"]}}


def known(image: dict[str, Any] | None = None, **changes: Any) -> EnvironmentSnapshot:
    return environment(**{"resolved": IMAGE | (image or {}), **changes})


def container(snapshot: EnvironmentSnapshot, number: int = 0) -> dict[str, Any]:
    objects = render(as_checked(snapshot), OPTIONS, HOME)
    found: dict[str, Any] = objects.services[number].spec["TaskTemplate"]["ContainerSpec"]
    return found


def digest(snapshot: EnvironmentSnapshot) -> str:
    return release_of(snapshot, runs(snapshot) or "").digest


def test_a_process_with_a_port_is_asked_often_until_it_listens_and_then_seldom() -> None:
    found = container(known())
    assert found["Healthcheck"] == {
        "Test": ["CMD", PROGRAM, "check", "tcp", "8080"],
        "Interval": 30 * SECOND,
        "Timeout": 5 * SECOND,
        "StartPeriod": (60 + 30 + 3 * 5 + 30) * SECOND,  # the controller goes by 60: see test_patience.py
        "StartInterval": SECOND // 2,
        "Retries": 3,
    }
    assert found["Configs"][0]["ConfigName"] == helper_name("blue", "arm64")
    assert "Command" not in found, "nothing stands in front of its program"


@pytest.mark.parametrize(
    "changes",
    [
        {"port": None},
        {"healthcheck": {"disabled": True}},
        {"healthcheck": {"command": ["/check"]}},
        {"resolved": IMAGE | CHECKED},
        {"resolved": IMAGE | {"architecture": "riscv64"}},
        {"by_tag": True},
    ],
)
def test_nothing_is_asked_by_us_where_there_is_no_port_another_check_or_no_program_for_it(changes: Any) -> None:
    snapshot = known(**changes)
    asks = container(snapshot).get("Healthcheck", {}).get("Test", ["NONE"])
    assert asks[:2] in (["NONE"], ["CMD", "/check"], ["CMD", "/probe"]), "as declared, or as the image says"


@pytest.mark.parametrize("none", [None, {"Test": ["NONE"]}, {"Test": []}, {}])
def test_an_image_that_has_no_check_has_none_in_whatever_words(none: Any) -> None:
    assert container(known({"healthcheck": none}))["Healthcheck"]["Test"][1] == PROGRAM


def test_each_process_is_asked_on_its_own_port() -> None:
    processes = [process("api", port=9000), process("web"), process("work", command=["w"])]
    tests = [container(known(processes=processes), n).get("Healthcheck", {}).get("Test") for n in range(3)]
    assert tests == [["CMD", PROGRAM, "check", "tcp", port] for port in ("9000", "8080")] + [None]


def test_what_runs_already_is_not_asked_until_it_is_another_release() -> None:
    before = known()
    newest = {"version": 7, "digest": digest(before)}
    assert as_checked(known(release=newest)).port_check is False
    changed = as_checked(known(release=newest, cmd=["serve"]))
    assert changed.port_check is True
    after = {"version": 8, "digest": digest(changed)}
    assert as_checked(known(release=after, cmd=["serve"])) == changed.model_copy(
        update={"release": changed.release and changed.release.model_copy(update=after)}
    )


def test_only_where_it_can_have_an_effect_is_it_part_of_a_release() -> None:
    assert digest(as_checked(known(port=None))) == digest(known(port=None))
    assert not as_checked(known(healthcheck={"tcp": True})).port_check
    assert digest(as_checked(known())) != digest(known())


@pytest.mark.parametrize("asked", [True, False])
def test_a_release_that_is_named_is_asked_as_it_was(asked: bool) -> None:
    was = as_checked(known()) if asked else known()
    made = release_of(was, runs(was) or "")
    pinned = {"version": 3, "settings": made.settings, "processes": [], "config": None, "resolved": IMAGE}
    document = environment(image_ref="registry.example.com/shop:2").model_dump(mode="json", exclude_unset=True)
    found = EnvironmentSnapshot.model_validate(overlaid({**document, "processes": [], "pinned": pinned}))
    assert as_checked(found).port_check is asked
    assert ("Healthcheck" in container(found)) is asked


def test_who_never_listens_is_told_on_which_port_and_what_to_do() -> None:
    said = "its health check failed ([tcp 8080], every 30s): exit code 1: 8080: nothing listens on this port"
    failed = ServiceProgress("web", 2, 2, 0, 0, blocked="it failed", check=said)
    for snapshot, told in ((as_checked(known()), True), (known(healthcheck={"tcp": True}), False)):
        (*_, condition), _ = assess(snapshot, [failed], waiting_seconds=0.0, options=Options("s"))
        assert said in condition.message
        assert ("have it listen on PORT, which is 8080, or set port" in condition.message) is told
