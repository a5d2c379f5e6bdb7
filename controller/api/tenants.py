"""Has a connection see what a caller may see, and say for whom it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg

from controller.api.callers import Caller
from controller.postgres.tenancy import Tenancy, TenantConnection
from controller.postgres.tenancy import acting as acting_for


@contextmanager
def saying(conn: psycopg.Connection[Any], reason: str = "", commit: str = "") -> Iterator[None]:
    """Have what is written within say why, and from which commit: releases and the audit have it."""
    assert isinstance(conn, TenantConnection)
    before = conn.tenancy
    assert before is not None
    conn.tenancy = replace(before, reason=reason, commit=commit)
    try:
        yield
    finally:
        conn.tenancy = before


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
