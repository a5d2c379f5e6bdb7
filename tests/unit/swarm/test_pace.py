"""What Swarm is told of how it replaces tasks: a part first, on when that was quiet, and no way back that is none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.records import InventoryRow
from controller.swarm.pace import first_tasks, paced
from reconcilers.environment.service import render
from reconcilers.objects import Canary, Service
from reconcilers.ports import LiveService
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment

SECOND = 1_000_000_000
CANARY = {"share": 20, "quiet_seconds": 300}


def wanted(image: str = "web:2", *, tasks: int = 6, **changes: Any) -> Service:
    (service,) = render(environment(image_ref=image, instances=tasks, **changes), OPTIONS, HOME).services
    return service


def live(service: Service, **update: Any) -> LiveService:
    spec = {**service.spec, "UpdateConfig": {**service.spec["UpdateConfig"], **update}}
    return LiveService("s1", service.name, 7, spec, "updating", "")


def row(good: Service | None) -> InventoryRow:
    return InventoryRow("service", "web", last_good=good.spec if good else None)


def now(target: Service, found: LiveService | None, good: Service | None) -> dict[str, Any]:
    """What Swarm is told."""
    update: dict[str, Any] = paced(target, found, row(good), lambda *_: None).spec["UpdateConfig"]
    return update


BEFORE = wanted("web:1")
PLAIN = BEFORE.spec["UpdateConfig"]
RESTS = {**PLAIN, "Parallelism": 2, "Monitor": 300 * SECOND, "Delay": 360 * SECOND}


def test_a_share_is_rounded_up_and_a_number_is_that_number() -> None:
    assert wanted(canary=CANARY).canary == Canary(2, 300)
    assert wanted(canary={"tasks": 3}).canary == Canary(3, 300)
    assert wanted(tasks=1, canary={"share": 1}).canary == Canary(1, 300)
    assert wanted().canary is None


def test_another_template_begins_with_the_first_tasks_and_rests() -> None:
    assert now(wanted(canary=CANARY), live(BEFORE), BEFORE) == RESTS


@pytest.mark.parametrize(
    ("target", "found", "good"),
    [
        (wanted(), live(BEFORE), BEFORE),
        (wanted(canary=CANARY), None, BEFORE),
        (wanted(canary=CANARY), live(BEFORE), None),
        (wanted(canary={"tasks": 6}), live(BEFORE), BEFORE),
        (wanted(canary=CANARY), live(wanted("web:1", tasks=2)), BEFORE),
        (wanted("web:1", canary=CANARY), live(wanted("web:2"), **RESTS), BEFORE),
    ],
    ids=["none is declared", "it is new", "nothing ever worked", "all are first", "few live", "the way back"],
)
def test_nothing_rests_where_there_is_nothing_to_wait_for(target: Service, found: Any, good: Any) -> None:
    assert now(target, found, good) == PLAIN


def test_what_rests_is_left_alone_and_goes_on_when_nothing_is_to_wait_any_more() -> None:
    target = wanted(canary=CANARY)
    resting = live(paced(target, live(BEFORE), row(BEFORE), lambda *_: None))
    assert first_tasks(resting.spec) == 2
    assert now(target, resting, BEFORE) == RESTS
    assert now(replace(target, canary=None), resting, BEFORE) == {**PLAIN, "FailureAction": "pause"}


def test_another_write_meanwhile_takes_one_task_more_and_leaves_swarm_no_way_back_that_is_none() -> None:
    target = wanted(canary=CANARY)
    resting = live(paced(target, live(BEFORE), row(BEFORE), lambda *_: None))
    routed = target.relabelled({**target.labels, "traefik.enable": "false"})
    assert now(routed, resting, BEFORE) == {**RESTS, "Parallelism": 1, "FailureAction": "pause"}


def test_what_has_gone_on_stays_as_it_is_until_the_next_template() -> None:
    target = wanted(canary=CANARY)
    assert now(target, live(target, FailureAction="pause"), target)["FailureAction"] == "pause"
    assert now(target, live(target, Delay=SECOND), target) == PLAIN, "what others set is put right"
    assert now(wanted("web:3"), live(target, FailureAction="pause"), target) == PLAIN
