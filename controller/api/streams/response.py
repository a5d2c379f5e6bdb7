"""The answer that goes on: sends what waits, a sign of life when nothing does, and at its end why it ends."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import anyio
import psycopg
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from controller.api import problems
from controller.api.callers import Caller
from controller.api.problems import ProblemError
from controller.api.streams import messages
from controller.api.streams.follower import Follower

MEDIA_TYPE = "text/event-stream"


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
        follower = self._follower
        try:
            with follower.scope:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._until_gone, receive)
                    if scope["method"] != "HEAD":
                        await self._send(send)
                    await send({"type": "http.response.body", "body": b"", "more_body": False})
                    tasks.cancel_scope.cancel()
        finally:
            self._leave()

    async def _until_gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._follower.scope.cancel()

    async def _send(self, send: Send) -> None:
        follower, waits = self._follower, b"".join(self._begun)
        while True:
            if waits:
                with follower.sending():
                    await send({"type": "http.response.body", "body": waits, "more_body": True})
            if follower.why:
                break
            waits = await follower.take()
            if time.monotonic() >= follower.known_until:
                await self._look_again()
        with follower.sending():
            end = messages.frame("end", {"why": follower.why})
            await send({"type": "http.response.body", "body": end, "more_body": True})

    async def _look_again(self) -> None:
        follower = self._follower
        try:
            follower.looked_up(await self._again())
        except (psycopg.Error, ProblemError) as error:
            follower.end(problems.of(error).detail)
