"""The controller killed, the database and the engine restarted or cut off: it recovers by itself and loses nothing."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy import engine
from tests.e2e.world import World, eventually
from tests.proxies.relay import Relay

pytestmark = pytest.mark.long


def rows(world: World, count: int) -> list[str]:
    app = world.app(world.organization("acme"), "shop")
    return [world.environment(app, f"e{number}", instances=0) for number in range(count)]


def assert_all_converged(world: World, environments: list[str], *, seconds: float = 60.0) -> None:
    for environment in environments:
        world.wait_ready(environment, seconds=seconds)
    names = [world.service(f"acme-shop-e{number}") for number in range(len(environments))]
    assert sorted(name for name in world.services() if not name.startswith("pin_")) == sorted(names)
    owners = [s["Spec"]["Labels"]["io.skypanel.owner"] for s in world.services().values()]
    assert len(owners) == len(set(owners)), "an object has two services"
    inventory = world.root("SELECT name, state, engine_id FROM skypanel.inventory WHERE object_type = 'service'")
    assert {row["name"] for row in inventory} == set(world.services())
    assert all(row["engine_id"] for row in inventory)


def has_services(world: World, count: int) -> bool:
    return len(world.services()) >= count


def test_a_controller_that_is_killed_again_and_again_converges_nothing_twice(here: World) -> None:
    environments = rows(here, 50)
    for services in itertools.chain((1, 5, 12, 25), (40, 49)):
        controller = here.controller().start(ready=False)
        eventually(partial(has_services, here, services), what=f"{services} services are made")
        controller.kill()
    created = {name: s["CreatedAt"] for name, s in here.services().items()}
    here.controller().start()
    assert_all_converged(here, environments)
    now = {name: s["CreatedAt"] for name, s in here.services().items()}
    assert {name: now[name] for name in created} == created, "a service was made twice"


def test_a_change_while_no_controller_runs_is_found_at_its_start(here: World) -> None:
    (environment,) = rows(here, 1)
    here.controller().start()
    here.wait_ready(environment)
    here.controllers[0].kill()
    here.sql("UPDATE paas_environments SET instances = 1 WHERE id = %s", environment)
    here.controller().start()
    here.wait_ready(environment)


def test_a_database_that_cannot_be_written_to_for_a_while_costs_nothing_but_the_time(here: World) -> None:
    """As an ordinary fail-over behind one name looks."""
    controller = here.controller().start()
    (environment,) = rows(here, 1)
    here.wait_ready(environment)
    sessions = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'controller' AND datname = %s"
    here.root(f"ALTER ROLE controller IN DATABASE {here.database} SET default_transaction_read_only = on")
    here.root(sessions, here.database)
    eventually(lambda: "lease.lost" in controller.text(), what="it leads no more")
    other = here.environment(here.sql("SELECT app_id FROM paas_environments")[0]["app_id"], "other", instances=0)
    here.root(f"ALTER ROLE controller IN DATABASE {here.database} RESET default_transaction_read_only")
    here.wait_ready(other)
    eventually(controller.is_ready, what="the same process leads again, and has listed everything")


def test_sigterm_ends_quickly_and_gives_the_lease_back(here: World) -> None:
    first, second = here.controller(SKYPANEL_LEASE_SECONDS="30").start(), here.controller(SKYPANEL_LEASE_SECONDS="30")
    second.start(ready=False)
    eventually(lambda: '"standby"' in second.fetch("/readyz"), what="the second one stands by")
    assert first.terminate(seconds=5) == 0
    eventually(lambda: '"leader"' in second.fetch("/readyz"), seconds=5, what="the second one leads")


def test_a_restarted_database_costs_nothing_but_the_time(here: World) -> None:
    controller = here.controller().start()
    environments = rows(here, 5)
    assert_all_converged(here, environments)
    here.server.restart()
    here.sql("UPDATE paas_environments SET stop_grace_seconds = 7")
    assert_all_converged(here, environments)
    eventually(lambda: controller.metric("skypanel_database_up") == 1, what="the metric says it is back")
    assert "hints.lost" in controller.text()


def test_a_restarted_engine_costs_nothing_but_the_time(here: World) -> None:
    controller = here.controller().start()
    environments = rows(here, 5)
    assert_all_converged(here, environments)
    node = here.lab.nodes[0].daemon
    node.stop()
    here.sql("UPDATE paas_environments SET stop_grace_seconds = 7")
    eventually(lambda: controller.metric("skypanel_engine_up") == 0, what="the metric says the engine is away")
    node.start()
    node.wait()
    assert_all_converged(here, environments, seconds=90)
    eventually(lambda: controller.metric("skypanel_engine_up") == 1, what="the metric says it is back")
    eventually(lambda: here.network() in here.edge_networks(), seconds=60, what="the edge is on the network again")


@pytest.fixture
def relays(here: World, tmp_path: Path) -> Iterator[tuple[Relay, Relay]]:
    """The controller's ways to the database and to the engine, through a relay each."""
    folder = Path(f"/tmp/sky-{os.getpid()}-{here.name}")
    folder.mkdir(mode=0o755)
    here.root("SELECT 1")
    socket = Path(here.root("SHOW unix_socket_directories")[0]["unix_socket_directories"]) / ".s.PGSQL.5432"
    database = Relay(folder / ".s.PGSQL.5432", socket).start()
    engine = Relay(folder / "docker.sock", here.lab.socket).start()
    here.database_folder = str(folder)
    here.engine_host = f"unix://{folder}/docker.sock"
    yield database, engine
    for controller in here.controllers:
        controller.kill()
    database.stop()
    engine.stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("which", [0, 1], ids=["database", "engine"])
