"""The lab's errors: one class, because every one of them ends the same way, with a sentence for the operator.

LabError
└── EngineApiError   the engine answered a call with an error
"""


class LabError(Exception):
    """The lab cannot do what was asked; the message says what is wrong, where, and how to mend it."""


class EngineApiError(LabError):
    """The engine refused a call. `status` is the HTTP status, `message` the engine's own words."""

    def __init__(self, method: str, path: str, status: int, message: str) -> None:
        super().__init__(f"{method} {path}: HTTP {status}: {message}")
        self.status = status
        self.message = message
