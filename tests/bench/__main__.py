"""`python -m tests.bench`: measure, print a table, write `bench.json`; see `docs/performance.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tests.bench import converge, deploy, growth, interface, many, reaction, repair, rolling, sources, start, variables
from tests.bench.harness import place
from tests.bench.report import Measurement, show, write

TABLE_WIDTH = 120
PARTS = ("start", "reaction", "converge", "many", "variables", "repair", "deploy", "rolling", "interface", "sources")


def main() -> int:
    """Run the parts asked for; 0 when they could be measured, whether or not the aims were met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few samples and 200 environments: to see that it works")
    parser.add_argument(
        "--count", type=int, help="environments of converge, many and variables (10000), deploys of rolling (20)"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--growth", action="store_true", help=f"only how the cost grows: {growth.COUNTS} environments")
    parser.add_argument("--output", type=Path, default=Path("bench.json"), help="where the report goes")
    options = parser.parse_args()
    count = options.count or (200 if options.quick else 10_000)
    samples, damages, rounds, repeats, further = (50, 20, 3, 1, 20) if options.quick else (250, 60, 8, 2, 100)
    console = Console(width=TABLE_WIDTH)  # a pipe has no width, and the table must not be cut
    measurements: list[Measurement] = []
    idle: float | None = None
    with place() as here:
        if options.growth:
            growth.measure(here, growth.COUNTS, console, options.output)
            return 0
        for part in options.only or PARTS:
            console.print(f"measuring {part} ...")
            match part:
                case "start":
                    found = start.measure(here, rounds)
                case "reaction":
                    found = reaction.measure(here, samples)
                    idle = found[0].value / 1000
                case "converge":
                    found = converge.measure(here, count, repeats)
                case "many":
                    found = many.measure(here, count, rounds, further, idle)
                case "variables":
                    found = variables.measure(here, count, rounds)
                case "deploy":
                    found = deploy.measure(here, 4 if options.quick else 16)
                case "interface":
                    found = interface.measure(here, *((100, 100, 5) if options.quick else (1000, 500, 60)))
                case "sources":
                    found = sources.measure(here, 50 if options.quick else 1000)
                case "rolling":
                    found = rolling.measure(here, options.count or (3 if options.quick else 20), console)
                case _:
                    found = repair.measure(here, damages)
            measurements += found
            write(options.output, measurements)
    show(measurements, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
