"""A document that cannot be deployed is said in the words of the specs, with the reason that the refusal has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from controller.records import InventoryRow, Key
from reconcilers.conditions import Condition
from reconcilers.environment.gates import admit
from reconcilers.outcomes import Outcome
from reconcilers.ports import Context
from specs.problems import NotSupported, Problem
from specs.snapshots import EnvironmentSnapshot
from tests.unit.loop.parts import Nothing, Table, manager, thing

pytestmark = pytest.mark.anyio
KEY = Key("thing", "00000000-0000-4000-8000-000000000001")
DOCUMENT = {
    "id": KEY.id,
    "name": "production",
    "swarm_name": "acme-shop-production",
    "organization": {"id": KEY.id, "slug": "acme"},
    "app": {"id": KEY.id, "slug": "shop"},
    "image_ref": "web:1",
}


async def said(
    document: Mapping[str, Any], refuse: Any = admit, inventory: tuple[InventoryRow, ...] = ()
) -> tuple[Condition, ...]:
    """The conditions that the worker writes of ``document``."""

    async def body(_: Context, __: Any) -> Outcome:
        raise AssertionError("it is not to be deployed")

    store = Table()
    store.declare(KEY, "acme")
    store.rows[KEY] = replace(store.rows[KEY], document=document, inventory=inventory)
    kind = replace(thing(body, concurrency=1), snapshot=EnvironmentSnapshot, admit=refuse)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(manager(store, Nothing(), kind).run)
            while not store.reports:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    return store.reports[0].statuses[0].conditions


async def test_a_broken_rule_is_one_line_that_names_the_columns() -> None:
    ready, stalled = await said({**DOCUMENT, "image_ref": "UPPER/x", "port": 0})
    assert (ready.status, stalled.type, stalled.reason) == ("False", "Stalled", "InvalidSpec")
    assert stalled.message == (
        'image_ref: "UPPER/x" is not an image reference: the name has upper case letters (write upper/x); '
        "port: 0 is not a port (1-65535)"
    )


@pytest.mark.parametrize("document", [None, 5, ["not", "an", "object"], {}])
async def test_what_is_no_document_is_said_without_the_words_of_a_library(document: Any) -> None:
    _, stalled = await said(document if document is not None else {"id": None})
    assert stalled.reason == "InvalidSpec"
    assert "pydantic" not in stalled.message
    assert "validation error" not in stalled.message


async def test_an_image_on_a_private_host_is_invalid_unless_the_operator_lists_it() -> None:
    _, stalled = await said({**DOCUMENT, "image_ref": "169.254.169.254/latest"})
    assert stalled.reason == "InvalidSpec"
    assert stalled.message.startswith('image_ref: "169.254.169.254" is not a registry that may be used')


async def test_what_would_have_no_effect_is_stalled_as_not_supported() -> None:
    def refuse(_: EnvironmentSnapshot, __: object) -> None:
        raise NotSupported([Problem("region", "eu", "has no effect yet", "set it to NULL")])

    _, stalled = await said(DOCUMENT, refuse)
    assert (stalled.reason, stalled.message) == ("NotSupported", "region: has no effect yet (set it to NULL)")


async def test_where_something_runs_it_is_said_that_it_does() -> None:
    made = InventoryRow("service", "web", "e1", state="present")
    _, stalled = await said({**DOCUMENT, "port": 0}, inventory=(made,))
    assert stalled.message.endswith("; what worked last runs meanwhile")
