"""The queue of keys: once each, never twice at once, the most urgent that is due first, failures after a backoff."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from controller.loop.backoff import BACKOFF_CAP, BACKOFF_FIRST, WAIT_CAP
from controller.loop.queue import Queue
from controller.loop.turns import PATIENCE, Priority
from controller.records import Key

pytestmark = pytest.mark.anyio

A, B, C = (Key("environment", letter) for letter in "abc")
keys = st.sampled_from([A, B, C])


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class TimedQueue:
    """A queue whose clock and jitter the test sets."""

    clock: Clock = field(default_factory=Clock)
    luck: float = 0.0

    def __post_init__(self) -> None:
        self.queue = Queue("test", clock=self.clock, jitter=lambda: self.luck)

    async def take(self) -> Key | None:
        """What is given out now; None when nobody would be given anything."""
        with anyio.move_on_after(0):
            return await self.queue.get()
        return None

    async def work_on(self, *wanted: Key) -> None:
        """Have these keys taken."""
        for key in wanted:
            self.queue.add(key, Priority.CHANGE)
            assert await self.take() == key

    async def take_all(self) -> list[Key]:
        taken = []
        while (key := await self.take()) is not None:
            taken.append(key)
        return taken


@pytest.fixture
def here() -> TimedQueue:
    return TimedQueue()


# -- dirty and processing --------------------------------------------------------------------------------------------


async def test_a_key_that_is_added_many_times_is_given_out_once(here: TimedQueue) -> None:
    for priority in Priority:
        here.queue.add(A, priority)
    assert await here.take_all() == [A]


async def test_a_key_that_is_worked_on_is_not_given_out_and_comes_again_afterwards(here: TimedQueue) -> None:
    here.queue.add(A, Priority.CHANGE)
    await here.take()
    here.queue.add(A, Priority.CHANGE)
    here.queue.add(A, Priority.CHANGE)
    assert await here.take() is None
    here.queue.done(A)
    assert await here.take_all() == [A]


async def test_a_key_that_nobody_added_meanwhile_does_not_come_again(here: TimedQueue) -> None:
    here.queue.add(A, Priority.CHANGE)
    await here.take()
    here.queue.done(A)
    assert await here.take() is None


async def test_what_was_added_during_the_work_keeps_its_most_urgent_reason_and_earliest_time(here: TimedQueue) -> None:
    here.queue.add(A, Priority.RESYNC)
    await here.take()
    here.queue.add(A, Priority.DRIFT, delay=50)
    here.queue.add(A, Priority.CHANGE, delay=100)
    here.queue.done(A)
    here.queue.add(B, Priority.DRIFT, delay=50)
    assert await here.take() is None
    here.clock.now += 50
    assert await here.take_all() == [A, B]


# -- order -----------------------------------------------------------------------------------------------------------


async def test_the_most_urgent_of_those_due_goes_first(here: TimedQueue) -> None:
    here.queue.add(A, Priority.RESYNC)
    here.queue.add(B, Priority.DRIFT)
    here.queue.add(C, Priority.CHANGE)
    assert await here.take_all() == [C, B, A]


async def test_of_the_same_urgency_the_first_goes_first(here: TimedQueue) -> None:
    for key in (B, A, C):
        here.queue.add(key, Priority.CHANGE)
    assert await here.take_all() == [B, A, C]


async def test_a_more_urgent_reason_moves_a_waiting_key_forward_and_a_less_urgent_one_not_back(
    here: TimedQueue,
) -> None:
    here.queue.add(A, Priority.RESYNC)
    here.queue.add(B, Priority.DRIFT)
    here.queue.add(A, Priority.CHANGE)
    here.queue.add(A, Priority.RESYNC)
    assert await here.take_all() == [A, B]


async def test_urgency_does_not_make_a_key_due_before_its_time(here: TimedQueue) -> None:
    here.queue.add(A, Priority.CHANGE, delay=10)
    here.queue.add(B, Priority.RESYNC)
    assert await here.take_all() == [B]


async def test_the_earlier_due_time_wins(here: TimedQueue) -> None:
    here.queue.add(A, Priority.DRIFT, delay=60)
    here.queue.add(A, Priority.CHANGE)
    assert await here.take() == A
    here.queue.done(A)
    here.clock.now += 60
    assert await here.take() is None, "the later time is forgotten"


# -- failures --------------------------------------------------------------------------------------------------------


async def test_each_failure_doubles_the_delay_up_to_the_cap(here: TimedQueue) -> None:
    here.luck = 1.0
    await here.work_on(A)
    delays = [here.queue.retry(A) for _ in range(40)]
    assert delays[:4] == [BACKOFF_FIRST * factor for factor in (1, 2, 4, 8)]
    assert delays == sorted(delays)
    assert delays[-1] == BACKOFF_CAP


async def test_keys_fail_apart_from_each_other(here: TimedQueue) -> None:
    here.luck = 1.0
    await here.work_on(A, B)
    for _ in range(5):
        here.queue.retry(A)
    assert here.queue.retry(B) == BACKOFF_FIRST


async def test_success_forgets_the_failures(here: TimedQueue) -> None:
    here.luck = 1.0
    await here.work_on(A)
    for _ in range(5):
        here.queue.retry(A)
    here.queue.forget(A)
    assert here.queue.retry(A) == BACKOFF_FIRST


@given(failures=st.integers(0, 2000), luck=st.floats(0, 1, exclude_max=True))
def test_jitter_spreads_a_delay_from_nothing_to_its_longest(failures: int, luck: float) -> None:
    async def scenario() -> None:
        here = TimedQueue(luck=luck)
        await here.work_on(A)
        here.queue._backoff._failures[A] = failures
        longest = min(BACKOFF_CAP, BACKOFF_FIRST * 2.0 ** min(failures, 100))
        assert here.queue.retry(A) == pytest.approx(longest * luck)

    anyio.run(scenario)


@pytest.mark.parametrize("why", Priority)
async def test_a_key_that_comes_again_is_as_urgent_as_it_was(here: TimedQueue, why: Priority) -> None:
    """Neither a failure nor "look again later" makes a full comparison's key pass a change, or a change wait for it."""
    here.queue.add(A, why)
    await here.take()
    here.queue.retry(A)
    here.queue.done(A)
    for other in Priority:
        here.queue.add(Key("environment", other.name), other)
    order = [key.id for key in await here.take_all()]
    assert order.index("a") == why, "before the one that is as urgent, behind those that are more so"


