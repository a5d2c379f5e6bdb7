"""What is said of files as beginners write them, word by word; the cases are in ``wrong_files.txt``."""

from __future__ import annotations

from pathlib import Path

import pytest

from specs.loader import SpecFilesError, load

CASES = [
    case.partition("\n")
    for case in Path(__file__).with_name("wrong_files.txt").read_text(encoding="utf-8").split("\n=== ")[1:]
]


@pytest.mark.parametrize(("text", "name"), [(rest, name) for name, _, rest in CASES], ids=[name for name, *_ in CASES])
def test_a_wrong_file_is_answered_with_place_reason_and_mend(text: str, name: str, tmp_path: Path) -> None:
    written, _, said = text.partition("--- said\n")
    file = tmp_path / f"{name}.yaml"
    file.write_text(written, encoding="utf-8")
    with pytest.raises(SpecFilesError) as refused:
        load([file])
    assert str(refused.value).replace(f"{file}:", "") == said.rstrip("\n")


def test_there_are_enough_of_them() -> None:
    assert len(CASES) >= 60
