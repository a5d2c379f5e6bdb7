"""`python -m tests.bench`: measure, print a table, write `bench.json`; see `docs/performance.md`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from tests.bench import converge, reaction, repair, resync
from tests.bench.place import place
from tests.bench.report import Measurement, show, write

TABLE_WIDTH = 100
PARTS = ("reaction", "converge", "resync", "repair")


def main() -> int:
    """Run the parts asked for; 0 when they could be measured, whether or not the aims were met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few samples and 200 environments: to see that it works")
    parser.add_argument("--count", type=int, help="environments of converge and resync (2000)")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--output", type=Path, default=Path("bench.json"), help="where the report goes")
    options = parser.parse_args()
    count = options.count or (200 if options.quick else 2000)
    samples, damages, rounds, repeats = (50, 20, 3, 1) if options.quick else (250, 60, 8, 4)
    console = Console(width=TABLE_WIDTH)  # a pipe has no width, and the table must not be cut
    measurements: list[Measurement] = []
    with place() as here:
        for part in options.only or PARTS:
            console.print(f"measuring {part} ...")
            match part:
                case "reaction":
                    measurements += reaction.measure(here, samples)
                case "converge":
                    measurements += converge.measure(here, count, repeats)
                case "resync":
                    measurements += resync.measure(here, count, rounds)
                case "repair":
                    measurements += repair.measure(here, damages)
            write(options.output, measurements)
    show(measurements, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
