"""What a route is, as data: the application serves it, ``openapi`` describes it, a test walks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.api.asked import Handler

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of the address behind the ``?``, or a header.

    Args:
        name: as it is written.
        means: for people.
        schema: of JSON Schema.
        header: it is one.
        required: it has to be there.
    """

    name: str
    means: str
    schema: Schema = field(default_factory=lambda: {"type": "string"})
    header: bool = False
    required: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address.

    Args:
        method: GET, PUT, PATCH, POST or DELETE.
        address: with the names in braces.
        name: tells it from all others, in camelCase.
        group: of operations that belong together.
        summary: a line.
        means: more, for people.
        handler: does it.
        example: what is answered, for instance.
        answers: schema of that.
        problems: names of types that it may answer with, beside those of every operation.
        parameters: that it reads.
        forms: of bodies that it reads; none: it has none.
        optional: the body may be left out.
        sent: what is sent, for instance.
        takes: schema of that.
        writes: it changes something.
        open: nobody has to be known.
        logs_in: it is tried to log in by it.
        status: when it is done.
        media_type: of the answer.
    """

    method: str
    address: str
    name: str
    group: str
    summary: str
    handler: Handler
    example: Any
    means: str = ""
    answers: Schema = field(default_factory=lambda: {"type": "object"})
    problems: Sequence[str] = ()
    parameters: Sequence[Parameter] = ()
    forms: Sequence[str] = ()
    optional: bool = False
    sent: Any = None
    takes: Schema = field(default_factory=lambda: {"type": "object"})
    writes: bool = False
    open: bool = False
    logs_in: bool = False
    status: int = 200
    media_type: str = "application/json"

    @property
    def queried(self) -> Mapping[str, Parameter]:
        """Parameters behind the ``?``, by name."""
        return {each.name: each for each in self.parameters if not each.header}


BOOLEAN: Schema = {"type": "string", "enum": ["true", "false"]}
"""Of a flag in the address."""


def whole(least: int, most: int) -> Schema:
    """Of a number in the address."""
    return {"type": "integer", "minimum": least, "maximum": most}
