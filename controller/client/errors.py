"""What can go wrong between a program and the API. No message of any of them has a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

PREFIX = "/problems/"


class ClientError(Exception):
    """The API could not be asked, or what answered was not it.

    Args:
        message: what is wrong.
        hint: what to do about it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Unreachable(ClientError):  # noqa: N818 - it is not there, not broken
    """Nobody answered. Whether something was done is known of reads alone: those do nothing."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request.

    Args:
        detail: what, and how to mend it.
        pointer: where in the body (RFC 6901); None: not in it.
        parameter: of the address, or a header; None: it is none.
        resource: kind and path, where the body has several; None: it has one.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None
    resource: str | None = None


class ApiProblem(ClientError):  # noqa: N818 - it is what RFC 9457 calls so
    """A refusal of the API, as RFC 9457 has it.

    Args:
        document: as it was answered.
        status: of HTTP.
        headers: of the answer, names in lower case.
    """

    name: ClassVar[str] = ""
    mend: str = ""
    """How problems of this type are mended in general; empty where this client does not know the type."""

    def __init__(self, document: Mapping[str, Any], status: int, headers: Mapping[str, str]) -> None:
        self.type = str(document.get("type", ""))
        self.title = str(document.get("title", f"HTTP {status}"))
        self.detail = str(document.get("detail", ""))
        self.status = status
        self.headers = headers
        self.request = str(document.get("request", ""))
        found = document.get("errors")
        self.faults: Sequence[Fault] = [_fault(each) for each in found] if isinstance(found, list) else ()
        super().__init__(self.detail or self.title, self.mend)

    @property
    def pointers(self) -> list[str]:
        """Where in the body something is wrong."""
        return [each.pointer for each in self.faults if each.pointer is not None]

    @property
    def retry_after(self) -> float | None:
        """After how many seconds the API asks to be asked again; None: it says nothing about it."""
        said = self.headers.get("retry-after", "")
        return float(said) if said.isascii() and said.isdigit() else None

    def __str__(self) -> str:
        faults = [": ".join(filter(None, (f.resource, f.pointer or f.parameter, f.detail))) for f in self.faults]
        return "\n".join([self.detail or self.title, *(f"  {said}" for said in faults if said != self.detail)])


def _fault(said: Any) -> Fault:
    found = said if isinstance(said, dict) else {}
    texts = {name: value for name, value in found.items() if isinstance(value, str)}
    return Fault(texts.get("detail", ""), texts.get("pointer"), texts.get("parameter"), texts.get("resource"))
