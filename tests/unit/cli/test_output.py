"""Tables as they are shown."""

from __future__ import annotations

import io
import sys
from dataclasses import replace

import pytest

from controller.actions.swarm_view import Task
from controller.cli import main
from controller.cli.describe import telling
from controller.cli.output import aligned

COLUMNS = ("ENVIRONMENT", "READY", "IMAGE", "AGE")
ROWS = [
    ("acme/shop/production", "True", "registry.example.com/team/shop/web:2024-11-26-4f2a", "5m"),
    ("nordwind/jobs/staging", "False", "web:1", "12s"),
]


@pytest.mark.parametrize("width", [80, 120, 200])
def test_a_table_fits_the_terminal_and_names_and_states_are_whole(width: int) -> None:
    lines = aligned(COLUMNS, ROWS, width=width, cut=("IMAGE",)).splitlines()
    assert len(lines) == 3
    assert max(map(len, lines)) <= width
    assert "acme/shop/production" in lines[1]
    assert "2024-11-26-4f2a" in lines[1]
    assert ("…" in lines[1]) == (width == 80)


def test_what_may_not_be_cut_runs_over() -> None:
    lines = aligned(("NAME", "READY"), [("x" * 100, "True")], width=80).splitlines()
    assert lines[1] == "x" * 100 + "   True"


def test_a_pipe_gets_everything() -> None:
    assert ROWS[0][2] in aligned(COLUMNS, ROWS, width=None, cut=("IMAGE",))


def test_text_keeps_its_beginning() -> None:
    rows = [("web", "the image could not be pulled from the registry at all, says the engine")]
    (_, line) = aligned(("TASK", "MESSAGE"), rows, width=40, cut=("MESSAGE",)).splitlines()
    assert line.startswith("web    the image could not")
    assert line.endswith("…")
    assert len(line) <= 40


def task(slot: str, desired: str, since: str, node: str = "n1") -> Task:
    return Task("web", slot, node, desired, "running" if desired == "running" else "failed", since, "web:1", "")


def test_of_the_tasks_of_a_slot_only_the_newest_that_ended_is_shown() -> None:
    tasks = [task("1", "running", "5"), *(task("1", "shutdown", since) for since in "432"), task("2", "shutdown", "1")]
    assert [(t.slot, t.since) for t in telling(tasks)] == [("1", "5"), ("1", "4"), ("2", "1")]
    failed = replace(task("1", "shutdown", "3"), error="No such image")
    assert telling([*tasks[:2], failed, *tasks[2:]]) == [tasks[0], failed, tasks[-1]], "one that tells why"


def test_who_reads_through_a_pipe_sees_each_line_when_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    read = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(read))
    main(["version"])
    assert read.getvalue()