async def test_a_failed_key_comes_back_after_its_delay(here: TimedQueue) -> None:
    here.luck = 0.5
    here.queue.add(A, Priority.CHANGE)
    await here.take()
    delay = here.queue.retry(A)
    here.queue.done(A)
    assert await here.take() is None
    here.clock.now += delay
    assert await here.take() == A


# -- waiting ---------------------------------------------------------------------------------------------------------


async def waiting_for(queue: Queue, then: Callable[[], None]) -> Key | None:
    """What a worker that waits already is given after ``then``."""
    given_out: list[Key | None] = []

    async def worker() -> None:
        given_out.append(await queue.get())

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(worker)
            for _ in range(3):
                await checkpoint()
            assert not given_out
            then()
    return given_out[0]


async def test_what_something_else_wakes_is_looked_at_later_each_time_and_behind_everything_else(
    here: TimedQueue,
) -> None:
    await here.work_on(A)
    assert [here.queue.wait(A, 2.0) for _ in range(9)] == [1, 2, 4, 8, 16, 32, 64, 128, WAIT_CAP / 2]
    here.queue.done(A)
    here.queue.add(B, Priority.DRIFT, delay=1.0)
    here.clock.now += WAIT_CAP
    assert await here.take_all() == [B, A]


async def test_what_waits_is_taken_at_once_when_it_is_woken(here: TimedQueue) -> None:
    await here.work_on(A)
    here.queue.wait(A, 60.0)
    here.queue.done(A)
    assert await here.take() is None
    here.queue.add(A, Priority.DEPENDENCY)
    assert await here.take() == A


async def test_a_waiting_worker_is_woken_by_a_new_key(here: TimedQueue) -> None:
    assert await waiting_for(here.queue, lambda: here.queue.add(A, Priority.CHANGE)) == A


async def test_a_waiting_worker_is_woken_by_an_earlier_due_time(here: TimedQueue) -> None:
    here.queue.add(A, Priority.DRIFT, delay=3600)
    assert await waiting_for(here.queue, lambda: here.queue.add(B, Priority.CHANGE)) == B


async def test_a_waiting_worker_is_sent_away_when_the_queue_closes(here: TimedQueue) -> None:
    assert await waiting_for(here.queue, here.queue.close) is None


async def test_a_key_becomes_due_without_anybody_s_doing() -> None:
    queue = Queue("test")
    queue.add(A, Priority.DRIFT, delay=0.01)
    with anyio.fail_after(5):
        assert await queue.get() == A


