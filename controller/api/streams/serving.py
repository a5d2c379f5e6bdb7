"""Begins a stream: who reads is handed what is written from now on, and first what was written since he last read."""

from __future__ import annotations

import psycopg

from controller.api.streams import messages
from controller.api.streams.follower import Follower
from controller.declared import lookups, stream
from controller.declared.stream import Position, TooMuchError

_MOST_AGAIN = 1000
_RETRY = b"retry: 2000\n\n"


def begin(conn: psycopg.Connection, follower: Follower, last: str | None) -> list[bytes]:
    """What is sent first, by a connection that sees what the reader may see.

    Args:
        conn: the database.
        follower: who reads; he has joined already, so nothing falls between.
        last: ``Last-Event-ID`` that he sent.
    """
    begun, at = [_RETRY], None
    if last is not None:
        at, again = _since(conn, follower, Position.read(last))
        begun += again
    at = at or stream.now(conn)
    return [*begun, messages.controller(lookups.leader(conn)), messages.position(at)]


def _since(conn: psycopg.Connection, follower: Follower, seen: Position | None) -> tuple[Position | None, list[bytes]]:
    if seen is None:
        return None, [messages.RESET]
    try:
        at, written = stream.since(conn, seen, _MOST_AGAIN)
    except TooMuchError:
        return None, [messages.RESET]
    return at, [message.frame for message in messages.read(conn, written) if follower.may_have(message)]
