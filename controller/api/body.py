"""Reads what is sent: not more than is allowed, in a form that the operation reads, and not nested without end."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
_SECONDS = 30.0
"""That a body may take: it is read before anybody is known."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)


async def read(request: Request, forms: Sequence[str], most: int, *, optional: bool = False) -> Any:
    """The body: a document of JSON, or the text of another form; of none that is ``optional``, an empty document.

    Raises:
        ProblemError: it is too large, too slow, of another form, or cannot be read.
    """
    form = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if optional and not form and not await _bytes(request, most):
        return {}
    if form not in forms:
        accepts = ", ".join(forms)
        raise ProblemError("unsupported-media-type", f"this operation reads {accepts}", headers={"Accept": accepts})
    raw = await _bytes(request, most)
    if form in (YAML, TEXT):
        return _text(raw)
    return document(raw)


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
    if raw.count(b"[") + raw.count(b"{") > DEEPEST and _depth(raw) > DEEPEST:
        raise ProblemError("malformed", f"it has more than {DEEPEST} levels", [Fault("take fewer levels", "")])
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        said = error.msg.partition(":")[0]
        raise ProblemError(
            "malformed", "the body is no JSON", [Fault(f"{said}, at line {error.lineno}, column {error.colno}", "")]
        ) from None


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


def _depth(raw: bytes) -> int:
    depth = deepest = 0
    for token in _TOKEN.finditer(raw):
        if token[0] in b"[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > DEEPEST:
                break
        elif token[0] in b"]}":
            depth -= 1
    return deepest
