"""Mailboxes in the simulator: what it does not have of its own, and what happens to them."""

from __future__ import annotations

from typing import Any

from acme_mail.reconciler import Postmaster

from controller.records import Key
from tests.sim.ports import SimThings, simulated
from tests.sim.scenario import Desk, scenario
from tests.sim.scenarios.organization import organization


@simulated(Postmaster)
class SimPostmaster(SimThings, Postmaster):
    """Accounts of one world."""


def mailbox(desk: Desk, acme: Key, name: str, **fields: Any) -> Key:
    """A mailbox as the panel declares it, with one alias."""
    found = desk.identify("mailbox", name)
    alias = {"id": desk.identify("alias", name), "name": "sales", "target": "ada@acme.example", "generation": 1}
    document = {
        "id": found,
        "organization_id": acme.id,
        "organization": "acme",
        "name": name,
        "image_ref": "127.0.0.1:5000/mail:1",
        "domain": f"{name}.example",
        "aliases": [alias],
        **fields,
    }
    return desk.put("mailbox", name, document, organization=acme.id, depends_on=[acme])


@scenario()
async def comes_changes_and_goes(desk: Desk) -> None:
    acme = organization(desk, "acme")
    post = mailbox(desk, acme, "post")
    await desk.settle()
    assert desk.reason(post) == "Serving"
    desk.change(post, image_ref="127.0.0.1:5000/mail:2")
    await desk.settle()
    desk.change(post, domain="mail.example")
    await desk.settle()
    assert list(desk.port(Postmaster).found) == ["mail.example"]
    desk.delete(post)
    await desk.settle()


@scenario()
async def is_repaired(desk: Desk) -> None:
    acme = organization(desk, "acme")
    post = mailbox(desk, acme, "post")
    await desk.settle()
    desk.port(Postmaster).found.clear()
    desk.database.ask(post, "once")
    await desk.settle()
    assert list(desk.port(Postmaster).found) == ["post.example"]


@scenario()
async def is_dropped(desk: Desk) -> None:
    acme = organization(desk, "acme")
    post = mailbox(desk, acme, "post")
    await desk.settle()
    desk.drop(post)
    await desk.settle()
