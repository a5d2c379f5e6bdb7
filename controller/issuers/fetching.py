"""Asks an issuer for a document: HTTPS, no redirect, and a limit for everything that an answer can be.

An issuer is the operator's choice, so its address may be a private one. It is asked on threads that nothing waits for.
"""

from __future__ import annotations

import time

import urllib3
from urllib3.exceptions import HTTPError

from controller.access.issued_tokens import PublicKey
from controller.issuers.published import DISCOVERY, keys, keys_address
from controller.kit.version import own_version

_SECONDS = 10.0
_SILENT_SECONDS = 5.0
_LARGEST = 1 << 19
_PIECE = 1 << 14


class NoKeysError(Exception):
    """An issuer's keys could not be had; says why."""


def fetch(issuer: str) -> tuple[PublicKey, ...]:
    """The keys that ``issuer`` publishes now.

    Raises:
        NoKeysError: it does not answer, or answers something else.
    """
    with urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=_SILENT_SECONDS, read=_SILENT_SECONDS),
        retries=False,
        headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": _agent()},
    ) as pool:
        ends = time.monotonic() + _SECONDS
        try:
            address = issuer.rstrip("/") + DISCOVERY
            address = keys_address(_get(pool, address, ends), issuer)
            return keys(_get(pool, address, ends))
        except (HTTPError, OSError, ValueError) as error:
            raise NoKeysError(f"{address}: {_words(error)}") from None


def _get(pool: urllib3.PoolManager, address: str, ends: float) -> bytes:
    answer = pool.request("GET", address, preload_content=False, redirect=False)
    try:
        if answer.status != 200:
            raise ValueError(f"it answers {answer.status}")
        found = bytearray()
        while piece := answer.read1(_PIECE, decode_content=False):  # what there is: else it waits for a whole piece
            found += piece
            if len(found) > _LARGEST:
                raise ValueError(f"it is larger than {_LARGEST} bytes")
            if time.monotonic() > ends:
                raise ValueError(f"it takes longer than {_SECONDS:.0f} s")
        return bytes(found)
    finally:
        answer.close()


def _agent() -> str:
    return f"skypanel/{own_version().replace(' ', '-')}"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
