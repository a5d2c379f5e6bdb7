"""Every loop of the process outlives what nobody foresaw, and none is started that could not."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from controller.loop import loops
from controller.loop.config import LoopConfig
from controller.loop.election import Candidate
from controller.loop.loops import forever
from controller.loop.outside import Outside
from controller.records import Key
from controller.telemetry.metrics import LOOPS
from reconcilers.outcomes import Done, Outcome, TransientError
from reconcilers.ports import Context, Options
from tests.unit.loop.parts import Nothing, Table, manager, thing

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
ENDS_BY_ITSELF = {  # what is started and is no loop: it ends with what it does, and who started it waits for that
    "_first": "one event",
    "self._take": "one key",
    "manager.run": "its own loops, each on its own",
    "stop": "one event",
    "read": "one call to the engine",
    "self._client.follow": "within engine_hints, which begins both anew",
    "self._refresh_pending": "within engine_hints, which begins both anew",
    "self._watch_routers": "within engine_hints, which begins it anew",
    "self._until_gone": "until its reader is gone",
    "self._follow": "within api_issuers, which begins it anew",
    "self._tend": "within api_streams, which begins it anew",
    "self._one": "one status of a commit, within its time",
    "self._end": "ends with the process that it ends",
}


def failures(loop: str) -> float:
    return REGISTRY.get_sample_value("skypanel_loop_failures_total", {"loop": loop}) or 0.0


@contextmanager
def quick() -> Iterator[None]:
    """No time between two tries, and nothing printed: a traceback reads files."""
    with pytest.MonkeyPatch.context() as patch, capture_logs():
        patch.setattr(loops, "FIRST_SECONDS", 0.0)
        yield


async def test_a_loop_that_fails_is_counted_and_begun_anew_until_it_returns() -> None:
    before, begun = failures("tasks"), 0

    async def loop(step: int) -> None:
        nonlocal begun
        begun += step
        if begun < 6:
            raise ZeroDivisionError

    with quick():
        await forever("tasks", loop, 2)
    assert (begun, failures("tasks") - before) == (6, 2)


async def test_what_fails_in_many_tasks_at_once_is_survived_too() -> None:
    begun = 0

    async def fail() -> None:
        raise KeyError("x")

    async def loop() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(fail)
                tasks.start_soon(fail)

    with quick():
        await forever("tasks", loop)
    assert begun == 2


async def test_a_cancelled_loop_ends_also_between_two_tries() -> None:
    async def loop() -> None:
        raise ZeroDivisionError

    with capture_logs(), anyio.move_on_after(0.02) as scope:
        await forever("tasks", loop)
    assert scope.cancelled_caught


async def test_the_times_between_tries_grow_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def loop() -> None:
        if len(slept) < 12:
            raise ZeroDivisionError

    monkeypatch.setattr(anyio, "sleep", sleep)
    with capture_logs():
        await forever("tasks", loop)
    longest = [min(loops.LONGEST_SECONDS, loops.FIRST_SECONDS * 2**n) for n in range(12)]
    assert all(most / 2 <= seconds <= most for seconds, most in zip(slept, longest, strict=True))


def test_whatever_is_started_is_a_loop_with_a_name_or_ends_by_itself() -> None:
    """A new loop cannot be forgotten: it goes through ``forever``, or it is listed above with a reason."""
    named, bare = set[str](), set[str]()
    for file in sorted((ROOT / "controller").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            function = ast.unparse(call.func)
            first = ast.unparse(call.args[0]) if call.args else ""
            if function == "forever" and isinstance(call.args[0], ast.Constant):
                named.add(str(call.args[0].value))
            elif function.endswith((".start_soon", ".start", "create_task", "ensure_future")) and first == "forever":
                assert isinstance(call.args[1], ast.Constant), f"{file}: a loop's name is written out"
                named.add(str(call.args[1].value))
            elif function.endswith((".start_soon", "create_task", "ensure_future")):
                bare.add(first)
    assert named | {"engine_events"} == set(LOOPS), "a thread's loop, or one that is not in LOOPS"
    assert bare == ENDS_BY_ITSELF.keys()


# -- each loop of a leader -------------------------------------------------------------------------------------------


def once(fails: list[str], name: str, real: Any) -> Callable[..., Any]:
    """``real``, that fails the first time as nobody foresaw."""

    async def call(*arguments: Any, **options: Any) -> Any:
        if name not in fails:
            fails.append(name)
            raise ZeroDivisionError(name)
        return await real(*arguments, **options)

    return call


@pytest.mark.parametrize(
    ("part", "method", "loop"),
    [
        ("store", "consume", "changes"),
        ("store", "index", "first_comparison"),
        ("store", "leftovers", "first_comparison"),
        ("store", "pauses", "pauses"),
        ("swarm", "short_of_tasks", "tasks"),
        ("swarm", "refresh_all", "first_comparison"),
    ],
)
async def test_a_defect_in_one_loop_of_a_leader_stops_neither_it_nor_the_others(
    part: str, method: str, loop: str
) -> None:
    store, swarm, done = Table(), Nothing(), anyio.Event()
    broken = store if part == "store" else swarm
    fails: list[str] = []
    setattr(broken, method, once(fails, method, getattr(broken, method)))

    async def body(_: Context, __: Any) -> Outcome:
        done.set()
        return Done()

    before = failures(loop)
    started = manager(store, swarm, thing(body, concurrency=1), task_poll_seconds=0.001)
    with quick(), anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(started.run)
            while failures(loop) == before or not started.synced:  # noqa: ASYNC110 - neither has an event
                await anyio.sleep(0.001)
            store.declare(Key("thing", "a"), "acme")
            started.changed.ring()
            await done.wait()
            tasks.cancel_scope.cancel()
    assert fails == [method]


class Fickle:
    """A lease whose every question first fails as nobody foresaw."""

    name, seconds, epoch = "test", 0.3, 1
    trusted, trusted_seconds = True, 60.0

    def __init__(self) -> None:
        self.asked: list[str] = []

    def _ask(self, name: str) -> bool:
        self.asked.append(name)
        if self.asked.count(name) == 1:
            raise ZeroDivisionError(name)
        return True

    async def acquire(self, silent: float | None = None) -> bool:
        return self._ask("acquire")

    async def renew(self, silent: float | None = None) -> bool:
        return self._ask("renew")

    async def release(self) -> None:
        self._ask("release")


async def test_a_process_outlives_defects_in_its_election_its_renewals_and_its_hints() -> None:
    stopping, lease, swarm, listened = anyio.Event(), Fickle(), Nothing(), 0
    fails: list[str] = []
    setattr(swarm, "hints", once(fails, "hints", swarm.hints))  # noqa: B010 - a method is replaced

    async def listen(*_: Any) -> None:
        nonlocal listened
        listened += 1
        if listened == 1:
            raise ZeroDivisionError
        await anyio.sleep_forever()

    async def body(_: Context, __: Any) -> Outcome:
        return Done()

    kind = thing(body, concurrency=1)
    process = Candidate(
        {kind.kind: kind},
        lease=lease,
        outside=Outside(Table(), swarm),
        listen=listen,
        options=Options("test"),
        tuning=LoopConfig(),
        stopping=stopping,
    )
    with quick(), anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.run)
            while lease.asked.count("renew") < 3 or listened < 2 or not fails:  # noqa: ASYNC110 - none has an event
                await anyio.sleep(0.001)
            assert process.manager is not None, "it leads on, whatever its first renewal met"
            stopping.set()
    assert lease.asked.count("acquire") == 2, "the election went on"


async def test_a_process_waits_for_a_database_that_it_cannot_lead_on_and_says_so_once() -> None:
    stopping, asked = anyio.Event(), 0
    lease = Fickle()
    lease.asked = ["acquire", "renew", "release"]

    async def fit() -> None:
        nonlocal asked
        asked += 1
        if asked < 4:
            raise TransientError("SchemaTooNew", "install a newer version")

    async def body(_: Context, __: Any) -> Outcome:
        return Done()

    async def listen(*_: Any) -> None:
        await anyio.sleep_forever()

    kind = thing(body, concurrency=1)
    process = Candidate(
        {kind.kind: kind},
        lease=lease,
        outside=Outside(Table(), Nothing()),
        listen=listen,
        options=Options("test"),
        tuning=LoopConfig(),
        stopping=stopping,
        fit=fit,
    )
    with capture_logs() as said, anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.run)
            while process.manager is None:  # noqa: ASYNC110 - it has no event
                await anyio.sleep(0.001)
            stopping.set()
    assert asked == 4
    assert [line["error"] for line in said if line["event"] == "lease.unreachable"] == ["install a newer version"]
