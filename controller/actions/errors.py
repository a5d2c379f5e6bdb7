"""What an action refuses, and what it waited for in vain."""

from __future__ import annotations


class ActionError(Exception):
    """An expected failure: bad input, or what cannot be done as things are; nothing was half done.

    Args:
        message: what is wrong, and where.
        hint: how to mend it; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class NotInTimeError(ActionError):
    """What was asked for is written and goes on; it was not so in time, or it is stuck."""
