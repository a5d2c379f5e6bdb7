"""The tutorial shows the example as it is, and its four files are all that there is of it."""

from __future__ import annotations

import re
import subprocess

from tests.example_package import files
from tests.installed import ROOT

BLOCK = re.compile(r"^```\w+ title=\"(?P<path>acme_mail/[^\"]+)\"\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_tutorial_shows_the_files_of_the_example() -> None:
    shown = {m["path"]: m["text"] for m in BLOCK.finditer((ROOT / "docs" / "extending.md").read_text())}
    assert shown == files()


def test_a_kind_is_four_files() -> None:
    assert sorted(files()) == [
        "acme_mail/migrations/0001_mailboxes.sql",
        "acme_mail/model.py",
        "acme_mail/reconciler.py",
        "acme_mail/scenario.py",
    ]


def test_nothing_that_runs_names_the_example() -> None:
    listed = subprocess.run(
        [
            "git",
            "grep",
            "-ilE",
            "acme_mail|mailbox|postmaster",
            "--",
            "controller",
            "reconcilers",
            "specs",
            "migrations",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert listed.stdout == ""
