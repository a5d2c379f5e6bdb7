"""The parts of the suite leave nothing out, and share nothing."""

from __future__ import annotations

from pathlib import Path

from tests.parts import ELSEWHERE, LONG, TESTS, WHOLE, long_parts, parts


def test_every_test_is_in_one_part() -> None:
    listed = [word for part in parts() for word in part if word.startswith("tests/")]
    assert all(part[-2:] == ["-m", "not long"] for part in parts())
    assert all([f"tests/{name}"] in long_parts() for name in LONG)
    files = sorted(f"tests/{p.relative_to(TESTS)}" for p in (TESTS / WHOLE).rglob("test_*.py"))
    assert sorted(word for word in listed if word.startswith(f"tests/{WHOLE}/")) == files
    folders = {f"tests/{p.relative_to(TESTS).parts[0]}" for p in TESTS.rglob("test_*.py")}
    moved = [str(p.relative_to(TESTS.parent)) for what, _ in ELSEWHERE for p in TESTS.parent.glob(what)]
    for what, number in ELSEWHERE:
        ignoring = [part for part in parts() if f"--ignore-glob={TESTS.parent / what}" in part]
        assert [str(Path(what).parent) in part for part in ignoring] == [True]
        assert {str(p.relative_to(TESTS.parent)) for p in TESTS.parent.glob(what)} <= {*parts()[number]}
    assert [listed.count(word) for word in moved] == [1] * len(moved)
    others = [word for word in listed if word not in (*files, *moved)]
    assert sorted([*others, *(f"tests/{name}" for name in LONG), f"tests/{WHOLE}"]) == sorted(folders)
    assert "tests/unit" in parts()[-1]


def test_every_folder_with_a_long_test_is_in_a_long_part() -> None:
    marked = {p.relative_to(TESTS).parts[0] for p in TESTS.rglob("test_*.py") if "mark.long" in p.read_text()}
    assert {f"tests/{name}" for name in marked} <= {word for part in long_parts() for word in part}
