"""Every fault as a step of the mix: it is begun here, and ended by ``ChaosHarness.heal``.

A fault gets the chaos and a source of chance; it returns at once, or after the short time that it needs to be one.
"""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable

from tests.chaos.clocks import FalseClock
from tests.chaos.harness import LEASE_SECONDS, ChaosHarness, SupervisedController
from tests.proxies import engine, postgres

Fault = Callable[[ChaosHarness, random.Random], None]

HOUR = 3600
STATEMENTS = {
    "the log is read": "skypanel.change_log",
    "an intent": "INSERT INTO skypanel.inventory ",
    "a status": "INTO skypanel.object_status",
    "a renewal": "SET renewed_at",
}
WRITES = ("/services/create", "/services/.+/update", "^/services/[^/]+$", "/networks/")


def _any(chaos: ChaosHarness, chance: random.Random) -> SupervisedController:
    return chance.choice(chaos.controllers)


def kill_one(chaos: ChaosHarness, chance: random.Random) -> None:
    """SIGKILL."""
    _any(chaos, chance).kill()


def kill_at_a_write(chaos: ChaosHarness, chance: random.Random) -> None:
    """SIGKILL before or after the next writes to the engine."""
    for controller in chaos.controllers:
        controller.engine.add(
            engine.Rule(skip=chance.randrange(5), forward=chance.random() < 0.5, status=-1, then=controller.kill)
        )


def kill_at_a_statement(chaos: ChaosHarness, chance: random.Random) -> None:
    """SIGKILL before or after the next statement of a kind."""
    for controller in chaos.controllers:
        text = chance.choice(list(STATEMENTS.values()))
        controller.database.add(
            postgres.Rule(text, skip=chance.randrange(3), forward=chance.random() < 0.5, then=controller.kill)
        )


def ask_to_go(chaos: ChaosHarness, chance: random.Random) -> None:
    """SIGTERM."""
    controller = _any(chaos, chance)
    if controller.lives:
        controller.signal(signal.SIGTERM)


def sleep_past_the_lease(chaos: ChaosHarness, chance: random.Random) -> None:
    """SIGSTOP until another one leads, and SIGCONT."""
    controller = _any(chaos, chance)
    if controller.lives:
        controller.signal(signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * chance.uniform(0.5, 1.5))
        if controller.lives:
            controller.signal(signal.SIGCONT)


def end_backends(chaos: ChaosHarness, chance: random.Random) -> None:
    """All connections of the controllers, by the database."""
    chaos.world.root(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE usename = 'controller' AND datname = current_database()"
    )


def lose_statements(chaos: ChaosHarness, chance: random.Random) -> None:
    """Some statements are cut before or after they were done."""
    for controller in chaos.controllers:
        for text in STATEMENTS.values():
            controller.database.add(
                postgres.Rule(
                    text, skip=chance.randrange(4), times=chance.randrange(1, 3), forward=chance.random() < 0.5
                )
            )


def silence_the_database(chaos: ChaosHarness, chance: random.Random) -> None:
    """For one of the controllers, without closing anything."""
    _any(chaos, chance).database.black_hole()


def restart_the_database(chaos: ChaosHarness, chance: random.Random) -> None:
    """Stop and start."""
    chaos.world.server.restart()


def lose_writes(chaos: ChaosHarness, chance: random.Random) -> None:
    """Some calls are cut, refused, answered wrongly or late."""
    for controller in chaos.controllers:
        for path in WRITES:
            controller.engine.add(
                engine.Rule(
                    path=path,
                    skip=chance.randrange(4),
                    times=chance.randrange(1, 4),
                    seconds=chance.choice((0.0, 0.0, 0.5)),
                    forward=chance.random() < 0.5,
                    status=chance.choice((-1, 500, 503)),
                )
            )


def give_old_answers(chaos: ChaosHarness, chance: random.Random) -> None:
    """Lists are as they were."""
    for controller in chaos.controllers:
        controller.engine.add(
            engine.Rule(method="GET", path="^/(services|networks)", stale=True, times=chance.randrange(20))
        )


def fail_reads(chaos: ChaosHarness, chance: random.Random) -> None:
    """Some lists fail."""
    for controller in chaos.controllers:
        controller.engine.add(
            engine.Rule(method="GET", path="^/(services|networks|tasks)", times=5, status=500, forward=False)
        )


def silence_events(chaos: ChaosHarness, chance: random.Random) -> None:
    """The streams are frozen, or lose some."""
    for controller in chaos.controllers:
        if chance.random() < 0.5:
            controller.engine.freeze_events()
        else:
            controller.engine.drop_events('"Action":"(remove|update)"')


def cut_the_engine(chaos: ChaosHarness, chance: random.Random) -> None:
    """All connections of one controller; new ones are refused."""
    _any(chaos, chance).engine.cut()


def silence_the_engine(chaos: ChaosHarness, chance: random.Random) -> None:
    """For one controller, without closing anything."""
    _any(chaos, chance).engine.freeze()


def restart_the_engine(chaos: ChaosHarness, chance: random.Random) -> None:
    """SIGKILL and a new start."""
    node = chaos.world.lab.nodes[0].daemon
    node.kill()
    node.start()
    node.wait()


def set_the_clock(clock: FalseClock) -> Fault:
    """An hour ahead, behind, or right again."""

    def jump(_scene: ChaosHarness, chance: random.Random) -> None:
        clock.set(chance.choice((HOUR, -HOUR, 0)))

    return jump


FAULTS: tuple[Fault, ...] = (
    kill_one,
    kill_at_a_write,
    kill_at_a_statement,
    ask_to_go,
    sleep_past_the_lease,
    end_backends,
    lose_statements,
    silence_the_database,
    restart_the_database,
    lose_writes,
    give_old_answers,
    fail_reads,
    silence_events,
    cut_the_engine,
    silence_the_engine,
    restart_the_engine,
)
