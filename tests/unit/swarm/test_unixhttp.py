"""HTTP over a unix socket: every form of answer that the engine gives, and connections that break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from controller.swarm.unixhttp import UnixHttp

SECONDS = 5.0
Answer = Callable[[asyncio.StreamWriter, int], None]


@asynccontextmanager
async def engine(path: Path, answer: Answer) -> AsyncIterator[list[bytes]]:
    """A server that gives ``answer(writer, connection number)`` to each request; yields the heads it was sent."""
    heads: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number = connections
        try:
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                heads.append(head)
                if b"Content-Length: 2" in head:
                    await reader.readexactly(2)
                answer(writer, number)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield heads
    finally:
        server.close()


def run(body: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(SECONDS):
            await body()

    anyio.run(bounded)


def says(text: bytes) -> Answer:
    return lambda writer, _: writer.write(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[17]", (200, b"[17]")),
        (b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n2\r\n7]\r\n0\r\n\r\n", (201, b"[17]")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}", (409, b"{}")),
    ],
)
def test_an_answer_of_every_form_is_read_whole_and_its_connection_kept(
    tmp_path: Path, text: bytes, expected: tuple[int, bytes]
) -> None:
    used: set[int] = set()

    def answer(writer: asyncio.StreamWriter, number: int) -> None:
        used.add(number)
        writer.write(text)

    async def body() -> None:
        async with engine(tmp_path / "s", answer):
            client = UnixHttp(str(tmp_path / "s"), connections=1)
            for _ in range(3):
                assert await client.exchange("GET", "/x", None, timeout_seconds=SECONDS) == expected
            client.close()

    run(body)
    assert used == {1}


def test_an_answer_that_ends_with_its_connection_is_read_to_the_end(tmp_path: Path) -> None:
    def answer(writer: asyncio.StreamWriter, _: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        writer.close()

    async def body() -> None:
        async with engine(tmp_path / "s", answer):
            client = UnixHttp(str(tmp_path / "s"), connections=1)
            assert await client.exchange("GET", "/x", None, timeout_seconds=SECONDS) == (200, b"all of it")

    run(body)


def test_a_request_with_a_body_says_its_length_and_type(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(tmp_path / "s", says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")) as heads:
            client = UnixHttp(str(tmp_path / "s"), connections=1)
            await client.exchange("POST", "/services/create", b"{}", timeout_seconds=SECONDS)
            client.close()
        assert heads[0].startswith(b"POST /services/create HTTP/1.1\r\n")
        assert b"Content-Type: application/json\r\nContent-Length: 2\r\n" in heads[0]

    run(body)


@pytest.mark.parametrize("text", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"what is this\r\n\r\n"])
def test_an_answer_that_breaks_off_or_is_none_is_an_error_and_the_next_call_connects_anew(
    tmp_path: Path, text: bytes
) -> None:
    def answer(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(text if number == 1 else b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if number == 1:
            writer.close()

    async def body() -> None:
        async with engine(tmp_path / "s", answer):
            client = UnixHttp(str(tmp_path / "s"), connections=1)
            with pytest.raises(OSError, match="answer"):
                await client.exchange("GET", "/x", None, timeout_seconds=SECONDS)
            assert await client.exchange("GET", "/x", None, timeout_seconds=SECONDS) == (200, b"ok")
            client.close()

    run(body)


def test_a_kept_connection_that_the_engine_closed_is_not_used_again(tmp_path: Path) -> None:
    closed = anyio.Event()

    def answer(writer: asyncio.StreamWriter, number: int) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number)
        if number == 1:
            writer.close()
            closed.set()

    async def body() -> None:
        async with engine(tmp_path / "s", answer):
            client = UnixHttp(str(tmp_path / "s"), connections=1)
            assert (await client.exchange("GET", "/x", None, timeout_seconds=SECONDS))[1] == b"1"
            await closed.wait()
            while not client._idle[0][0].at_eof():
                await anyio.lowlevel.checkpoint()
            assert (await client.exchange("GET", "/x", None, timeout_seconds=SECONDS))[1] == b"2"
            client.close()

    run(body)


def test_no_answer_in_time_is_an_error_and_no_socket_is_too(tmp_path: Path) -> None:
    async def body() -> None:
        async with engine(tmp_path / "s", lambda *_: None):
            client = UnixHttp(str(tmp_path / "s"), connections=1)
            with pytest.raises(TimeoutError):
                await client.exchange("GET", "/x", None, timeout_seconds=0.05)
        missing = UnixHttp(str(tmp_path / "missing"), connections=1)
        with pytest.raises(FileNotFoundError):
            await missing.exchange("GET", "/x", None, timeout_seconds=SECONDS)

    run(body)
