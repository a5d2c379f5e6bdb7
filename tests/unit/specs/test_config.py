"""Names and values of config vars: every byte but NUL, and as much as a program can be started with."""

from __future__ import annotations

import pytest

from specs.config import ALL_BYTES, VARIABLE_BYTES, VARIABLES, check_all, check_name, check_value
from specs.problems import RefusedError


@pytest.mark.parametrize("name", ["A", "_", "a1", "SKYPANEL", "port", "a" * 255])
def test_a_name_that_a_program_can_have(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "É", "A\n", "a" * 256, "PORT", "SKYPANEL_APP", "A=B"])
def test_a_name_that_is_none_or_the_platforms(name: str) -> None:
    with pytest.raises(RefusedError):
        check_name(name)


def test_the_port_is_said_where_ports_are() -> None:
    with pytest.raises(RefusedError) as refused:
        check_name("PORT")
    assert "the port of the process" in refused.value.hint


@pytest.mark.parametrize("value", [b"", bytes(range(1, 256)), b"a\nb", b"$HOME", b"'\"", b"x" * (VARIABLE_BYTES - 3)])
def test_any_byte_but_nul_up_to_what_linux_takes(value: bytes) -> None:
    assert check_value("A", value) == value


@pytest.mark.parametrize("value", [b"planted\0", b"planted" + b"x" * VARIABLE_BYTES])
def test_what_no_program_can_be_given_is_refused_without_the_value(value: bytes) -> None:
    with pytest.raises(RefusedError) as refused:
        check_value("A", value)
    assert "planted" not in f"{refused.value} {refused.value.hint}"


def test_all_together_fit_and_the_largest_are_named() -> None:
    quarter = b"x" * (ALL_BYTES // 4 - 3)
    check_all({"A": quarter, "B": quarter, "C": quarter, "D": quarter})
    with pytest.raises(RefusedError, match=r"the largest: B \(\d+\), A"):
        check_all({"A": quarter, "B": quarter + b"x", "C": quarter, "D": quarter})
    check_all({f"A{n}": b"" for n in range(VARIABLES)})
    with pytest.raises(RefusedError, match="1001 variables"):
        check_all({f"A{n}": b"" for n in range(VARIABLES + 1)})
