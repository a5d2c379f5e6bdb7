"""Mailboxes in the simulator: what it does not have of its own, and what happens to them."""

from __future__ import annotations

from typing import Any

from acme_mail.reconciler import Postmaster

from controller.records import Key
from tests.sim.ports import SimThings, simulated
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.organization import organization


@simulated(Postmaster)
class SimPostmaster(SimThings, Postmaster):
    """Accounts of one world."""


def mailbox(sim: Simulation, acme: Key, name: str, **fields: Any) -> Key:
    """A mailbox as the panel declares it, with one alias."""
    found = sim.identify("mailbox", name)
    alias = {"id": sim.identify("alias", name), "name": "sales", "target": "ada@acme.example", "generation": 1}
    document = {
        "id": found,
        "organization_id": acme.id,
        "organization": sim.document(acme)["slug"],
        "name": name,
        "image_ref": "127.0.0.1:5000/mail:1",
        "domain": f"{name}.example",
        "aliases": [alias],
        **fields,
    }
    return sim.put("mailbox", name, document, organization=acme.id, depends_on=[acme])


@scenario()
async def comes_changes_and_goes(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    post = mailbox(sim, acme, "post")
    await sim.settle()
    assert sim.reason(post) == "Serving"
    sim.change(post, image_ref="127.0.0.1:5000/mail:2")
    await sim.settle()
    sim.change(post, domain="mail.example")
    await sim.settle()
    assert list(sim.port(Postmaster).found) == ["mail.example"]
    sim.delete(post)
    await sim.settle()


@scenario()
async def is_repaired(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    post = mailbox(sim, acme, "post")
    await sim.settle()
    sim.port(Postmaster).found.clear()
    sim.database.ask(post, "once")
    await sim.settle()
    assert list(sim.port(Postmaster).found) == ["post.example"]


@scenario()
async def is_dropped(sim: Simulation) -> None:
    acme = organization(sim, "acme")
    post = mailbox(sim, acme, "post")
    await sim.settle()
    sim.drop(post)
    await sim.settle()


@scenario(counts=False)
async def waits_for_a_domain_of_another_tenant(sim: Simulation) -> None:
    first = mailbox(sim, organization(sim, "acme"), "post", domain="mail.example")
    await sim.settle()
    second = mailbox(sim, organization(sim, "beta"), "mail")
    await sim.settle()
    assert [sim.reason(first), sim.reason(second)] == ["Serving", "NameStillInUse"]
    sim.delete(first)
    await sim.settle()
    assert sim.reason(second) == "Serving"


@scenario(counts=False)
async def two_tenants_ask_for_one_domain_at_once(sim: Simulation) -> None:
    both = [mailbox(sim, organization(sim, slug), slug, domain="mail.example") for slug in ("acme", "beta")]
    await sim.sleep(30.0)
    sim.delete(*both)
    await sim.settle()
