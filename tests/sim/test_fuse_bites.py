"""The tests of the fuse bite: each fault that it is there for is put back, and the test of that behaviour fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from controller.loop.gates import fuse
from controller.loop.gates.fuse import Amount, Fuse, Peak
from tests.sim import test_losses, world
from tests.sim.database.store import SimStore

Install = Callable[[pytest.MonkeyPatch], None]
MUTANTS: list[tuple[Install, Callable[[], None]]] = []


def mutant(*found_by: Callable[[], None]) -> Callable[[Install], Install]:
    def register(install: Install) -> Install:
        MUTANTS.extend((install, test) for test in found_by)
        return install

    return register


@mutant(
    test_losses.test_a_fuse_that_has_tripped_lets_nothing_go_but_what_was_confirmed_until_nothing_waits,
    test_losses.test_host_names_of_a_few_environments_are_not_lost_at_once_though_all_goes_on_running,
)
def the_trip_is_not_latched(patch: pytest.MonkeyPatch) -> None:
    assess = SimStore.assess_losses

    async def anew(self: Any, holdings: Any) -> Any:
        found = await assess(self, holdings)
        return type(found)(False, found.hidden, found.recorded, found.lost)

    patch.setattr(SimStore, "assess_losses", anew)


@mutant(test_losses.test_a_fuse_that_has_tripped_lets_nothing_go_but_what_was_confirmed_until_nothing_waits)
def one_confirmation_is_taken_for_all(patch: pytest.MonkeyPatch) -> None:
    judge = Fuse._judge

    def generous(self: Fuse, assessment: Any, loss: Any) -> None:
        if not any(each.confirmed for each in assessment.lost.values()):
            judge(self, assessment, loss)

    patch.setattr(Fuse, "_judge", generous)


@mutant(test_losses.test_a_row_that_is_merely_absent_waits_however_little_it_is_and_goes_when_it_is_confirmed)
def what_is_absent_is_taken_for_deleted(patch: pytest.MonkeyPatch) -> None:
    judge = Fuse._judge

    def trusting(self: Fuse, assessment: Any, loss: Any) -> None:
        judge(self, assessment, loss._replace(why="deleted"))

    patch.setattr(Fuse, "_judge", trusting)


@mutant(test_losses.test_what_bleeds_away_slice_by_slice_counts_together)
def what_has_gone_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    see = Peak.see

    def only_now(self: Peak, amount: Amount) -> None:
        self.forget()
        see(self, amount)

    patch.setattr(Peak, "see", only_now)


@mutant(test_losses.test_what_bleeds_away_slice_by_slice_counts_together)
def only_what_is_lost_now_is_counted(patch: pytest.MonkeyPatch) -> None:
    def now(lost: Amount, live: Amount, _peak: Amount, *, share: float, minimum: int) -> bool:
        return any(pending > max(minimum, share * all_) for pending, all_ in zip(lost, live, strict=True))

    patch.setattr(fuse, "too_much", now)


@mutant(
    test_losses.test_the_suspension_of_many_at_once_waits_and_that_of_one_does_not,
    test_losses.test_processes_and_routes_of_wanted_environments_are_not_lost_at_once_and_other_work_goes_on,
    test_losses.test_host_names_of_a_few_environments_are_not_lost_at_once_though_all_goes_on_running,
)
def only_whole_owners_are_guarded(patch: pytest.MonkeyPatch) -> None:
    async def allow(*_: object) -> None: ...

    patch.setattr(Fuse, "reduction", allow)


def _uncounted(measure: str) -> Install:
    def install(patch: pytest.MonkeyPatch) -> None:
        too_much = fuse.too_much

        def without(lost: Amount, *rest: Amount, **limits: Any) -> bool:
            return too_much(lost._replace(**{measure: 0}), *rest, **limits)

        patch.setattr(fuse, "too_much", without)

    install.__name__ = f"{measure}_are_not_counted"
    return install


mutant(test_losses.test_the_suspension_of_many_at_once_waits_and_that_of_one_does_not)(_uncounted("processes"))
mutant(test_losses.test_host_names_of_a_few_environments_are_not_lost_at_once_though_all_goes_on_running)(
    _uncounted("hosts")
)
mutant(test_losses.test_a_fuse_that_has_tripped_lets_nothing_go_but_what_was_confirmed_until_nothing_waits)(
    _uncounted("objects")
)


@pytest.mark.parametrize(
    ("install", "test"), MUTANTS, ids=[f"{install.__name__}-{test.__name__[5:45]}" for install, test in MUTANTS]
)
def test_a_fault_of_the_fuse_that_is_put_back_is_found(
    install: Install, test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(world, "DEADLINE_SECONDS", 90.0)  # it may never settle
    install(monkeypatch)
    with pytest.raises(AssertionError):
        test()
