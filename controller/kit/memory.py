"""What the process keeps of the memory that it has freed."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""As ``malloc.h`` of glibc has it."""
_LARGE_BYTES = 1 << 20


def give_back_large_blocks() -> bool:
    """Have blocks of 1 MiB and more go back to the system when they are freed; False where the C library cannot.

    glibc (mallopt(3)) raises the size from which it does so to that of what was freed, up to 32 MiB: the answer
    with a list of all services is then cut out of the heap, and leaves a hole that what is kept of it grows around.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES))
