"""What a reconciler may be registered for."""

from __future__ import annotations

from typing import Any

import pytest

from reconcilers.objects import Objects
from reconcilers.outcomes import Done, Outcome
from reconcilers.ports import Context
from reconcilers.registry import reconciler, registered
from specs.snapshots import OrganizationSnapshot


async def _body(_context: Context, _snapshot: OrganizationSnapshot) -> Outcome:
    return Done()


def _nothing(*_: Any) -> Objects:
    return Objects()


@pytest.mark.parametrize(
    ("kind", "speaks_for"), [("environment", ()), ("domain", ()), ("pond", ("process",)), ("pond", ("environment",))]
)
def test_a_status_has_one_writer(kind: str, speaks_for: tuple[str, ...]) -> None:
    before = registered()
    with pytest.raises(ValueError, match="has a writer already"):
        reconciler(kind, snapshot=OrganizationSnapshot, preview=_nothing, speaks_for=speaks_for)(_body)
    assert registered() == before
