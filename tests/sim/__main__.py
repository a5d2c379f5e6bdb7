"""`python -m tests.sim`: faults at the steps of every scenario, and a table; all of them, or more at random.

python -m tests.sim                          # single faults, some dozens a scenario, and some of two and three
python -m tests.sim --all                    # every fault at every step
python -m tests.sim --seed 7 --time 300      # two and three faults at once, for five minutes
python -m tests.sim --plan tests/sim/corpus/x.yml
python -m tests.sim --only environment.is_repaired
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.sim import explore
from tests.sim.faults import Fault, Plan, read
from tests.sim.run import Verdict, execute
from tests.sim.scenario import scenarios

COMBINED = 2
"""Plans of two and three faults a scenario."""
SINGLE = 8
"""Plans of single faults a scenario, unless all are asked for: the seed draws them. Each strikes."""
_SHOWN = 12
_PROGRESS = 2000
_YOUNG = 100_000
"""A run makes ten thousands of objects and is thrown away as a whole: looked at less often, little is found sooner."""
_references: dict[str, Verdict] = {}


def main() -> int:
    """0 when every plan kept every promise, 1 otherwise."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.sim", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=0, help="of the faults that are drawn")
    parser.add_argument("--time", type=float, help="seconds: draw faults for so long, instead of the whole set")
    parser.add_argument("--all", action="store_true", help="every fault at every step, however long it takes")
    parser.add_argument("--each", type=int, default=SINGLE, help="single faults that are drawn for a scenario")
    parser.add_argument("--plan", type=Path, action="append", help="only this plan; may be repeated")
    parser.add_argument("--only", action="append", help="only scenarios whose name begins so; may be repeated")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--keep", type=Path, default=explore.CORPUS, help="folder for plans that fail")
    options = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets of strings must have the same order in every run
        os.execve(
            sys.executable, [sys.executable, "-m", "tests.sim", *sys.argv[1:]], {**os.environ, "PYTHONHASHSEED": "0"}
        )
    console = Console(width=110)
    names = [n for n in scenarios() if not options.only or n.startswith(tuple(options.only))]
    if not names:
        console.print(f"no scenario begins with {' or '.join(options.only)}; there are: {', '.join(scenarios())}")
        return 2
    if options.plan:
        return _replay(options.plan, console)
    started = time.monotonic()
    tally: Counter[tuple[str, str]] = Counter()
    bad: list[Verdict] = []
    unreached = 0
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 100)  # also of the processes, which are forks of this one
    with get_context("fork").Pool(options.jobs) as pool, console.status("looking for the steps"):
        _references.update(zip(names, pool.map(_reference, names, chunksize=1), strict=True))
    with get_context("fork").Pool(options.jobs) as pool, console.status("") as status:  # has the references
        plans = _plans(names, options, console)
        for verdict in pool.imap_unordered(_run, plans, chunksize=8):
            fault = str(verdict.plan.faults[0][1]) if len(verdict.plan.faults) == 1 else "two or three"
            kind = verdict.plan.scenario.partition(".")[0]
            tally[kind, fault if verdict.plan.faults else "none"] += 1
            done = sum(tally.values()) - len(bad)
            if done % _PROGRESS == 0 and not console.is_terminal:
                console.print(f"{done} plans after {time.monotonic() - started:.0f} s", style="dim")
            status.update(f"{done} plans, {len(bad)} failed; now {verdict.plan.scenario}")
            unreached += len(verdict.struck) < len(verdict.plan.faults)
            if verdict.problems:
                bad.append(verdict)
                tally[kind, "failed"] += 1
                if len(bad) <= _SHOWN:
                    path = explore.keep(verdict, options.keep)
                    console.print(f"[red]{verdict.plan}[/]\n  " + "\n  ".join(verdict.problems[:4]), highlight=False)
                    console.print(f"  written to {path}: replay it with --plan", style="dim")
            if options.time and time.monotonic() - started > options.time:
                pool.terminate()
                break
    _show(tally, console)
    total = sum(count for (_, fault), count in tally.items() if fault != "failed")
    console.print(
        f"{total} plans of {len(names)} scenarios in {time.monotonic() - started:.0f} s, {len(bad)} failed"
        + (f"; in {unreached} an earlier fault kept a later one from its step" if unreached else "")
    )
    return 1 if bad else 0


def _plans(names: list[str], options: argparse.Namespace, console: Console) -> Iterator[Plan]:
    seed: int = options.seed
    seconds: float | None = options.time
    begun: set[int] = set()
    for name in names:
        reference = _references[name]
        yield Plan(name)
        if reference.problems:
            console.print(f"[red]{name} fails without any fault[/]: {reference.problems[0]}")
            continue
        if seconds is None:
            plans = list(explore.singles(reference, begun, every=options.all))
            yield from plans if options.all else explore.drawn(plans, options.each, seed)
            yield from islice(explore.combined(reference, seed), COMBINED * options.each // SINGLE)
    drawn = [explore.combined(_references[name], seed) for name in names if not _references[name].problems]
    while seconds is not None and drawn:
        for combined in drawn:
            yield next(combined)


def _reference(name: str) -> Verdict:
    if name not in _references:
        _references[name] = execute(scenarios()[name], Plan(name))
    return _references[name]


def _run(plan: Plan) -> Verdict:
    if not plan.faults:
        return _reference(plan.scenario)
    return execute(scenarios()[plan.scenario], plan, _reference(plan.scenario))


def _replay(paths: list[Path], console: Console) -> int:
    failed = 0
    for path in paths:
        verdict = _run(read(path))
        failed += bool(verdict.problems)
        console.print(f"{'[red]failed' if verdict.problems else '[green]good'}[/] {verdict.plan}", highlight=False)
        for problem in verdict.problems:
            console.print(f"  {problem}", highlight=False)
    return 1 if failed else 0


def _show(tally: Counter[tuple[str, str]], console: Console) -> None:
    kinds = sorted({kind for kind, _ in tally})
    table = Table("fault", *kinds)
    for column in table.columns[1:]:
        column.justify = "right"
    for fault in ("none", *map(str, Fault), "two or three", "failed"):
        counts = [tally[kind, fault] for kind in kinds]
        if any(counts) or fault == "failed":
            table.add_row(
                fault, *(str(count) for count in counts), style="red" if fault == "failed" and any(counts) else ""
            )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
