"""The rows of the simulated database, and the record of all that was ever written to it.

A JSON document is kept as text, as a database does: nobody can share one with anybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Any, NamedTuple

import orjson

from controller.records import Key, Pause
from reconcilers.conditions import Status

_BACKSLASH_OR_NUL = re.compile(rb"\\\\|\\u0000")


class Declared(NamedTuple):
    """What a snapshot view gives of one object."""

    organization_id: str
    generation: int
    document: bytes
    deleted: bool


class Logged(NamedTuple):
    """A row of the change log."""

    key: Key
    organization_id: str | None


class Made(NamedTuple):
    """A row of the inventory."""

    object_type: str
    name: str
    owner: Key
    organization_id: str | None
    engine_id: str | None
    spec_hash: str | None
    failed_hash: str | None
    last_good: bytes | None
    state: str
    epoch: int
    template_hash: str | None = None


class Said(NamedTuple):
    """A row of the status table."""

    organization_id: str | None
    observed_generation: int
    conditions: bytes
    ready: bool
    reason: str
    message: str
    details: bytes
    finalized_at: float | None
    epoch: int
    handled_token: str | None = None
    parent: Key | None = None


class Happened(NamedTuple):
    """A row of the events."""

    key: Key
    organization_id: str | None
    type: str
    reason: str
    message: str
    times: int
    first_at: float
    last_at: float


class Held(NamedTuple):
    """A row of the leases."""

    holder: str
    epoch: int
    expires_at: float


class Subnet(NamedTuple):
    """A row of the address plan; ``state`` is ``allocated``, ``quarantined`` or ``reserved``."""

    network: IPv4Network
    organization_id: str | None
    state: str
    released_at: float | None = None


class Fuse(NamedTuple):
    """The row of the fuse."""

    tripped_at: float | None = None
    live_count: int = 0


class Waiting(NamedTuple):
    """A row of what the fuse holds."""

    why: str
    objects: int
    processes: int
    hosts: int
    confirmed: bool = False


class Version(NamedTuple):
    """How one object once looked: its row (None: gone), what was made for it, what was said of it.

    ``hidden``: the snapshot view does not show it; ``tombstone``: it was deleted.
    """

    declared: Declared | None
    made: tuple[Made, ...]
    said: Said | None
    paused: Pause | None = None
    token: str = ""
    hidden: bool = False
    tombstone: bool = False


class Write(NamedTuple):
    """One statement that changes something, also one that was refused.

    ``n`` counts all statements; ``rows`` is how many rows changed, 0 for one that said what was known.
    """

    n: int
    time: float
    holder: str
    epoch: int
    operation: str
    keys: tuple[Key, ...]
    accepted: bool
    rows: int


class StatusWritten(NamedTuple):
    """A status that changed its row, in the write ``n``; ``generation`` is the object's then, None when it was gone."""

    n: int
    epoch: int
    status: Status
    generation: int | None


class EventWritten(NamedTuple):
    """An event that was said in the write ``n``; ``counted``: it raised the count of an equal one."""

    n: int
    key: Key
    type: str
    reason: str
    message: str
    counted: bool


@dataclass(slots=True)
class History:
    """All that was ever written, in order."""

    writes: list[Write] = field(default_factory=list)
    statuses: list[StatusWritten] = field(default_factory=list)
    events: list[EventWritten] = field(default_factory=list)


def dumps(document: Any) -> bytes:
    """JSON as the store sends it: equal documents are equal texts, and a NUL becomes U+FFFD."""
    text = orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    if b"\\u0000" not in text:
        return text
    return _BACKSLASH_OR_NUL.sub(lambda found: b"\\ufffd" if found[0] == b"\\u0000" else found[0], text)


def storable(text: str) -> str:
    """Text as the store sends it."""
    return text.replace("\0", "\ufffd")
