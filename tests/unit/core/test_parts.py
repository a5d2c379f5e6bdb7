"""The parts of the suite leave nothing out, and share nothing."""

from __future__ import annotations

from tests.parts import TESTS, parts


def test_every_folder_with_tests_is_in_one_part() -> None:
    listed = [folder for part in parts() for folder in part]
    assert sorted(listed) == sorted({f"tests/{p.relative_to(TESTS).parts[0]}" for p in TESTS.rglob("test_*.py")})
    assert "tests/unit" in parts()[-1]
