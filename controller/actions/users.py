"""Users, as far as declaring needs them: an organization has an owner. Passwords are the panel's affair."""

from __future__ import annotations

import psycopg

from controller.actions.errors import ActionError
from controller.declared.outlast import outlasting
from controller.postgres.statements import statement
from specs.problems import RefusedError
from specs.rules import check_email

NO_PASSWORD = "!"  # noqa: S105 - no hash is like it, so nobody logs in with it
"""What stands in the place of a password's hash."""


@outlasting
def add(conn: psycopg.Connection, email: str, name: str) -> bool:
    """Make a user who cannot log in anywhere, unless there is one of this address; whether one was made.

    Raises:
        ActionError: it is no e-mail address.
    """
    try:
        address = check_email(email)
    except RefusedError as error:
        raise ActionError(error.message, error.hint) from None
    row = conn.execute(
        statement("declared/users/add").encode(), {"email": address, "name": name or address, "hash": NO_PASSWORD}
    ).fetchone()
    return row is not None
