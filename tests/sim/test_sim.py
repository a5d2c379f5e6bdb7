"""A part of the whole set (`make sim`), the plans that failed once, and that the simulator finds defects."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.loop.converge import Convergence
from controller.store.lease import Lease
from tests.sim import explore, faults
from tests.sim.faults import At, Fault, Plan
from tests.sim.run import NOT_REACHED, Verdict, execute
from tests.sim.scenario import scenarios

EVERY, MOST = 60, 1
"""Of the single faults, one in so many is tried here, and no more a scenario: `make sim` has the others."""
NAMES = sorted(scenarios())
STRUCK = [name for name in NAMES if zlib.crc32(name.encode()) % 3 == 0]
"""Those that are tried here; `make sim` tries all."""
_references: dict[str, Verdict] = {}


def reference(name: str) -> Verdict:
    if name not in _references:
        _references[name] = execute(scenarios()[name], Plan(name))
    return _references[name]


@pytest.mark.parametrize("name", STRUCK)
def test_a_scenario_without_faults_keeps_every_promise(name: str) -> None:
    assert reference(name).problems == ()


@pytest.mark.parametrize("name", STRUCK)
def test_a_scenario_with_faults_ends_as_it_does_without(name: str) -> None:
    first = zlib.crc32(name.encode()) % EVERY  # its own, so that another scenario more leaves it as it is
    plans = explore.drawn(list(explore.singles(reference(name)))[first::EVERY], MOST, 0)
    assert plans
    for plan in plans:
        assert execute(scenarios()[name], plan, reference(name)).problems == (), plan


@pytest.mark.parametrize("path", sorted(explore.CORPUS.glob("*.yml")), ids=lambda path: path.stem)
def test_a_plan_that_failed_once_keeps_every_promise_now(path: Path) -> None:
    plan = faults.read(path)
    verdict = execute(scenarios()[plan.scenario], plan, reference(plan.scenario))
    assert verdict.problems == ()
    assert len(verdict.struck) == len(plan.faults), "it does not reach its steps any more: find the step's new name"


def test_the_same_plan_takes_the_same_course_again() -> None:
    name = "environment.comes_scales_and_goes"
    plan = next(explore.combined(reference(name), 3))
    first, second = (execute(scenarios()[name], plan) for _ in range(2))
    assert first.steps == second.steps
    assert first.problems == second.problems


def test_a_step_that_is_not_reached_though_nothing_went_wrong_is_told() -> None:
    name = "organization.comes_and_goes"
    nowhere = Plan(name, ((At("a engine GET /nothing", 1), Fault.ERROR_BEFORE),))
    assert execute(scenarios()[name], nowhere, reference(name)).problems == (NOT_REACHED,)


def test_a_plan_is_the_same_after_it_was_written_to_a_file(tmp_path: Path) -> None:
    plan = Plan("environment.is_repaired", ((At("a engine GET /services", 3), Fault.OLD_ANSWER),), 7)
    path = explore.keep(Verdict(plan, ("it did not end",)), tmp_path)
    assert faults.read(path) == plan
    assert path.read_text().startswith("# it did not end\n")


# -- that it finds defects -------------------------------------------------------------------------------------------


def is_found(name: str, fault: Fault, patch: Callable[[pytest.MonkeyPatch], None]) -> bool:
    """Whether a single fault of this sort at the engine has a scenario fail with a defect, and not without it."""
    scenario, good = scenarios()[name], reference(name)
    plans = [p for p in explore.singles(good) if p.faults[0][1] is fault and "engine" in p.faults[0][0].name]
    with pytest.MonkeyPatch.context() as monkeypatch:
        patch(monkeypatch)
        first = next((p for p in plans if set(execute(scenario, p, good).problems) - {NOT_REACHED}), None)
    return first is not None and execute(scenario, first, good).problems == ()


def test_an_inventory_that_is_not_put_right_is_found() -> None:
    async def leave_it(*_: object) -> None: ...

    assert is_found(
        "environment.is_renamed", Fault.CRASH_AFTER, lambda p: p.setattr(Convergence, "_strike_off", leave_it)
    )


def test_a_write_that_does_not_ask_the_lease_is_found() -> None:
    name = "environment.comes_scales_and_goes"
    assert is_found(name, Fault.FROZEN, lambda p: p.setattr(Lease, "guard", lambda _self: None))
