"""Where a command goes: to the API of a context, or to a database."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from controller.actions.errors import ActionError
from controller.cli import contexts
from controller.cli.contexts import Context
from controller.cli.helped import context as of_option

if TYPE_CHECKING:
    from controller.client import Client


def named() -> str:
    """The context that is named, by an option or in the environment; empty: none."""
    return of_option.get() or os.environ.get(contexts.CONTEXT, "")


def context(*, settings_named: bool) -> Context | None:
    """The context that is meant; None: the database of the settings."""
    return contexts.chosen(named(), settings_named=settings_named)


@contextmanager
def client_of(found: Context, *, patience: float = 5.0, timeout: float = 30.0) -> Iterator[Client]:
    """Calls of its API.

    Raises:
        ActionError: its address or its token cannot be one.
    """
    from controller.client import Client, ClientError  # noqa: PLC0415 - who asks a database starts faster without it

    try:
        client = Client(
            found.url, found.token, organization=found.organization or None, allow_http=found.allow_http,
            ca_file=found.ca_file or None, agent="skypanel-cli", patience=patience, timeout=timeout,
        )  # fmt: skip
    except ClientError as error:
        where = f"context {found.name}" if found.name != contexts.API_URL else contexts.API_URL
        raise ActionError(f"{where}: {error}", error.hint) from None
    with client:
        yield client


def refuse_api(command: str, found: Context | None) -> None:
    """Have a command that works on a database not be thought to have asked an API.

    Raises:
        ActionError: an API is meant.
    """
    if found is not None and found.url:
        raise ActionError(
            f"`skypanel {command}` works on the database and the engine, not through the API of {found.name}",
            "run it on the controller's machine, or where DATABASE_URL is set; --context names a context of a database",
        )
