"""A large answer is no part of the heap, where it would leave a hole that what is kept of it grows around."""

from __future__ import annotations

import subprocess
import sys

_ANSWERS = """
import re, sys
from controller.kit.memory import give_back_large_blocks

if sys.argv[1] == "given back":
    assert give_back_large_blocks()
answer = bytes(24_000_000)
del answer
answer = bytes(24_000_000)
begin, end = re.search(r"^([0-9a-f]+)-([0-9a-f]+) .*heap.$", open("/proc/self/maps").read(), re.M).groups()
print(int(begin, 16) <= id(answer) < int(end, 16))
"""


def _second_answer_is_in_the_heap(how: str) -> bool:
    command = [sys.executable, "-c", _ANSWERS, how]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    return {"True": True, "False": False}[said]


def test_a_large_answer_goes_back_to_the_system() -> None:
    assert not _second_answer_is_in_the_heap("given back")


def test_by_itself_the_c_library_makes_the_second_one_a_part_of_the_heap() -> None:
    assert _second_answer_is_in_the_heap("as it is")
