"""A proxy between one controller and PostgreSQL: acts between a statement and its answer.

It parses the type and the length of messages, and the text of statements. What a client sends up to Sync, or as a
simple query, is passed as a whole; its answer ends with ReadyForQuery. In autocommit mode, as the controller works, a
statement whose answer is lost there has been committed.
"""

from __future__ import annotations

import asyncio
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.proxies.listener import Listener, Stream

_SSL_REQUEST, _GSS_REQUEST, _CANCEL_REQUEST = 80877103, 80877104, 80877102
_ENDS_BATCH = b"QSXf"  # simple query, Sync, Terminate, CopyFail


@dataclass(eq=False, slots=True)
class Rule:
    """What becomes of statements whose text matches.

    Args:
        text: a regular expression that matches anywhere in the statement.
        skip: so many pass first.
        times: so many are hit.
        seconds: they are held up so long before anything else.
        forward: whether the server gets it.
        lost: the connection is cut instead of an answer.
        then: done when it is hit: before it would be forwarded, or when the server has answered.
    """

    text: str
    skip: int = 0
    times: int = 1
    seconds: float = 0.0
    forward: bool = True
    lost: bool = True
    then: Callable[[], None] | None = None
    hits: int = 0

    def hit(self, text: str) -> bool:
        """Whether it is for this statement."""
        if self.hits >= self.times or not re.search(self.text, text):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


class PostgresProxy:
    """Passes connections on to the server's socket ``target``; libpq finds it by the folder of ``path``."""

    def __init__(self, path: Path, target: Path) -> None:
        self.path = path
        self.target = target
        self.statements = 0
        self._rules: list[Rule] = []
        self._listener = Listener(path, self._serve)
        self.cut, self.black_hole = self._listener.cut, self._listener.freeze
        self.stop = self._listener.stop

    def start(self) -> PostgresProxy:
        """Listen."""
        self._listener.start()
        return self

    def add(self, rule: Rule) -> Rule:
        """Obey ``rule`` from now on."""
        self._listener.call(lambda: self._rules.append(rule))
        return rule

    def heal(self) -> None:
        """Forget all rules and pass everything again."""
        self._listener.call(self._rules.clear)
        self._listener.heal()

    # -- in the thread of the connections --------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward = await self._listener.connect(self.target)
        try:
            if await _begin(reader, writer, onward):
                session = _Session(self, (reader, writer), onward)
                tasks = [asyncio.ensure_future(session.up()), asyncio.ensure_future(session.down())]
                try:
                    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._listener.close(onward[1])

    def rule_for(self, text: str) -> Rule | None:
        """The rule that hits this statement."""
        self.statements += 1
        return next((rule for rule in self._rules if rule.hit(text)), None)

    async def passage(self) -> None:
        """Go on only when nothing is frozen."""
        await self._listener.passage()


class _Session:
    """One connection after its start."""

    def __init__(self, proxy: PostgresProxy, client: Stream, server: Stream) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._prepared: dict[bytes, str] = {}
        self._text = ""
        self._losing: Rule | None = None

    async def up(self) -> None:
        """Statements; ends when one must not reach the server."""
        batch: list[bytes] = []
        while True:
            kind, body = await _message(self._client[0])
            batch.append(_framed(kind, body))
            self._read_text(kind, body)
            if kind not in _ENDS_BATCH:
                continue
            await self._proxy.passage()
            if kind in b"QS" and self._text and (rule := self._proxy.rule_for(self._text)) is not None:
                await asyncio.sleep(rule.seconds)
                if not rule.forward:
                    if rule.then is not None:
                        rule.then()
                    if rule.lost:
                        return
                self._losing = rule
            self._text = ""
            self._server[1].write(b"".join(batch))
            await self._server[1].drain()
            batch.clear()

    async def down(self) -> None:
        """Answers; ends in place of one that must not reach the client."""
        while True:
            kind, body = await _message(self._server[0])
            await self._proxy.passage()
            if (rule := self._losing) is not None:
                if kind == b"Z":
                    if rule.then is not None:
                        rule.then()
                    if rule.lost:
                        return
                    self._losing = None
                elif rule.lost:
                    continue
            self._client[1].write(_framed(kind, body))
            await self._client[1].drain()

    def _read_text(self, kind: bytes, body: bytes) -> None:
        if kind == b"Q":
            self._text = body.rstrip(b"\0").decode()
        elif kind == b"P":
            name, query, _ = body.split(b"\0", 2)
            self._prepared[name] = self._text = query.decode()
        elif kind == b"B":
            _, name, _ = body.split(b"\0", 2)
            self._text = self._prepared.get(name, "")


async def _begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, onward: Stream) -> bool:
    """The packets before the first message, which have no type; False when the connection only cancels a statement."""
    while True:
        length = await reader.readexactly(4)
        packet = await reader.readexactly(struct.unpack("!I", length)[0] - 4)
        onward[1].write(length + packet)
        await onward[1].drain()
        (code,) = struct.unpack("!I", packet[:4])
        if code == _CANCEL_REQUEST:
            await onward[0].read()
            return False
        if code not in {_SSL_REQUEST, _GSS_REQUEST}:
            return True
        writer.write(await onward[0].readexactly(1))
        await writer.drain()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


def _framed(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body
