"""The report of a run: a list of measurements, as a table for people and as ``bench.json`` for programs.

A measurement stands beside its raw floor, taken in the same run on the same machine: the ratio of the two says what the
controller costs, whatever the machine.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the report.

    Args:
        name: what was measured; unique in a report.
        value: the measured figure, in ``unit``; smaller is better.
        unit: ``s``, ``ms``, ``MB`` or ``kB``.
        floor: the same work done raw, in ``unit``; None where there is nothing to compare with.
        aim: the largest ratio that is wanted; without a floor the largest value; None where there is no aim.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    aim: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times the floor."""
        return None if self.floor is None else self.value / self.floor

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without an aim."""
        if self.aim is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.aim

    def document(self) -> dict[str, Any]:
        """The measurement as it is in ``bench.json``: name, value, unit, floor, ratio, aim."""
        return {**asdict(self), "ratio": self.ratio}


def percentile(samples: Sequence[float], share: float) -> float:
    """The nearest-rank percentile: the smallest sample that at least ``share`` (0 to 1) of all do not exceed."""
    if not samples:
        raise ValueError("no samples: a percentile of nothing")
    ordered = sorted(samples)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def write(path: Path, measurements: Sequence[Measurement]) -> None:
    """Write ``bench.json``, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps([m.document() for m in measurements], indent=2) + "\n", encoding="utf-8")
    partial.replace(path)


def show(measurements: Sequence[Measurement], console: Console) -> None:
    """Print the table."""
    table = Table("measured", "value", "floor", "ratio", "aim", "", expand=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:5]:
        column.justify = "right"
    for m in measurements:
        aim = "" if m.aim is None else f"{m.aim:g}x" if m.floor is not None else f"{m.aim:g} {m.unit}"
        verdict = {None: "", True: "[green]met", False: "[red]missed"}[m.met]
        ratio = "" if m.ratio is None else f"{m.ratio:.2f}x"
        table.add_row(m.name, _figure(m.value, m.unit), _figure(m.floor, m.unit), ratio, aim, verdict)
    console.print(table)


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3f} {unit}" if unit == "s" else f"{value:.2f} {unit}"
