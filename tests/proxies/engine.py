"""A proxy between one controller and the engine: writes down who wrote what and when, and does what its rules say.

A rule looks at one call: it may be held up, not be forwarded, get another answer than the engine's, or none although
the engine has done it. The event stream can be frozen without being closed, and can lose events.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from tests.proxies.http import (
    STREAM_END,
    Answer,
    Lines,
    Request,
    answer,
    chunk,
    read_answer,
    read_request,
)
from tests.proxies.listener import Listener, Stream

_LISTED = re.compile(r"^/(services|networks)$")
_OBJECT = re.compile(r"^/(services|networks)/([^/]+)")
_KEPT_ANSWERS = 50


@dataclass(slots=True)
class Call:
    """One call that may change something, by the machine's clock."""

    at: float
    writer: str
    method: str
    path: str
    name: str
    forwarded: bool = False
    answered: bool = False
    status: int = 0

    def __str__(self) -> str:
        how = "answered" if self.answered else "without an answer" if self.forwarded else "not forwarded"
        return f"{self.at:.3f} {self.writer} {self.method} {self.path} ({self.name}) {self.status} {how}"


@dataclass(eq=False, slots=True)
class Rule:
    """What becomes of calls that match.

    Args:
        method: of the call, a regular expression; all that may change something unless said otherwise.
        path: without version and query, a regular expression that matches anywhere in it.
        skip: so many calls pass first.
        times: so many are hit.
        seconds: the call is held up so long before anything else.
        forward: whether the engine gets it.
        status: the answer instead of the engine's; 0 for the engine's own, -1 for none: the connection is cut.
        stale: answer as the engine did before the rule was made.
        then: done when it is hit: before forwarding, or when the engine has answered.
    """

    method: str = "POST|PUT|DELETE"
    path: str = ""
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    forward: bool = True
    status: int = 0
    stale: bool = False
    then: Callable[[], None] | None = None
    hits: int = 0
    made: float = field(default_factory=time.time)

    def hit(self, request: Request) -> bool:
        """Whether it is for this call."""
        if self.hits >= self.times or not re.fullmatch(self.method, request.method):
            return False
        if not re.search(self.path, request.path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class EngineProxy:
    """Passes calls on to ``target``.

    Args:
        path: of the socket that is made.
        target: the engine's socket.
        writer: who is connected to it, for the record.
        names: names of objects by id; proxies of one engine may share them.
    """

    def __init__(self, path: Path, target: Path, *, writer: str, names: dict[str, str] | None = None) -> None:
        self.path = path
        self.target = target
        self.writer = writer
        self.calls: list[Call] = []
        self.streams = 0
        """How many streams of events were asked for."""
        self._names = {} if names is None else names
        self._rules: list[Rule] = []
        self._answers: dict[str, deque[tuple[float, bytes]]] = defaultdict(lambda: deque(maxlen=_KEPT_ANSWERS))
        self._events_frozen = False
        self._dropped = re.compile(r"(?!)")
        self._listener = Listener(path, self._serve)
        self.cut, self.freeze = self._listener.cut, self._listener.freeze
        self.stop = self._listener.stop

    def start(self) -> EngineProxy:
        """Listen."""
        self._listener.start()
        return self

    def add(self, rule: Rule) -> Rule:
        """Obey ``rule`` from now on."""
        self._listener.call(lambda: self._rules.append(rule))
        return rule

    def freeze_events(self) -> None:
        """Let event streams say nothing more; what happens meanwhile is lost."""
        self._events_frozen = True

    def drop_events(self, pattern: str) -> None:
        """Lose events whose document matches."""
        self._dropped = re.compile(pattern)

    def heal(self) -> None:
        """Forget all rules and pass everything again."""
        self._listener.call(self._rules.clear)
        self._events_frozen = False
        self._dropped = re.compile(r"(?!)")
        self._listener.heal()

    # -- in the thread of the connections --------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward: Stream | None = None
        try:
            while (request := await _next_request(reader, onward)) is not None:
                await self._listener.passage()
                onward = onward or await self._listener.connect(self.target)
                if request.path == "/events":
                    await self._pass_events(request, reader, writer, onward)
                    return
                if not await self._exchange(request, writer, onward):
                    return
        finally:
            if onward is not None:
                self._listener.close(onward[1])

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter, onward: Stream) -> bool:
        """One call and its answer; False when the connection must end."""
        call = Call(time.time(), self.writer, request.method, request.path, self._name(request))
        if request.writes:
            self.calls.append(call)
        rule = (
            next((rule for rule in self._rules if self._may_hit(rule, request) and rule.hit(request)), None) or Rule()
        )
        await asyncio.sleep(rule.seconds)
        answered = self._earlier(request, rule) if rule.stale else None
        if answered is None and rule.forward:
            call.forwarded = True
            onward[1].write(request.raw)
            await onward[1].drain()
            found = await read_answer(onward[0])
            call.status = found.status
            self._learn(request, found)
            answered = found.raw
        if rule.then is not None:
            rule.then()
        if rule.status < 0:
            return False
        if rule.status or answered is None:
            answered = answer(rule.status or 503, b'{"message":"a fault that a test made"}')
        await self._listener.passage()
        call.answered = True
        writer.write(answered)
        await writer.drain()
        return True

    async def _pass_events(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, onward: Stream
    ) -> None:
        self.streams += 1
        onward[1].write(request.raw)
        lines = Lines()
        begun = False
        left = asyncio.ensure_future(reader.read())
        try:
            while not lines.ended and (data := await _unless(left, onward[0])):
                await self._listener.passage()
                found = lines.feed(data)
                if lines.status >= 400:
                    writer.write(data)
                    await writer.drain()
                    return
                if lines.status and not begun:
                    writer.write(lines.head)
                    begun = True
                for line in found:
                    if not (self._events_frozen or self._dropped.search(line.decode())):
                        writer.write(chunk(line))
                await writer.drain()
            while self._events_frozen and not left.done():  # the end of the stream is not said either
                await asyncio.wait([left], timeout=0.1)
            writer.write(STREAM_END)
            await writer.drain()
        finally:
            left.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await left

    def _may_hit(self, rule: Rule, request: Request) -> bool:
        return not rule.stale or self._earlier(request, rule) is not None

    def _earlier(self, request: Request, rule: Rule) -> bytes | None:
        older = [raw for at, raw in self._answers[request.url] if at < rule.made]
        return older[-1] if older else None

    def _learn(self, request: Request, found: Answer) -> None:
        """Names of objects, and answers for those who shall see old ones."""
        if request.method == "GET" and (_LISTED.match(request.path) or _OBJECT.match(request.path)):
            self._answers[request.url].append((time.time(), found.raw))
        if found.status >= 300:
            return
        if request.method == "GET" and _LISTED.match(request.path):
            for document in orjson.loads(found.body) or []:
                self._names[document.get("ID") or document["Id"]] = (document.get("Spec") or document)["Name"]
        if request.path.endswith("/create") and _OBJECT.match(request.path):
            document = orjson.loads(found.body)
            self._names[document.get("ID") or document["Id"]] = self._name(request)

    def _name(self, request: Request) -> str:
        if request.writes and request.path.endswith(("/create", "/update")) and request.body:
            return str(orjson.loads(request.body).get("Name", ""))
        found = _OBJECT.match(request.path)
        return self._names.get(found[2], found[2]) if found else ""


async def _next_request(reader: asyncio.StreamReader, onward: Stream | None) -> Request | None:
    """The next request; None when one of the two sides has closed its connection."""
    asked = asyncio.ensure_future(read_request(reader))
    if onward is None:
        return await asked
    ended = asyncio.ensure_future(onward[0].read(1))
    try:
        await asyncio.wait([asked, ended], return_when=asyncio.FIRST_COMPLETED)
        return asked.result() if asked.done() and not ended.done() else None
    finally:
        for task in (asked, ended):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task


async def _unless(left: asyncio.Future[bytes], reader: asyncio.StreamReader) -> bytes:
    """The next piece; nothing when the client has gone, or the stream has ended."""
    piece = asyncio.ensure_future(reader.read(1 << 16))
    await asyncio.wait([piece, left], return_when=asyncio.FIRST_COMPLETED)
    if piece.done():
        return piece.result()
    piece.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await piece
    return b""
