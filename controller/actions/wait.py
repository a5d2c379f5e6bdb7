"""Waits until declared objects are as declared."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from uuid import UUID

import psycopg

from controller.actions.errors import NotInTimeError
from controller.declared import readiness
from controller.declared.readiness import Progress
from reconcilers.conditions import PAUSED

POLL_SECONDS = 0.15

Show = Callable[[Sequence[Progress]], None]


def wait(conn: psycopg.Connection, keys: Sequence[tuple[str, UUID]], timeout: float, show: Show) -> None:
    """Return when every object is ready in its generation, or gone when its deletion was asked for.

    One that is stalled or paused is not waited for.

    Args:
        conn: a connection that is not in a transaction.
        keys: kind and id of each.
        timeout: seconds.
        show: is given how far they are, at each look.

    Raises:
        NotInTimeError: one is stalled or paused, or the time is over; says which and why.
    """
    started = time.monotonic()
    while keys:
        found = readiness.progress(conn, keys)
        show(found)
        if all(p.converged or is_stuck(p) for p in found) or time.monotonic() - started > timeout:
            _refuse(found, timeout)
            return
        time.sleep(POLL_SECONDS)


def is_stuck(found: Progress) -> bool:
    """Whether it will not come further by itself."""
    return found.current and (found.stalled or found.reason == PAUSED) and not found.converged


def _refuse(found: Sequence[Progress], timeout: float) -> None:
    stuck = [p for p in found if is_stuck(p)]
    late = [p for p in found if not p.converged and not is_stuck(p)]
    if stuck or late:
        raise NotInTimeError("\n".join([*map(_reason_stuck, stuck), *(_reason_late(p, timeout) for p in late)]))


def _reason_stuck(found: Progress) -> str:
    if found.reason == PAUSED:
        return f"{found.kind} {found.path} is paused: {found.message}"
    return f"{found.kind} {found.path} is stalled: {found.reason}: {found.message}"


def _reason_late(found: Progress, timeout: float) -> str:
    if found.nobody:
        return (
            f"{found.kind} {found.path} is not known to be ready after {timeout:g} s: {found.nobody} (start one with "
            "`skypanel up`, or see `skypanel doctor`)"
        )
    if not found.current:
        return (
            f"{found.kind} {found.path}: no controller has reconciled generation {found.generation} within "
            f"{timeout:g} s (start one with `skypanel up`, or see `skypanel doctor`)"
        )
    return f"{found.kind} {found.path} is not ready after {timeout:g} s: {found.reason}: {found.message}"
