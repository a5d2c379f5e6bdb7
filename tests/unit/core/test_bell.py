"""The bell: it is heard once, also when it rang before somebody waited."""

from __future__ import annotations

import anyio
import pytest

from controller.kit.bell import Bell

pytestmark = pytest.mark.anyio


async def heard(bell: Bell) -> bool:
    with anyio.move_on_after(0.001):
        await bell.wait()
        return True
    return False


async def test_what_rang_before_is_heard_once_however_often_it_rang() -> None:
    bell = Bell()
    bell.ring()
    bell.ring()
    assert [await heard(bell), await heard(bell)] == [True, False]


async def test_who_waits_is_woken() -> None:
    bell = Bell()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bell.wait)
        await anyio.lowlevel.checkpoint()
        bell.ring()
    assert not await heard(bell)


async def test_what_rang_before_the_look_needs_no_other_one() -> None:
    bell = Bell()
    bell.ring()
    bell.quiet()
    assert not await heard(bell)
    bell.ring()
    assert await heard(bell)
