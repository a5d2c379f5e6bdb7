"""The measure of the event loop's stalls."""

from __future__ import annotations

import asyncio

import anyio
import anyio.lowlevel

from controller.kit import stalls


class _SlowLoop(asyncio.SelectorEventLoop):
    """A loop whose clock jumps when it is told to, as if something had held it."""

    held = 0.0

    def time(self) -> float:
        return super().time() + self.held

    def wall(self) -> float:
        return self.time()


def _measure(seconds: float) -> float:
    loops: list[_SlowLoop] = []

    def factory() -> _SlowLoop:
        loops.append(_SlowLoop())
        return loops[0]

    async def main() -> float:
        with stalls.measured() as found:
            await anyio.sleep(0.02)
            loops[0].held = seconds
            await anyio.sleep(0.02)
        return found.longest

    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main())


def test_a_loop_that_was_held_is_seen() -> None:
    assert _measure(100.0) > 99.9


def test_a_loop_that_turns_has_no_long_pause() -> None:
    assert _measure(0.0) < 50.0


def test_what_holds_the_loop_until_the_end_is_seen_too() -> None:
    loop = _SlowLoop()

    async def main() -> float:
        with stalls.measured() as found:
            await anyio.lowlevel.checkpoint()
            loop.held = 100.0
        return found.longest

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        assert runner.run(main()) > 99.9
