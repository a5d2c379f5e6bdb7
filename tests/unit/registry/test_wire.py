"""Answers, however they are cut into pieces."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.registry.places import Origin
from controller.registry.wire import Answer, BadAnswerError, Connection

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nX-A: 2\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"
UNFRAMED = b"HTTP/1.0 200 OK\r\n\r\nhello"


class Pieces(anyio.abc.ByteStream):
    """What comes."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = list(pieces)
        self.sent = b""

    async def send(self, item: bytes) -> None:
        self.sent += item

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if not self._pieces:
            raise anyio.EndOfStream
        return self._pieces.pop(0)

    async def send_eof(self) -> None: ...

    async def aclose(self) -> None: ...


def ask(pieces: Sequence[bytes], most_bytes: int = 5) -> tuple[Answer, bool, bytes]:
    async def asking() -> tuple[Answer, bool, bytes]:
        stream = Pieces(pieces)
        connection = Connection(Origin("https", "a.example", 443), stream)
        answer = await connection.request("GET", "/x", {"A": "b"}, most_bytes=most_bytes)
        return answer, connection.usable, stream.sent

    return anyio.run(asking)


@given(st.sampled_from([PLAIN, CHUNKED, UNFRAMED]), st.lists(st.integers(1, 80), max_size=6))
def test_an_answer_is_the_same_in_any_pieces(whole: bytes, cuts: list[int]) -> None:
    at = sorted({0, *(cut for cut in cuts if cut < len(whole)), len(whole)})
    answer, usable, sent = ask([whole[a:b] for a, b in pairwise(at)])
    assert (answer.status, answer.body) == (200, b"hello")
    assert usable is (whole is not UNFRAMED)
    assert sent.startswith(b"GET /x HTTP/1.1\r\nHost: a.example\r\n")
    assert b"Accept-Encoding: identity\r\n" in sent


def test_of_headers_the_first_or_all_are_given() -> None:
    answer, _, _ = ask([PLAIN])
    assert (answer.header("x-a"), answer.all("x-a"), answer.header("x-b")) == ("1", ["1", "2"], "")


@pytest.mark.parametrize("whole", [PLAIN, CHUNKED, UNFRAMED])
def test_no_more_than_was_allowed_is_taken(whole: bytes) -> None:
    with pytest.raises(BadAnswerError, match="more than 4 bytes"):
        ask([whole], most_bytes=4)


def test_lengths_that_contradict_each_other_are_no_http() -> None:
    with pytest.raises(BadAnswerError, match="not HTTP"):
        ask([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"])
