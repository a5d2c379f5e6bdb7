"""A list of services as the engine sent it, taken apart without decoding it.

Most of a list says what the last one said. An element whose bytes are the same as those that are held need not be
decoded, which is most of the cost of a comparison that finds nothing to do.

The elements are told apart by what is between two of them. That could also be within one, should the engine ever put
such objects into a list of its own; then the parts are no JSON, and whoever decodes one finds out. Inside a string it
cannot be: quotes are escaped there.
"""

from __future__ import annotations

from collections.abc import Iterator

import orjson

_BEGINS = b'{"ID":"'
_BETWEEN = b"}," + _BEGINS
_COUNTS = b',"ServiceStatus":{'  # a label may be called so, but its value is a string


Counts = tuple[int, int, int]
"""Tasks of a service or a job: those that run, those that should (of a job: at most, at a time), and those of a job's
present run that have ended well."""
NONE: Counts = 0, 0, 0


def elements(data: bytes) -> Iterator[bytes]:
    """The elements of a JSON array of objects, in their order.

    Raises:
        ValueError: it is no array.
    """
    begin, end = data.find(b"["), data.rfind(b"]")
    if begin < 0 or end < begin:
        if data.strip() in (b"", b"null"):
            return
        raise ValueError("the engine's answer is not a list")
    at = begin + 1
    while (found := data.find(_BETWEEN, at, end)) >= 0:
        yield data[at : found + 1]
        at = found + 2
    if data[at:end].strip():
        yield data[at:end]


def decoded(data: bytes) -> Iterator[bytes]:
    """``elements`` by decoding the whole: for a list that could not be taken apart.

    Raises:
        ValueError: it is no JSON.
    """
    for document in orjson.loads(data) or ():
        yield bytes(memoryview(orjson.dumps(document)))  # copied out of a buffer that is larger


def id_of(element: bytes) -> str | None:
    """The id, without decoding; None when it is not where it always is."""
    if not element.startswith(_BEGINS):
        return None
    return element[len(_BEGINS) : element.index(b'"', len(_BEGINS))].decode()


def without_counts(element: bytes) -> tuple[bytes, Counts]:
    """The element as it is when tasks are not counted; and the counts."""
    begin = element.rfind(_COUNTS)
    if begin < 0:
        return element, NONE
    end = element.index(b"}", begin) + 1
    found = orjson.loads(element[begin + len(_COUNTS) - 1 : end])
    counts = found.get("RunningTasks", 0), found.get("DesiredTasks", 0), found.get("CompletedTasks", 0)
    return element[:begin] + element[end:], counts
