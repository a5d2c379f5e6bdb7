"""What comes back: an answer with its tag, and messages of a stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_LONGEST = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Args:
        body: the document; a text where it is none.
        status: of HTTP.
        headers: with names in lower case.
    """

    body: Any
    status: int
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def etag(self) -> str | None:
        """For ``If-Match``: only in the generation that was read."""
        return self.headers.get("etag")


@dataclass(frozen=True, slots=True)
class Message:
    """Of a stream.

    Args:
        event: ``object``, ``gone``, ``event``, ``controller``, ``reset`` or ``end``.
        data: the document.
        id: from where a stream goes on after it, with ``last_event_id``.
    """

    event: str
    data: Any
    id: str


def etag_of(document: Mapping[str, Any]) -> str:
    """The tag of an object as it was read, for ``if_match``.

    Raises:
        KeyError: the document has no generation.
    """
    return f'"g{document["metadata"]["generation"]}"'


def events(lines: Iterable[bytes]) -> Iterator[tuple[str, str, str]]:
    """Event, data and id of each message of server-sent events, whose lines these are; of an id alone, no data.

    Raises:
        ValueError: a message is larger than any of the API's.
    """
    event, data, last, size = "", list[str](), "", 0
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        size += len(raw)
        if size > _LONGEST:
            raise ValueError("a message of the stream has no end")
        if not line:
            if data or last:
                yield event or "message", "\n".join(data), last
            event, data, last, size = "", [], "", 0
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            last = value
