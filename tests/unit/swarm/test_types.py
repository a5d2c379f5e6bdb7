"""The registry of what can exist on a Swarm: complete, in order, and spelled out nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from controller.swarm.types import BY_NAME, TYPES
from controller.swarm.types.base import ObjectType
from controller.swarm.writers import WRITERS
from reconcilers.jobs import Job
from reconcilers.objects import Config, Network, Secret, Service
from tests.sim.settings import tables
from tests.sim.swarm.swarm import SimSwarm

ROOT = Path(__file__).parents[3] / "controller"
SPELLED = re.compile("|".join(f'"{name}"' for name in BY_NAME))
FILTERS = re.compile(r'"service": |"filters": |in error\.message')
"""What the engine calls things in its own questions and answers."""


def test_every_desired_type_is_in_it_and_has_a_writer() -> None:
    desired = {each.object_type for each in (Service, Job, Network, Secret, Config)}
    assert BY_NAME.keys() == WRITERS.keys() == desired


def test_what_is_referred_to_is_made_before_what_refers_to_it() -> None:
    assert [each.name for each in TYPES][-2:] == ["service", "job"]


@pytest.mark.parametrize("type_", TYPES, ids=lambda type_: type_.name)
def test_the_simulated_swarm_has_it(type_: ObjectType) -> None:
    assert type_.name in tables(SimSwarm(nodes=1).store)


def test_no_type_is_spelled_out_elsewhere() -> None:
    homes = {ROOT / "swarm" / "types", ROOT / "swarm" / "writers"}
    command = {ROOT / "cli/commands.py", ROOT / "cli/config.py"}  # `skypanel config` is about variables
    command |= {ROOT / "access/roles.py", ROOT / "actions/variables.py"}  # so are its verb, and its field of documents
    homes |= {ROOT / "registry"}  # it knows no Swarm: a config is an image's there, a service one that gives tokens
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted(ROOT.rglob("*.py"))
        if path.parent not in homes and path not in command
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if SPELLED.search(line) and not FILTERS.search(line)
    ]
    assert found == []