def test_a_cut_connection_is_made_again_and_nothing_is_lost(
    here: World, relays: tuple[Relay, Relay], which: int
) -> None:
    controller = here.controller(SKYPANEL_RESYNC_SECONDS="5").start()
    environments = rows(here, 5)
    assert_all_converged(here, environments)
    relays[which].cut()
    here.sql("UPDATE paas_environments SET stop_grace_seconds = 7")
    here.engine.delete(f"/services/{here.service('acme-shop-e0')}")
    eventually(lambda: "lost" in controller.text(), what="the log says so")
    relays[which].heal()
    assert_all_converged(here, environments)


def test_a_network_that_drops_everything_is_noticed_and_survived(here: World, relays: tuple[Relay, Relay]) -> None:
    here.controller(SKYPANEL_RESYNC_SECONDS="5").start()
    environments = rows(here, 3)
    assert_all_converged(here, environments)
    relays[0].freeze()
    here.sql("UPDATE paas_environments SET stop_grace_seconds = 7")
    eventually(lambda: "lease.lost" in here.controllers[0].text(), seconds=60, what="it stops to believe that it leads")
    relays[0].cut()
    relays[0].heal()
    assert_all_converged(here, environments)


def test_an_engine_that_is_too_old_is_refused_with_what_to_install(here: World) -> None:
    engine.down("old")
    old = engine.up("old", suite="bookworm")
    try:
        controller = here.controller(DOCKER_HOST=old.docker_host).start(ready=False)
        assert controller.process is not None
        assert controller.process.wait(20) != 0
        text = controller.text()
        assert "1.44" in text
        assert "Install" in text
        assert "Traceback" not in text
        assert old.api().get("/services") == []
    finally:
        engine.down("old")


def test_a_leader_that_hears_nothing_from_the_database_stops_within_its_lease(
    here: World, relays: tuple[Relay, Relay]
) -> None:
    controller = here.controller(SKYPANEL_LEASE_SECONDS="4").start()
    relays[0].freeze()
    frozen = time.monotonic()
    eventually(lambda: "lease.lost" in controller.text(), seconds=15, what="it stops to believe that it leads")
    assert time.monotonic() - frozen < 4.5
    relays[0].heal()
