"""The demo's own error; those of the parts (`LabError`, `PostgresError`) pass through as they are."""


class DemoError(Exception):
    """A step did not work; the message says what, where, and how to mend it."""
