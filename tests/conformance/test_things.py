"""Ports that have things: the adapter of the simulator and a real one answer the same to the same calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.things import conform
from tests.example_package import SETTINGS, Postmaster, install_example
from tests.installed import run
from tests.sim.ports import SimThings


@pytest.mark.anyio
async def test_the_simulated_adapter_conforms() -> None:
    await conform(SimThings())


def test_the_real_adapter_of_the_example_conforms(tmp_path: Path) -> None:
    install_example(tmp_path)
    adapter = ("-m", "tests.conformance.things", "acme_mail.reconciler:HttpPostmaster")
    with Postmaster() as server:
        run(tmp_path, *adapter, code=0, ACME_POSTMASTER_URL=server.url, **SETTINGS)
        assert server.accounts == {}