@given(
    st.lists(st.tuples(keys, st.sampled_from(Priority), st.sampled_from([0.0, 0.001, 0.004])), min_size=1, max_size=20),
    st.integers(1, 4),
)
@settings(max_examples=50, deadline=None)
def test_no_key_is_left_lying_while_there_is_room(added: list[tuple[Key, Priority, float]], room: int) -> None:
    async def scenario() -> None:
        queue = Queue("test")
        busy: set[Key] = set()
        slots = anyio.Semaphore(room)

        async def work(key: Key) -> None:
            assert key not in busy, "one key is worked on twice at once"
            busy.add(key)
            await checkpoint()
            busy.remove(key)
            queue.done(key)
            slots.release()
            if not len(queue) and not queue.processing:
                queue.close()

        async def give_out() -> None:
            async with anyio.create_task_group() as works:
                await slots.acquire()
                while (key := await queue.get()) is not None:
                    works.start_soon(work, key)
                    await slots.acquire()

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(give_out)
                await checkpoint()
                for key, priority, delay in added:
                    queue.add(key, priority, delay=delay)

    anyio.run(scenario)


async def test_a_closed_queue_gives_nothing_out_and_lets_the_work_end(here: TimedQueue) -> None:
    here.queue.add(A, Priority.CHANGE)
    here.queue.add(B, Priority.CHANGE)
    await here.take()
    here.queue.add(A, Priority.CHANGE)
    here.queue.close()
    here.queue.add(C, Priority.CHANGE)
    assert here.queue.processing == 1
    here.queue.done(A)
    assert here.queue.processing == 0
    assert await here.queue.get() is None


async def test_the_end_of_the_work_can_be_waited_for(here: TimedQueue) -> None:
    await here.work_on(A, B)
    here.queue.close()
    ended = anyio.Event()

    async def wait() -> None:
        await here.queue.join()
        ended.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            for key in (A, B):
                await checkpoint()
                assert not ended.is_set()
                here.queue.done(key)


# -- fair shares -----------------------------------------------------------------------------------------------------


def some(organization: str, count: int) -> list[Key]:
    return [Key("environment", f"{organization}{number}") for number in range(count)]


def add(here: TimedQueue, organization: str, count: int, priority: Priority = Priority.CHANGE) -> None:
    for key in some(organization, count):
        here.queue.add(key, priority, organization=organization)


async def test_one_change_of_an_organization_does_not_stand_behind_the_thousands_of_another(here: TimedQueue) -> None:
    add(here, "large", 5000)
    for _ in range(100):
        await here.take()
    add(here, "small", 1)
    assert some("small", 1)[0] in [await here.take() for _ in range(2)]


async def test_organizations_that_have_much_to_do_take_turns(here: TimedQueue) -> None:
    for organization in ("first", "second", "third"):
        add(here, organization, 60)
    taken = [(await here.take() or A).id.rstrip("0123456789") for _ in range(90)]
    assert {o: taken.count(o) for o in set(taken)} == pytest.approx({"first": 30, "second": 30, "third": 30}, abs=8)


async def test_an_organization_that_had_nothing_to_do_has_nothing_saved_up(here: TimedQueue) -> None:
    """Its first keys do not all go before those of the others."""
    add(here, "large", 1000)
    for _ in range(500):
        await here.take()
    add(here, "late", 100)
    taken = [await here.take() for _ in range(100)]
    assert 40 <= sum(key in some("late", 100) for key in taken) <= 60


async def test_urgency_goes_before_fairness(here: TimedQueue) -> None:
    add(here, "large", 5)
    add(here, "small", 5, Priority.RESYNC)
    assert await here.take_all() == some("large", 5) + some("small", 5)


async def test_what_an_organization_has_at_one_urgency_is_not_held_against_it_at_another(here: TimedQueue) -> None:
    add(here, "large", 1000, Priority.RESYNC)
    here.queue.add(A, Priority.CHANGE, organization="small")
    here.queue.add(B, Priority.CHANGE, organization="large")
    here.queue.add(C, Priority.CHANGE, organization="small")
    assert [await here.take() for _ in range(3)] == [A, B, C]


async def test_a_stream_of_urgent_keys_does_not_keep_the_others_waiting_for_ever(here: TimedQueue) -> None:
    add(here, "patient", 10, Priority.RESYNC)
    taken: list[Key | None] = []
    for number in range(200):
        here.queue.add(Key("environment", f"urgent{number}"), Priority.CHANGE, organization="busy")
        taken.append(await here.take())
    places = [taken.index(key) for key in some("patient", 10)]
    assert [later - earlier for earlier, later in itertools.pairwise(places)] == [PATIENCE + 1] * 9


