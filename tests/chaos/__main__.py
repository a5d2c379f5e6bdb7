"""`python -m tests.chaos`: rounds of work under faults, and of hands and a busy panel, after what is slow.

    python -m tests.chaos --seed 7 --time 300      # the same seed draws the same faults and steps

A failure ends it; what led to it, and the ends of the controllers' logs, are written to `chaos-failure.json`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from traceback import format_exception

from rich.console import Console
from rich.table import Table

from deploy import engine, traefik
from deploy.postgres import ensure
from tests.chaos import slow
from tests.chaos.clocks import FalseClock
from tests.chaos.factory import HarnessFactory
from tests.chaos.faults import FAULTS, Fault, set_the_clock
from tests.chaos.hands import Operator
from tests.chaos.harness import ChaosHarness
from tests.chaos.mix import MOST_STEPS, BrokenRoundError, Figures, Round, play_for, write_failure
from tests.chaos.wide import IMAGES, wide_chaos
from tests.labs import exclusive_lab

NAME = "chaos-mix"
FAILURE = Path("chaos-failure.json")
TABLE_WIDTH = 100


def main() -> int:
    """Run; 0 when every round ended as it must."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="decides faults and steps (chosen and printed when not given)")
    parser.add_argument("--time", type=float, default=300.0, help="seconds of rounds (300); the last one is finished")
    parser.add_argument("--only", choices=("slow", "mix", "hands"), help="one of the parts")
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10_000)
    console = Console(width=TABLE_WIDTH)
    console.print(f"seed {seed}: make chaos SEED={seed} TIME={options.time:.0f} runs it again")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="skypanel-chaos-")))
        server = ensure(NAME, durable=False)
        stack.callback(server.destroy)
        if options.only in (None, "slow"):
            with exclusive_lab(NAME, images=IMAGES, nodes=slow.NODES, managers=slow.MANAGERS) as nodes:
                console.print(slow.lose_the_swarms_leader(nodes, server, folder))
            engine.down(NAME)
        each = options.time if options.only else options.time / 2
        failed = 0
        if options.only in (None, "hands"):
            with exclusive_lab(NAME, images=IMAGES, nodes=2) as nodes, wide_chaos(nodes, server, folder) as chaos:
                failed |= _hands(chaos, seed, each / 2, console)
            engine.down(NAME)
        lab = stack.enter_context(exclusive_lab(NAME, images=("web", "pause", "traefik", "socket-proxy")))
        traefik.deploy(lab.api())
        factory = HarnessFactory(lab, server, folder)
        if options.only in (None, "slow"):
            console.print(slow.lead_after_a_kill_with_the_default_lease(factory))
        if options.only in (None, "mix"):
            failed |= _mix(factory, folder, seed, each, console)
        if options.only in (None, "hands"):
            failed |= _hands(factory.chaos(seed=seed), seed, each / 2, console)
            factory.clear()
        return failed


def _mix(factory: HarnessFactory, folder: Path, seed: int, seconds: float, console: Console) -> int:
    clock = FalseClock(folder / "clock")
    faults: dict[str, Fault] = {fault.__name__.replace("_", " "): fault for fault in FAULTS}
    faults["set the clock"] = set_the_clock(clock)
    chaos = factory.chaos(clock.environment, seed=seed)

    def tell(found: Round) -> None:
        names = ", ".join(found.faults)
        console.print(
            f"round {found.number}: {names}; {len(found.steps)} steps, as declared after {found.seconds:.1f} s",
            soft_wrap=True,
        )

    try:
        figures = play_for(chaos, faults, seed, until=time.monotonic() + seconds, tell=tell)
    except BrokenRoundError as error:
        write_failure(FAILURE, seed, error, [controller.controller.log for controller in chaos.controllers])
        console.print(
            f"round {error.round.number} of seed {seed} failed, see {FAILURE}: {error.round.faults}", soft_wrap=True
        )
        console.print(str(error)[-3000:], markup=False, soft_wrap=True)
        return 1
    finally:
        factory.clear()
    _show(figures, len(chaos.calls), console)
    return 0


def _hands(chaos: ChaosHarness, seed: int, seconds: float, console: Console) -> int:
    """Rounds of an operator's hands and a busy panel; none of the processes is struck."""
    operator = Operator(chaos, seed)
    until, number = time.monotonic() + seconds, 0
    try:
        while not number or time.monotonic() < until:
            number, said = number + 1, len(operator.said)
            operator.round(MOST_STEPS)
            console.print(f"hands, round {number}: {len(operator.said) - said} steps, nothing is broken", style="dim")
    except Exception as error:  # noqa: BLE001 - whatever it was, the steps that led to it are what is wanted
        broken = BrokenRoundError(Round(number, ["hands"], operator.said[said:]), "".join(format_exception(error)))
        write_failure(FAILURE, seed, broken, [controller.controller.log for controller in operator.chaos.controllers])
        console.print(f"round {number} of hands of seed {seed} failed, see {FAILURE}:", soft_wrap=True)
        console.print("\n".join(operator.said[said:]), markup=False, soft_wrap=True)
        console.print(str(error)[-3000:], markup=False, soft_wrap=True)
        return 1
    return 0


def _show(figures: Figures, writes: int, console: Console) -> None:
    title = f"{figures.rounds} rounds, {figures.steps} steps, {writes} writes to the engine"
    table = Table(title=title, width=TABLE_WIDTH)
    table.add_column("Fault")
    for name in ("Rounds", "Median s", "Most s"):
        table.add_column(name, justify="right")
    for fault, found in sorted(figures.by_fault.items()):
        ordered = sorted(found)
        table.add_row(fault, str(len(found)), f"{ordered[len(ordered) // 2]:.1f}", f"{ordered[-1]:.1f}")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
