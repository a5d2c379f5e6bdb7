"""How the cost grows with the number of environments: one line of a table for each number."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench.converge import cold_start
from tests.bench.harness import BenchHarness
from tests.bench.many import figures
from tests.bench.report import Measurement, percentile, write

COUNTS = (100, 1_000, 10_000, 30_000)
_ROUNDS, _SAMPLES = 4, 30
_COLUMNS = (
    ("cold converge", "s"),
    ("sent raw", "s"),
    ("start", "s"),
    ("resync", "s"),
    ("raw list", "s"),
    ("longest pause", "ms"),
    ("one change, p50", "ms"),
    ("memory", "MB"),
)


def measure(place: BenchHarness, counts: tuple[int, ...], console: Console, output: Path) -> None:
    """Measure at each of ``counts``, print the table and write the report, each time a line more."""
    table = Table("environments", *(f"{name}, {unit}" for name, unit in _COLUMNS))
    found: list[Measurement] = []
    for count in counts:
        console.print(f"measuring {count} ...")
        raw, cold = cold_start(place, count)
        many = figures(place, count, _ROUNDS, _SAMPLES)
        row = (
            cold.converged,
            raw,
            many.started,
            many.resync,
            many.listed,
            many.pause * 1000,
            percentile(many.one, 0.5) * 1000,
            many.memory / 1e6,
        )
        table.add_row(f"{count}", *(f"{value:.2f}" if value < 10 else f"{value:.1f}" for value in row))
        found += [
            Measurement(f"{name} of {count}", value, unit) for (name, unit), value in zip(_COLUMNS, row, strict=True)
        ]
        console.print(table)
        write(output, found)
