"""The answer that goes on: sends what waits, a sign of life when nothing does, and at its end why it ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import psycopg
from psycopg_pool import PoolTimeout
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from controller.api import problems
from controller.api.callers import Caller
from controller.api.problems import ProblemError
from controller.api.streams import messages
from controller.api.streams.follower import Follower

MEDIA_TYPE = "text/event-stream"
ALIVE_SECONDS = 15.0
AGAIN_SECONDS = 60.0
"""After which who reads is looked up again: a token that is revoked reads no longer."""
SEND_SECONDS = 20.0
"""A reader that takes nothing for so long is gone."""


class StreamResponse(Response):
    """A stream to one reader.

    Args:
        begun: what is sent first.
        follower: who reads.
        again: looks up who reads once more.
        leave: is called at the end.
        headers: of the answer.
    """

    def __init__(
        self,
        begun: Sequence[bytes],
        follower: Follower,
        *,
        again: Callable[[], Awaitable[Caller]],
        leave: Callable[[], None],
        headers: Mapping[str, str],
    ) -> None:
        super().__init__(headers={**headers, "X-Accel-Buffering": "no"}, media_type=MEDIA_TYPE)
        del self.headers["content-length"]
        self._begun = begun
        self._follower = follower
        self._again = again
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, until it ends, or the reader is gone."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._until_gone, receive, tasks.cancel_scope)
                await self._send(scope["method"] == "HEAD", send)
                tasks.cancel_scope.cancel()
        finally:
            self._leave()

    async def _until_gone(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def _send(self, nothing: bool, send: Send) -> None:
        async def out(sent: bytes, more: bool = True) -> None:
            message: Message = {"type": "http.response.body", "body": sent, "more_body": more}
            with anyio.fail_after(SEND_SECONDS):
                await send(message)

        follower = self._follower
        if nothing:
            return await out(b"", more=False)
        try:
            await out(b"".join(self._begun))
            ends = time.monotonic() + follower.wants.seconds if follower.wants.seconds else float("inf")
            known = time.monotonic() + AGAIN_SECONDS
            while not follower.why and (now := time.monotonic()) < ends:
                found = await follower.take(max(0.0, min(ALIVE_SECONDS, ends - now, known - now)))
                if found:
                    await out(found)
                if time.monotonic() >= known:
                    follower.caller = await self._again()
                    known = time.monotonic() + AGAIN_SECONDS
                elif not found and not follower.why:
                    await out(messages.KEEP_ALIVE)
        except TimeoutError:
            return None
        except (psycopg.Error, PoolTimeout, ProblemError) as error:
            follower.end(problems.of(error).detail)
        with anyio.move_on_after(1.0):
            await out(messages.frame("end", {"why": follower.why or "the time that was asked for is over"}), more=False)
        return None
