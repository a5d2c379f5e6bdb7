"""The parts of the suite leave nothing out, and share nothing."""

from __future__ import annotations

from tests.parts import LONG, TESTS, long_parts, parts


def test_every_folder_with_tests_is_in_one_part() -> None:
    listed = [word for part in parts() for word in part if word.startswith("tests/")]
    assert all(part[-2:] == ["-m", "not long"] for part in parts())
    assert [f"tests/{LONG}"] in long_parts()
    listed.append(f"tests/{LONG}")
    assert sorted(listed) == sorted({f"tests/{p.relative_to(TESTS).parts[0]}" for p in TESTS.rglob("test_*.py")})
    assert "tests/unit" in parts()[-1]


def test_every_folder_with_a_long_test_is_in_a_long_part() -> None:
    marked = {p.relative_to(TESTS).parts[0] for p in TESTS.rglob("test_*.py") if "mark.long" in p.read_text()}
    assert {f"tests/{name}" for name in marked} <= {word for part in long_parts() for word in part}
