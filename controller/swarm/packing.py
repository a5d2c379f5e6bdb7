"""Packs documents that are much like one another: what one of them has said before is not held again.

Deflate (zlib) with one of the documents as its dictionary. Of one that is like it little remains.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

_LEVEL = 1
_RAW = -15
"""Neither header nor checksum: what is packed never leaves the process."""
_PATTERN_BYTES = 1500
"""A shorter document says too little of what is in the others."""


class Packed(NamedTuple):
    """A document."""

    data: bytes
    pattern: bytes

    def unpacked(self) -> bytes:
        """As it was."""
        return zlib.decompressobj(_RAW, zdict=self.pattern).decompress(self.data)


class Packing:
    """Packs documents; the first one that is long enough is the pattern of all that come after it."""

    def __init__(self) -> None:
        self._pattern = b""

    def packed(self, data: bytes) -> Packed:
        """``data``, shorter."""
        if not self._pattern and len(data) >= _PATTERN_BYTES:
            self._pattern = data
        packer = zlib.compressobj(_LEVEL, wbits=_RAW, zdict=self._pattern)
        return Packed(packer.compress(data) + packer.flush(), self._pattern)
