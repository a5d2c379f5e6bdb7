"""docs/client.md as it is typed, against `skypanel api` itself: each task as a command, and with curl."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.docs.session import PRELUDE, bare
from tests.store.api.test_page import served

__all__ = ["served"]
PAGE = "docs/client.md"
_DONE_BEFORE = "cat answer; ! grep -q '\"/problems/' answer || grep -E '/problems/(not-found|conflict)' answer"
"""What the command has done already, cannot be done once more: a deletion, and what takes it back."""
CODES = {"skypanel plan": "2", "skypanel watch": "124", "skypanel events acme/shop -f": "124"}
"""Commands that end otherwise: something would change; they go on until they are stopped."""


def tasks() -> list[tuple[str, str, str]]:
    text = (ROOT / PAGE).read_text().partition("## Each task")[2].partition("\n## ")[0]
    found = re.findall(r"^\| ([^|]+) \| `([^`]+)` \| `([^`]+)` \|$", text, re.MULTILINE)
    assert len(found) > 20
    return [(task, command, curl) for task, command, curl in found]


@pytest.mark.long
def test_each_task_is_done_by_its_command_and_by_its_curl(served: dict[str, str], tmp_path: Path) -> None:
    lines = [command for heading in ("Log in", "Each task, as a command and with curl") for block in
             blocks(PAGE, heading) for command in block.commands()]  # fmt: skip
    said = [(line, "0") for line in lines]
    for _, command, curl in tasks():
        code = next((code for begin, code in CODES.items() if command.startswith(begin)), "0")
        slow = (
            command.replace("skypanel ", f"timeout 3 {sys.executable} -m controller ", 1) if code == "124" else command
        )
        said += [
            (slow, code),
            (f"{curl} >answer", "0"),
            (_DONE_BEFORE, "0"),
        ]
    script = [PRELUDE, f"export XDG_CONFIG_HOME={tmp_path} API={served['API']} TOKEN={served['TOKEN']}\n"]
    script += [f"{line}\nprintf '\\036%s\\036' $?\n" for line, _ in said]
    done = subprocess.run(
        ["bash", "-c", "".join(script)], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False, env=bare() | {"PYTHONPATH": str(ROOT)}, timeout=200,
    )  # fmt: skip
    parts = done.stdout.split("\036")
    for (line, code), printed, ended in zip(said, parts[0::2], parts[1::2], strict=False):
        assert ended == code, f"{line}: ended with {ended}:\n{printed}"
    assert len(parts) == 2 * len(said) + 1, parts[-1]
    assert served["TOKEN"] not in done.stdout


def test_the_program_of_the_page_does_what_it_says(served: dict[str, str], tmp_path: Path) -> None:
    (block,) = [each for each in blocks(PAGE, "From Python") if each.language == "python"]
    (tmp_path / "restart.py").write_text(block.text)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "restart.py")], capture_output=True, text=True, check=False,
        env={"API": served["API"], "TOKEN": served["TOKEN"], "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "production" in done.stdout
    assert "controller" in done.stdout
    typed = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(tmp_path / "restart.py")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert typed.returncode == 0, typed.stdout
