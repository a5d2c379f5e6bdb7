"""The two halves of the suite leave nothing out, and share nothing."""

from __future__ import annotations

from tests.halves import TESTS, halves


def test_every_folder_with_tests_is_in_one_half() -> None:
    first, second = halves()
    assert sorted(first + second) == sorted(
        {f"tests/{p.relative_to(TESTS).parts[0]}" for p in TESTS.rglob("test_*.py")}
    )
    assert not set(first) & set(second)
    assert "tests/e2e" in first
    assert "tests/unit" in second
