"""The batcher: nobody waits when it is idle, those who come meanwhile share one round trip, nobody is left waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from controller.kit.batcher import Batcher, halved
from reconcilers.outcomes import TransientError

pytestmark = pytest.mark.anyio


class Flusher:
    """Does groups one by one, each when it is let; doubles every number, and fails on a negative one."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.begun = anyio.Event()
        self.let = anyio.Event()

    async def __call__(self, items: Sequence[int]) -> list[int]:
        self.groups.append(list(items))
        self.begun.set()
        await self.let.wait()
        if any(item < 0 for item in items):
            raise ValueError(f"refused: {list(items)}")
        return [item * 2 for item in items]


class Callers:
    """Callers that have each submitted one number, and what came back."""

    def __init__(self, batcher: Batcher[int, int], tasks: anyio.abc.TaskGroup) -> None:
        self.batcher = batcher
        self.tasks = tasks
        self.answers: dict[int, int | Exception | None] = {}
        self.scopes: dict[int, anyio.CancelScope] = {}

    async def submit(self, item: int) -> None:
        with anyio.CancelScope() as self.scopes[item]:
            self.answers[item] = None
            try:
                self.answers[item] = await self.batcher.submit(item)
            except ValueError as error:
                self.answers[item] = error

    async def come(self, *items: int) -> None:
        """Let them come, one after the other, and wait until each has done what it can."""
        for item in items:
            self.tasks.start_soon(self.submit, item)
            while item not in self.answers:
                await checkpoint()


async def test_a_lone_call_goes_at_once() -> None:
    flusher = Flusher()
    flusher.let.set()
    assert await Batcher(flusher).submit(21) == 42
    assert flusher.groups == [[21]]


async def test_calls_that_come_meanwhile_share_the_next_group_in_their_order() -> None:
    flusher = Flusher()
    async with anyio.create_task_group() as tasks:
        callers = Callers(Batcher(flusher), tasks)
        await callers.come(1)
        await callers.come(5, 3, 4)
        flusher.let.set()
    assert flusher.groups == [[1], [5, 3, 4]]
    assert callers.answers == {1: 2, 5: 10, 3: 6, 4: 8}


async def test_a_group_is_no_larger_than_the_limit() -> None:
    flusher = Flusher()
    async with anyio.create_task_group() as tasks:
        callers = Callers(Batcher(flusher, limit=2), tasks)
        await callers.come(1, 2, 3, 4, 5, 6)
        flusher.let.set()
    assert flusher.groups == [[1], [2, 3], [4, 5], [6]]
    assert callers.answers == {n: 2 * n for n in range(1, 7)}


async def test_one_member_that_cannot_be_done_fails_alone() -> None:
    flusher = Flusher()
    async with anyio.create_task_group() as tasks:
        callers = Callers(Batcher(flusher), tasks)
        await callers.come(1, 2, -3, 4, 5)
        flusher.let.set()
    assert isinstance(callers.answers.pop(-3), ValueError)
    assert callers.answers == {1: 2, 2: 4, 4: 8, 5: 10}
    assert flusher.groups == [[1], [2, -3, 4, 5], [2, -3], [2], [-3], [4, 5]]


async def test_an_error_that_is_about_all_of_a_group_goes_to_all_of_it_without_another_try() -> None:
    groups: list[list[int]] = []
    away = TransientError("DatabaseUnavailable", "no answer")

    async def flush(items: Sequence[int]) -> list[int]:
        groups.append(list(items))
        raise away

    assert await halved(flush, [1, 2, 3]) == [away, away, away]
    assert groups == [[1, 2, 3]]


async def test_an_exception_as_an_answer_is_its_callers_own() -> None:
    async def flush(items: Sequence[int]) -> list[int | Exception]:
        return [ValueError(str(item)) if item < 0 else item for item in items]

    batcher = Batcher(flush)
    with pytest.raises(ValueError, match="-1"):
        await batcher.submit(-1)
    assert await batcher.submit(1) == 1


async def test_a_flush_that_answers_too_few_fails_the_whole_group() -> None:
    async def forgetful(items: Sequence[int]) -> list[int]:
        return list(items)[:-1]

    with pytest.raises(ValueError, match="shorter"):
        await Batcher(forgetful).submit(1)


async def test_after_an_error_the_next_call_is_served() -> None:
    flusher = Flusher()
    flusher.let.set()
    batcher = Batcher(flusher)
    with pytest.raises(ValueError, match="refused"):
        await batcher.submit(-1)
    assert await batcher.submit(2) == 4


@pytest.mark.parametrize("cancelled", [1, 2, 3, 4], ids=["the leader", "the next leader", "one amidst", "the last"])
async def test_a_cancelled_caller_leaves_nobody_waiting(cancelled: int) -> None:
    flusher = Flusher()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            callers = Callers(Batcher(flusher), tasks)
            await callers.come(1, 2, 3, 4)
            callers.scopes[cancelled].cancel()
            for _ in range(10):
                await checkpoint()
            assert flusher.groups == [[1]], "the call that was on its way was abandoned"
            flusher.let.set()
    assert {n: a for n, a in callers.answers.items() if n != cancelled} == {
        n: 2 * n for n in {1, 2, 3, 4} - {cancelled}
    }


async def test_a_leader_that_is_torn_down_fails_its_group_and_the_next_is_served() -> None:
    """As ``asyncio`` does it, past every shield: nobody may take the missing answer for an answer."""
    flusher = Flusher()
    batcher = Batcher(flusher)
    first = asyncio.ensure_future(batcher.submit(1))
    await flusher.begun.wait()
    followers = [asyncio.ensure_future(batcher.submit(n)) for n in (2, 3, 4)]
    await checkpoint()
    first.cancel()
    await asyncio.wait([first])
    while len(flusher.groups) < 2:
        await checkpoint()
    followers[0].cancel()  # it leads the second group
    done, _ = await asyncio.wait(followers, timeout=5)
    assert done == set(followers)
    assert followers[0].cancelled()
    assert all(isinstance(f.exception(), RuntimeError) for f in followers[1:])
    flusher.let.set()
    assert await batcher.submit(5) == 10


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 30)), max_size=30), st.integers(1, 7))
def test_whoever_comes_when_gets_the_own_answer(arrivals: list[tuple[int, int]], limit: int) -> None:
    tried: list[list[int]] = []
    done: list[int] = []
    running = 0

    async def flush(items: Sequence[int]) -> list[int]:
        nonlocal running
        running += 1
        assert running == 1, "two groups at once"
        tried.append(list(items))
        await checkpoint()
        running -= 1
        if -1 in items:
            raise ValueError
        done.extend(items)
        return [item * 2 for item in items]

    async def caller(batcher: Batcher[int, int], steps: int, item: int) -> None:
        for _ in range(steps):
            await checkpoint()
        try:
            assert await batcher.submit(item) == item * 2
        except ValueError:
            assert item == -1

    async def scenario() -> None:
        batcher = Batcher(flush, limit=limit)
        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for steps, item in arrivals:
                    tasks.start_soon(caller, batcher, steps, item)

    anyio.run(scenario)
    assert sorted(done) == sorted(item for _, item in arrivals if item != -1), "each once"
    assert all(0 < len(group) <= limit for group in tried)