async def test_nothing_is_kept_of_what_has_gone_through(here: TimedQueue) -> None:
    for priority in (Priority.RESYNC, Priority.DRIFT, Priority.CHANGE):
        add(here, "large", 100, priority)
        add(here, "small", 100, priority)
    for key in await here.take_all():
        here.queue.done(key)
    assert not here.queue._turns._ready
    assert not here.queue._turns._by_age
    assert not any(shares._last or shares._time or len(shares) for shares in here.queue._turns._shares)


# -- whatever happens ------------------------------------------------------------------------------------------------

steps = st.one_of(
    st.tuples(st.just("add"), keys, st.sampled_from(Priority), st.sampled_from([0, 1, 5])),
    st.tuples(st.just("get")),
    st.tuples(st.just("done"), keys),
    st.tuples(st.just("pass"), st.sampled_from([1, 4])),
)


@settings(max_examples=200)
@given(st.lists(steps, max_size=40))
def test_a_queue_does_what_a_plain_table_of_keys_would_do(script: list[tuple[object, ...]]) -> None:
    """The model: what waits, since when it is due and why; what is worked on; what was added meanwhile."""

    async def scenario() -> None:
        here = TimedQueue()
        waits: dict[Key, tuple[float, Priority]] = {}
        works: set[Key] = set()
        again: dict[Key, tuple[float, Priority]] = {}
        in_order = 0
        for step in script:
            match step:
                case ("add", Key() as key, Priority() as priority, int(delay)):
                    table = again if key in works else waits
                    due, urgent = table.get(key, (float("inf"), priority))
                    table[key] = (min(due, here.clock.now + delay), min(urgent, priority))
                    here.queue.add(key, priority, delay=delay)
                case ("get",):
                    due_now = {key: why for key, (due, why) in waits.items() if due <= here.clock.now}
                    given_out = await here.take()
                    if not due_now:
                        assert given_out is None
                        continue
                    assert given_out is not None
                    if due_now[given_out] != min(due_now.values()):
                        assert in_order >= PATIENCE, "only now and then one that waits goes before urgent ones"
                        in_order = -1
                    in_order += 1
                    assert given_out not in works
                    works.add(given_out)
                    del waits[given_out]
                case ("done", Key() as key) if key in works:
                    works.remove(key)
                    if key in again:
                        waits[key] = again.pop(key)
                    here.queue.done(key)
                case ("pass", int(seconds)):
                    here.clock.now += seconds
            assert len(here.queue) == len(waits)
            assert here.queue.processing == len(works)

    anyio.run(scenario)


async def test_a_key_that_is_worked_on_says_all_that_it_was_queued_for_and_how_long_it_waited() -> None:
    here = TimedQueue()
    here.queue.add(A, Priority.RESYNC, delay=60.0)
    here.clock.now += 1.0
    here.queue.add(A, Priority.CHANGE)
    here.clock.now += 0.5
    assert await here.take() == A
    assert here.queue.woken(A) == (("change", "resync"), 0.5)

    here.queue.again(A, 0.0)
    here.queue.add(A, Priority.DRIFT)
    here.queue.done(A)
    assert await here.take() == A
    assert here.queue.woken(A) == (("drift", "retry"), 0.0)


async def test_its_metrics_show_what_waits_by_urgency_and_what_is_worked_on_for_how_long() -> None:
    def shown(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(f"skypanel_workqueue_{name}", {"kind": "test", **labels})

    here = TimedQueue()
    here.queue.add(A, Priority.CHANGE)
    here.queue.add(B, Priority.RESYNC)
    here.queue.add(C, Priority.DRIFT, delay=5.0)
    assert shown("depth", priority="change") == shown("depth", priority="resync") == shown("delayed") == 1
    here.clock.now += 5.0
    assert (shown("depth", priority="drift"), shown("delayed")) == (1, 0)

    assert await here.take() == A
    here.clock.now += 2.0
    assert await here.take() == C
    here.clock.now += 3.0
    assert (shown("unfinished_work_seconds"), shown("longest_running_processor_seconds")) == (8, 5)

    before = shown("work_duration_seconds_sum")
    here.queue.done(A)
    assert shown("work_duration_seconds_sum") == (before or 0) + 5
    here.queue.close()
    assert shown("depth", priority="resync") == 0, "what was closed has no backlog"
    assert shown("longest_running_processor_seconds") == 3
