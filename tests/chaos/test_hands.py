"""An operator's hands and a busy panel at once: everything comes to be as the rows say, and no property is broken."""

from __future__ import annotations

from tests.chaos.hands import Operator
from tests.chaos.harness import ChaosHarness

SEED, ROUNDS, STEPS = 3, 3, 8


def test_hands_and_a_busy_panel_break_nothing(chaos: ChaosHarness) -> None:
    operator = Operator(chaos, SEED)
    for _ in range(ROUNDS):
        operator.round(STEPS)
    operator.close()
