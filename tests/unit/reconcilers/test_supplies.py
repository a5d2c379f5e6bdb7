"""What is found out of an image again, when somebody asks for a look: an upgrade restarts nothing by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from reconcilers.environment.supplies import looked_up
from reconcilers.images import ImageFacts
from tests.unit.reconcilers.documents import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcilers.ports import Context

pytestmark = pytest.mark.anyio

NAME = "registry.example.com/shop"
FIRST, SECOND = (f"{NAME}@sha256:{digit * 64}" for digit in "12")
KNOWN = {"reference": f"{NAME}:1", "pinned": FIRST, "architecture": "amd64", "cmd": ["serve"]}
FOUND = ImageFacts(FIRST, "amd64", cmd=("serve",), stop_signal="SIGQUIT")


class Asked:
    """A context in which somebody has asked for a look."""

    organization_id, id, requested = "acme", "e", True

    def __init__(self, found: ImageFacts) -> None:
        self.found = found
        self.rows: list[Mapping[str, object]] = []

    def port(self, _: Any) -> Asked:
        return self

    async def look_up(self, _reference: str, _organization_id: str, _login: Any) -> ImageFacts:
        return self.found

    async def write_row(self, _table: str, _key: Mapping[str, object], values: Mapping[str, object]) -> None:
        self.rows.append(values)


async def stop_signal(found: ImageFacts, **known: Any) -> tuple[str | None, int]:
    """That a render goes by, and how many rows were written."""
    asked = Asked(found)
    snapshot = await looked_up(cast("Context", asked), environment(resolved={**KNOWN, **known}))
    assert snapshot.resolved is not None
    return snapshot.resolved.stop_signal, len(asked.rows)


async def test_what_was_not_asked_of_the_same_content_before_is_not_used_now() -> None:
    assert await stop_signal(FOUND) == (None, 0)


async def test_what_runs_by_its_index_is_not_run_by_its_own_digest_because_somebody_asked_for_a_look() -> None:
    index = FIRST.partition("@")[2]
    found = replace(FOUND, pinned=SECOND, digests=(index, SECOND.partition("@")[2]))
    asked = Asked(found)
    snapshot = await looked_up(cast("Context", asked), environment(resolved=KNOWN))
    assert snapshot.resolved is not None
    assert snapshot.resolved.pinned == FIRST
    assert (snapshot.resolved.index, snapshot.resolved.stop_signal) == ("", None)
    new = await looked_up(cast("Context", asked), environment(resolved=None, image_ref=f"{NAME}:1"))
    assert new.resolved is not None
    assert (new.resolved.pinned, new.resolved.index, new.resolved.meant) == (SECOND, index, FIRST)


@pytest.mark.parametrize("other", [replace(FOUND, pinned=SECOND), replace(FOUND, cmd=("other",))])
async def test_of_another_content_all_is_used(other: ImageFacts) -> None:
    assert await stop_signal(other) == ("SIGQUIT", 1)
