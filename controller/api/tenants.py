"""Has a connection see what a caller may see, and say for whom it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from controller.api.callers import Caller
from controller.postgres.tenancy import Tenancy, TenantConnection
from controller.postgres.tenancy import acting as acting_for


@contextmanager
def acting(conn: TenantConnection[Any], caller: Caller, address: str, request: str) -> Iterator[None]:
    """Work for ``caller`` within."""
    tenancy = Tenancy(
        organization=caller.organization,
        platform=caller.platform,
        actor=caller.actor,
        means=caller.means,
        address=address,
        request=request,
    )
    with acting_for(conn, tenancy):
        yield
