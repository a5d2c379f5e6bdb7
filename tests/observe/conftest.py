"""One world with a real controller that has made one environment; the tests here look at it from outside."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.engine import Lab
from deploy.postgres import Server
from tests.collector import Collector, collecting
from tests.e2e.world import Controller, World, world


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tests look at."""

    world: World
    controller: Controller
    environment: str
    service: str
    path: str


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    with collecting() as found:
        yield found


@pytest.fixture(scope="package")
def seen(
    lab: Lab, postgres: Server, http_port: int, collector: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Seen]:
    """A controller that sends spans, and an environment that is Ready."""
    with world(lab, postgres, "seen", tmp_path_factory.mktemp("seen"), http_port=http_port) as here:
        controller = here.controller(**collector.settings).start()
        app = here.app(here.organization("acme"), "hello")
        environment = here.environment(app)
        here.wait_ready(environment)
        slug = here.slug("acme")
        yield Seen(here, controller, environment, here.service("acme-hello-production"), f"{slug}/hello/production")
