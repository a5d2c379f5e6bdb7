"""A kind of an installed package is simulated as ours are: its port, its secret, its parts, with faults everywhere."""

from __future__ import annotations

from pathlib import Path

from tests.docs.blocks import blocks
from tests.example_package import SETTINGS as OF_THE_EXAMPLE
from tests.example_package import install_example
from tests.installed import run

SETTINGS = {**OF_THE_EXAMPLE, "PYTHONHASHSEED": "0"}
"""With the seed, the simulator need not start itself again."""


def test_every_fault_strikes_a_kind_that_a_package_brings(tmp_path: Path) -> None:
    install_example(tmp_path)
    typed = [b.commands() for b in blocks("docs/extending.md", "4. The scenario") if b.language == "sh"]
    assert typed[0][0].split() == ["python", "-m", "tests.sim", "--only", "acme_mail"]
    said = run(
        tmp_path, "-m", "tests.sim", "--only", "acme_mail", "--each", "2", "--keep", str(tmp_path), code=0, **SETTINGS
    )
    assert " 0 failed" in said


def test_who_takes_a_thing_of_another_is_found(tmp_path: Path) -> None:
    install_example(tmp_path)
    taker = (
        "import sys, anyio; from controller.loop.external import Externals; from tests.sim.__main__ import main;"
        "Externals._refuse_another_s = lambda *_: None; Externals._is_ours = lambda *_: True;"
        "Externals._intend = lambda *_: anyio.sleep(0); sys.exit(main())"
    )
    options = ("--only", "acme_mail.two_tenants", "--each", "0", "--jobs", "1", "--keep", str(tmp_path))
    said = run(tmp_path, "-c", taker, *options, code=1, **SETTINGS)
    assert "of postmaster/thing mail.example by mailbox/" in said


def test_a_port_without_an_adapter_in_the_simulator_fails_the_run(tmp_path: Path) -> None:
    install_example(tmp_path)
    scenario = tmp_path / "acme_mail" / "scenario.py"
    scenario.write_text(scenario.read_text().replace("@simulated(Postmaster)\n", ""))
    said = run(tmp_path, "-m", "tests.sim", "--only", "acme_mail", code=1, **SETTINGS)
    assert "nothing stands for port(s) postmaster" in said


def test_a_write_that_is_not_declared_as_one_keeps_the_kind_out(tmp_path: Path) -> None:
    install_example(tmp_path)
    reconciler = tmp_path / "acme_mail" / "reconciler.py"
    undeclared = 'class Postmaster(Things, name="postmaster"):\n    async def ring(self) -> None: ...\n\n'
    reconciler.write_text(reconciler.read_text().replace('class Postmaster(Things, name="postmaster"):\n', undeclared))
    said = run(tmp_path, "-m", "tests.sim", "--only", "acme_mail", code=2, **SETTINGS)
    assert "no scenario begins with acme_mail" in said
