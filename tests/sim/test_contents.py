"""Secrets and configs through everything: planned, written, rotated, held as long as needed and removed, with faults.

Config vars are secrets (``scenarios/config.py``). Here each service is given, beside them, another secret and a config
that change with its image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from reconcilers import environment, labels
from reconcilers.environment import service
from reconcilers.objects import Config, HomeNetwork, Objects, Secret, Service
from reconcilers.ports import Options
from specs.snapshots import EnvironmentSnapshot
from tests.sim import explore
from tests.sim.faults import Plan
from tests.sim.run import Verdict, execute
from tests.sim.scenario import scenarios
from tests.sim.world import MARKER

KEY = b"of this installation"
ABOUT, OTHERS = 5, 2
"""So many faults are tried at steps about contents, and at others, a scenario."""
render = service.render


def with_contents(snapshot: EnvironmentSnapshot, options: Options, network: HomeNetwork) -> Objects:
    objects = render(snapshot, options, network)
    owner = labels.owned(options.installation, "environment", str(snapshot.id), str(snapshot.organization.id))
    image, name = (snapshot.image_ref or "").encode(), snapshot.swarm_name
    secret = Secret.named(f"{name}-token", MARKER.encode() + image, key=KEY, labels=owner)
    config = Config.named(f"{name}-settings", b"for " + image, key=KEY, labels=owner)
    services = [referring(each, secret, config) for each in objects.services]
    return Objects((*services, config, secret))


def referring(made: Service, secret: Secret, config: Config) -> Service:
    container: dict[str, Any] = {
        **made.spec["TaskTemplate"]["ContainerSpec"],
        "Secrets": [secret.file("token")],
        "Configs": [config.file("/etc/settings", mode=0o444)],
    }
    return Service.seal({**made.spec, "TaskTemplate": {**made.spec["TaskTemplate"], "ContainerSpec": container}})


@pytest.fixture(autouse=True)
def contents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "render", with_contents)


NAMES = [
    "environment.comes_scales_and_goes",
    "environment.goes_back_when_the_new_image_does_not_start",
    "environment.is_renamed",
    "environment.is_repaired",
]


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NAMES)
def test_contents_keep_every_promise_with_and_without_faults(name: str) -> None:
    scenario = scenarios()[name]
    reference = execute(scenario, Plan(name))
    assert reference.problems == ()
    assert any("secret" in action for action, _ in reference.counts), "it has contents"
    for plan in faulty(reference):
        assert execute(scenario, plan, reference).problems == (), plan


def faulty(reference: Verdict) -> Iterator[Plan]:
    plans = list(explore.singles(reference))
    about = [plan for plan in plans if any(word in plan.faults[0][0].name for word in ("secret", "config"))]
    yield from explore.drawn(about, ABOUT, 0)
    yield from explore.drawn(plans, OTHERS, 0)
