"""New releases have more patience with what starts than is declared: it is the controller who ends it."""

from __future__ import annotations

from typing import Any

import pytest

from reconcilers import labels
from reconcilers.environment.config import runs
from reconcilers.environment.deadline import in_time
from reconcilers.environment.policies import _as_it_may_run
from reconcilers.environment.port_check import as_checked
from reconcilers.environment.service import render
from reconcilers.outcomes import Done, RequeueAfter
from reconcilers.patience import start_seconds, within_seconds
from reconcilers.ports import ServiceProgress
from specs.releases import overlaid, release_of
from specs.snapshots import EnvironmentSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment

SECOND = 1_000_000_000
CHECK: dict[str, Any] = {
    "command": ["/check"],
    "interval_seconds": 10,
    "timeout_seconds": 5,
    "retries": 3,
    "start_period_seconds": 60,
}
IMAGE: dict[str, Any] = {
    "reference": "registry.example.com/shop:1",
    "pinned": "registry.example.com/shop@sha256:" + "a" * 64,
    "architecture": "amd64",
    "entrypoint": ["/entry"],
}


def known(image: dict[str, Any] | None = None, **changes: Any) -> EnvironmentSnapshot:
    return environment(**{"resolved": IMAGE | (image or {}), **changes})


def container(snapshot: EnvironmentSnapshot) -> dict[str, Any]:
    found: dict[str, Any] = render(snapshot, OPTIONS, HOME).services[0].spec["TaskTemplate"]["ContainerSpec"]
    return found


def digest(snapshot: EnvironmentSnapshot) -> str:
    return release_of(snapshot, runs(snapshot) or "").digest


def test_the_engine_gives_up_later_than_the_controller_who_goes_by_what_is_declared() -> None:
    found = container(as_checked(known(healthcheck=CHECK)))
    check = found["Healthcheck"]
    assert start_seconds(found["Labels"]) == 60
    assert within_seconds(found) == 60 + 3 * (10 + 5) + 10, "with some seconds until its container begins"
    gives_up = (check["StartPeriod"] + (check["Retries"] - 1) * check["Interval"]) / SECOND  # at the earliest
    assert gives_up == 60 + 3 * (10 + 5) + 30
    assert (check["Interval"], check["Timeout"], check["Retries"]) == (10 * SECOND, 5 * SECOND, 3)
    assert within_seconds(container(known(healthcheck=CHECK))) is None, "the engine ends what an older release started"


@pytest.mark.parametrize(
    ("declared", "start_interval"),
    [({}, 5.0), ({"interval_seconds": 2}, 2.0), ({"start_interval_seconds": 0.5}, 0.5)],
)
def test_what_starts_is_asked_as_often_as_declared_and_every_five_seconds_at_least(
    declared: dict[str, Any], start_interval: float
) -> None:
    found = container(as_checked(known(healthcheck=CHECK | declared)))
    assert found["Healthcheck"]["StartInterval"] == start_interval * SECOND


def test_the_check_of_an_image_is_waited_for_as_the_image_says() -> None:
    of_image = {"Test": ["CMD-SHELL", "probe"], "Interval": 2 * SECOND, "StartPeriod": 7 * SECOND, "Retries": 0}
    found = container(as_checked(known({"healthcheck": of_image})))
    assert found["Healthcheck"]["Test"] == ["CMD-SHELL", "probe"]
    assert found["Healthcheck"]["Interval"] == 2 * SECOND
    assert "Retries" not in found["Healthcheck"], "the engine's own counts, and it would refuse this one"
    assert within_seconds(found) == 7 + 3 * (2 + 30) + 10


@pytest.mark.parametrize("wrong", [{"Interval": "soon"}, {"Interval": 5}, {"Timeout": -1}, {"Interval": True}, {}])
def test_what_an_engine_would_refuse_in_an_image_is_left_to_the_engine(wrong: dict[str, Any]) -> None:
    found = container(as_checked(known({"healthcheck": {"Test": ["CMD", "probe"], **wrong}})))
    assert found["Healthcheck"].keys() == {"Test", "StartPeriod", "StartInterval"}
    assert within_seconds(found) == 3 * (30 + 30) + 10


def test_what_nobody_asks_is_given_no_patience() -> None:
    for changes in ({"port": None}, {"healthcheck": {"disabled": True}}, {"by_tag": True, "healthcheck": CHECK}):
        snapshot = known(**changes)
        assert as_checked(snapshot) == snapshot
        assert labels.START_PERIOD not in container(as_checked(snapshot))["Labels"]


@pytest.mark.parametrize(
    "declared", [{"healthcheck": CHECK}, {}, {"resolved": {**IMAGE, "healthcheck": {"Test": ["CMD", "x"]}}}]
)
def test_what_runs_already_stays_as_it_is_until_it_is_another_release(declared: dict[str, Any]) -> None:
    before = known(**declared)
    asked = before.model_copy(update={"port_check": bool(not declared)})
    newest = {"version": 7, "digest": digest(asked), "deployed": True}
    found = as_checked(known(**declared, release=newest))
    assert container(found) == container(asked), "an upgrade restarts nothing"
    changed = as_checked(known(**declared, release=newest, cmd=["serve"]))
    assert changed.start_deadline
    after: dict[str, Any] = {"version": 8, "digest": digest(changed), "deployed": True}
    again = as_checked(known(**declared, release=after, cmd=["serve"]))
    assert container(again) == container(changed)
    assert digest(again) == digest(changed)
    assert after["digest"] in map(digest, _as_it_may_run(known(**declared, cmd=["serve"])))


@pytest.mark.parametrize("patient", [True, False])
def test_a_release_that_is_named_is_what_it_was(patient: bool) -> None:
    was = as_checked(known(healthcheck=CHECK)) if patient else known(healthcheck=CHECK)
    made = release_of(was, runs(was) or "")
    pinned = {"version": 3, "settings": made.settings, "processes": [], "config": None, "resolved": IMAGE}
    document = environment(image_ref="registry.example.com/shop:2").model_dump(mode="json", exclude_unset=True)
    found = EnvironmentSnapshot.model_validate(overlaid({**document, "processes": [], "pinned": pinned}))
    assert (within_seconds(container(as_checked(found))) is not None) is patient


@pytest.mark.parametrize("value", ["soon", "", "-5"])
def test_a_label_of_somebody_else_s_hands_ends_nothing_at_once(value: str) -> None:
    found = {"Labels": {labels.START_PERIOD: value}, "Healthcheck": {"Test": ["CMD", "x"], "Retries": 1}}
    assert within_seconds(found) in (None, 70.0)
    assert within_seconds({"Labels": {labels.START_PERIOD: "1"}}) is None


def test_the_next_look_is_when_it_has_started_for_long_enough() -> None:
    starts = ServiceProgress("web", 1, 0, 1, 0, starting=("a",), starts_within=70.0, ends_in=4.0)
    late = ServiceProgress("web", 1, 0, 1, 0, starting=("a",), starts_within=70.0, ends_in=-1.0)
    assert in_time(RequeueAfter(300.0), [starts, late]) == RequeueAfter(4.01)
    assert in_time(Done(), [starts]) == RequeueAfter(4.01)
    assert in_time(RequeueAfter(2.0), [starts]) == RequeueAfter(2.0)
    assert in_time(RequeueAfter(300.0), [late]) == RequeueAfter(300.0), "it is ended, or there is nothing to go back to"
    assert in_time(Done(), []) == Done()
