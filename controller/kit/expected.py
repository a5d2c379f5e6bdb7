"""Errors whose words are for whoever runs a command: what is wrong and how to mend it, without a traceback."""

from __future__ import annotations


class ExpectedError(Exception):
    """Nothing is broken in here; the message says what to do."""
