"""The report of a benchmark: what programs read in ``bench.json`` and people in the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from tests.bench.report import Measurement, percentile, show, write

WITH_FLOOR = Measurement("converge", 6.0, "s", floor=2.0, aim=3.0)
WITHOUT_FLOOR = Measurement("repair", 301.0, "ms", aim=300.0)
BARE = Measurement("start", 1.0, "s")


def test_the_report_is_a_list_of_documents_with_the_same_six_fields(tmp_path: Path) -> None:
    path = tmp_path / "bench.json"
    write(path, [WITH_FLOOR, WITHOUT_FLOOR, BARE])
    assert json.loads(path.read_text()) == [
        {"name": "converge", "value": 6.0, "unit": "s", "floor": 2.0, "ratio": 3.0, "aim": 3.0},
        {"name": "repair", "value": 301.0, "unit": "ms", "floor": None, "ratio": None, "aim": 300.0},
        {"name": "start", "value": 1.0, "unit": "s", "floor": None, "ratio": None, "aim": None},
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["bench.json"]


def test_an_aim_is_a_ratio_when_there_is_a_floor_and_a_value_when_there_is_none() -> None:
    assert WITH_FLOOR.met is True
    assert WITHOUT_FLOOR.met is False
    assert BARE.met is None


def test_the_table_names_every_measurement_and_says_which_aim_was_missed() -> None:
    console = Console(record=True, width=120)
    with console.capture() as captured:
        show([WITH_FLOOR, WITHOUT_FLOOR, BARE], console)
    text = captured.get()
    assert all(m.name in text for m in (WITH_FLOOR, WITHOUT_FLOOR, BARE))
    assert "3.00x" in text
    assert "missed" in text


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1.0, 100), (0.0, 1)])
def test_a_percentile_is_one_of_the_samples(share: float, expected: int) -> None:
    assert percentile(list(range(100, 0, -1)), share) == expected


def test_a_percentile_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)
