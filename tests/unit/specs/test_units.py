"""CPU, memory and durations: what is read, what is printed, what is refused."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs import units
from specs.problems import RefusedError

cores = st.integers(1, 999_999).map(lambda milli: Decimal(milli) / 1000)
mebibytes = st.integers(units.MEMORY_MINIMUM_MIB, units.MEMORY_MAXIMUM_MIB)
durations = st.integers(0, 24 * 3600 * 1000).map(lambda ms: timedelta(milliseconds=ms))


@given(cores)
def test_printed_cpu_reads_back_as_the_same_amount(amount: Decimal) -> None:
    assert units.parse_cpu(units.format_cpu(amount)) == amount


@given(mebibytes)
def test_printed_memory_reads_back_as_the_same_amount(amount: int) -> None:
    assert units.parse_memory(units.format_memory(amount)) == amount


@given(durations)
def test_a_printed_duration_reads_back_as_the_same_time(duration: timedelta) -> None:
    assert units.parse_duration(units.format_duration(duration)) == duration


@given(st.integers(1, 999_999))
def test_a_number_of_cores_is_taken_as_it_is_written_and_not_as_its_binary_fraction(milli: int) -> None:
    assert units.parse_cpu(milli / 1000) == Decimal(milli) / 1000


@pytest.mark.parametrize(
    ("text", "amount"),
    [("250m", "0.25"), ("0.25", "0.25"), (0.25, "0.25"), (2, "2"), ("2", "2"), ("1500m", "1.5")],
)
def test_cpu_is_cores_or_thousandths(text: Any, amount: str) -> None:
    assert units.parse_cpu(text) == Decimal(amount)


@pytest.mark.parametrize(
    "value",
    ["0", 0, "0m", "0.0001", "1000", "1e3", "-1", "1.", ".5", "1,5", "٣", "", "m", True, None, [1], 1e-9],
)
def test_what_is_no_amount_of_cpu_is_refused(value: Any) -> None:
    with pytest.raises(RefusedError):
        units.parse_cpu(value)


@pytest.mark.parametrize(
    ("text", "amount"), [("64Mi", 64), ("1Gi", 1024), ("1.5Gi", 1536), ("0.5Gi", 512), ("1Ti", 1024 * 1024)]
)
def test_memory_is_a_number_with_a_binary_unit(text: str, amount: int) -> None:
    assert units.parse_memory(text) == amount


@pytest.mark.parametrize("value", ["64", "64M", "64MB", "64mi", "3Mi", "0.3Mi", "-1Gi", "", " 64Mi", None, True])
def test_what_is_no_amount_of_memory_is_refused(value: Any) -> None:
    with pytest.raises(RefusedError):
        units.parse_memory(value)


def test_plain_bytes_are_refused_and_the_message_says_so() -> None:
    with pytest.raises(RefusedError, match="no unit, and plain bytes are not accepted") as refused:
        units.parse_memory(67108864)
    assert "64Mi" in refused.value.hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("10s", 10),
        ("1m30s", 90),
        ("1h", 3600),
        ("500ms", 0.5),
        ("1m500ms", 60.5),
        ("0s", 0),
        ("90s", 90),
        ("24h", 86400),
    ],
)
def test_a_duration_is_a_sum_of_units(text: str, seconds: float) -> None:
    assert units.parse_duration(text).total_seconds() == seconds


@pytest.mark.parametrize("value", ["", "10", "s", "10 s", "30s1m", "1.5s", "-1s", "25h", "1d", 10, 1.5, None, True])
def test_what_is_no_duration_is_refused(value: Any) -> None:
    with pytest.raises(RefusedError):
        units.parse_duration(value)
