"""Reads what is sent: not more than is allowed, in a form that the operation reads, and not nested without end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import anyio
import orjson
from starlette.requests import ClientDisconnect, Request

from controller.api.problems import Fault, ProblemError

JSON = "application/json"
MERGE = "application/merge-patch+json"
YAML = "application/yaml"
TEXT = "text/plain"
DEEPEST = 64
_NESTED = (dict, list)
_SECONDS = 30.0
"""That a body may take: it is read before anybody is known."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent, as bytes: it is read when it is known who sends it.

    Args:
        form: its media type; empty: nothing was sent where nothing needs to be.
    """

    form: str
    raw: bytes = field(repr=False)

    def read(self) -> Any:
        """A document of JSON, or the text of another form; of nothing, an empty document.

        Raises:
            ProblemError: it cannot be read.
        """
        if not self.form:
            return {}
        return _text(self.raw) if self.form in (YAML, TEXT) else document(self.raw)


async def receive(request: Request, forms: Sequence[str], most: int, *, optional: bool = False) -> Sent:
    """The body, not looked into.

    Raises:
        ProblemError: it is too large, too slow, or of another form.
    """
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if optional and not form and not await _bytes(request, most):
        return Sent("", b"")
    if form not in forms:
        accepts = ", ".join(forms)
        raise ProblemError("unsupported-media-type", f"this operation reads {accepts}", headers={"Accept": accepts})
    return Sent(form, await _bytes(request, most))


async def raw(request: Request, most: int) -> bytes:
    """The body as it came, of any form; raises as ``read``."""
    return await _bytes(request, most)


async def nothing(request: Request, most: int) -> None:
    """Read what was sent where nothing is expected."""
    await _bytes(request, most)


def document(raw: bytes) -> Any:
    """What JSON says.

    Raises:
        ProblemError: it is none, or nested too deeply.
    """
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        said = error.msg.partition(":")[0]
        if "depth" in said or "ecursion" in said:
            raise _too_deep() from None
        raise ProblemError(
            "malformed", "the body is no JSON", [Fault(f"{said}, at line {error.lineno}, column {error.colno}", "")]
        ) from None
    level = [found] if isinstance(found, _NESTED) else []
    for _ in range(DEEPEST):
        level = [
            each
            for one in level
            for each in (one.values() if isinstance(one, dict) else one)
            if isinstance(each, _NESTED)
        ]
        if not level:
            return found
    raise _too_deep()


def _too_deep() -> ProblemError:
    return ProblemError("malformed", f"it has more than {DEEPEST} levels", [Fault("take fewer levels", "")])


async def _bytes(request: Request, most: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_large(most)
    raw = bytearray()
    try:
        with anyio.fail_after(_SECONDS):
            async for piece in request.stream():
                raw += piece
                if len(raw) > most:
                    raise _too_large(most)
    except TimeoutError:
        said = f"the body did not come within {_SECONDS:.0f} s"
        raise ProblemError("malformed", said, headers={"Connection": "close"}) from None
    except ClientDisconnect:
        raise ProblemError("malformed", "the body ended before its end") from None
    return bytes(raw)


def _too_large(most: int) -> ProblemError:
    return ProblemError("too-large", f"a body has {most:,} bytes at most", headers={"Connection": "close"})


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ProblemError("malformed", "the body is not UTF-8", [Fault("save it as UTF-8", "")]) from None
