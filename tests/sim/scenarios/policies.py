"""Image policies: what is new is refused, what runs already is marked or stopped, and each verdict is a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from controller.kit import clock
from controller.records import Key
from reconcilers.images import Images
from specs.vulnerabilities import SEVERITIES, VulnerabilityReport
from tests.sim import images
from tests.sim.database import scans
from tests.sim.database.documents import verdicts
from tests.sim.scenario import Simulation, scenario
from tests.sim.scenarios.config import service
from tests.sim.scenarios.environment import WEB, WEB2, environment
from tests.sim.scenarios.images import content, image
from tests.sim.scenarios.organization import organization


def verdict(sim: Simulation, shop: Key) -> tuple[object, object, object]:
    """Of the newest row: the image, the verdict, its reason."""
    table, of = verdicts(shop)
    rows = [row for (name, where), row in sim.database.rows.items() if name == table and of in where]
    newest = rows[-1]
    return newest["image"], newest["verdict"], newest["reason"]


def running(sim: Simulation, shop: Key) -> int:
    """Tasks that its service shall have."""
    return int(service(sim, shop)["Mode"]["Replicated"]["Replicas"])


def policy(enforcement: str, *blocked: str) -> dict[str, Any]:
    """That blocks patterns."""
    return {"blocked_patterns": list(blocked), "enforcement": enforcement}


@scenario()
async def a_new_image_that_a_policy_blocks_is_not_run_nor_asked_for(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=policy("new", WEB2))
    await sim.settle()
    assert (sim.reason(shop), verdict(sim, shop)) == ("Deployed", (content(WEB), "allowed", ""))
    sim.change(shop, image_ref=WEB2, instances=2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageBlocked", content(WEB), 2)
    assert verdict(sim, shop) == (WEB2, "refused", "ImageBlocked")
    assert WEB2 not in sim.port(Images).asked
    sim.change(shop, image_policy=None)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario()
async def a_policy_that_becomes_stricter_marks_what_runs_or_stops_it(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=policy("new", WEB), instances=2)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 2), "it is marked, and scaled as ever"
    assert verdict(sim, shop) == (content(WEB), "marked", "ImageBlocked")
    sim.change(shop, image_policy=policy("all", WEB))
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageBlocked", 0)
    assert verdict(sim, shop)[1] == "stopped"
    sim.change(shop, image_policy=policy("audit", WEB))
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 2)
    assert verdict(sim, shop)[1] == "audited"


@scenario()
async def what_is_blocked_does_not_serve_in_place_of_another_that_is(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=policy("all", "*/web:*", "web:*", "web2:*", WEB, WEB2), image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageBlocked", content(WEB), 0)


@scenario()
async def content_that_is_blocked_is_found_under_every_tag(sim: Simulation) -> None:
    blocked = policy("new", f"*@{content(WEB2).partition('@')[2]}")
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=blocked)
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("ImageBlocked", content(WEB))
    assert verdict(sim, shop) == (content(WEB2), "refused", "ImageBlocked")


KEY, OTHER = (
    f"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE{letter * 86}==\n-----END PUBLIC KEY-----\n"
    for letter in "AQ"
)


def pinned(reference: str) -> str:
    """As its signatures are asked for."""
    return images.facts_of(reference).pinned


def signed(enforcement: str, *keys: str) -> dict[str, Any]:
    """That requires a signature by one of ``keys``."""
    return {"require_signed": True, "signature_keys": list(keys), "enforcement": enforcement}


@scenario()
async def what_nobody_has_signed_is_not_run(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=signed("new", KEY))
    sim.port(Images).signatures = {pinned(WEB): {KEY}, pinned(WEB2): {OTHER}}
    await sim.settle()
    assert (sim.reason(shop), verdict(sim, shop)[1]) == ("Deployed", "allowed")
    sim.port(Images).failures[pinned(WEB)] = images.unavailable
    sim.change(shop, cmd=["serve"])
    await sim.settle()
    assert sim.reason(shop) == "Deployed", "who has signed a digest is not asked twice"
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("ImageNotSigned", content(WEB))
    sim.change(shop, image_policy=signed("new", KEY, OTHER))
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario()
async def what_runs_unsigned_is_stopped_and_not_started_for_another(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=signed("all", KEY))
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("ImageNotSigned", 0)
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("ImageNotSigned", content(WEB), 0)
    sim.port(Images).signatures[pinned(WEB2)] = {KEY}
    sim.database.ask(shop, "look")
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Deployed", content(WEB2), 1)


@scenario()
async def a_registry_that_is_away_stops_nothing_that_runs(sim: Simulation) -> None:
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.port(Images).failures[pinned(WEB)] = images.unavailable
    sim.change(shop, image_policy=signed("all", KEY))
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 1)
    assert verdict(sim, shop)[1:] == ("marked", "SignatureUnknown")
    sim.port(Images).failures[WEB2] = images.unavailable
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("RegistryUnavailable", 1)


# -- vulnerability reports ---------------------------------------------------------------------------------------------


def limited(enforcement: str = "new", **limits: Any) -> dict[str, Any]:
    """That limits vulnerabilities."""
    return {"vulnerabilities": limits or {"critical": 0}, "enforcement": enforcement}


def scan(sim: Simulation, reference: str, *, age_days: float = 0.0, **counts: int) -> None:
    """Somebody scans an image, some days ago, and hands the report in; all that is found can be mended."""
    digest = pinned(reference).partition("@")[2]
    found = {name: counts.get(name, 0) for name in SEVERITIES}
    at = datetime.fromtimestamp(clock.wall(), UTC) - timedelta(days=age_days)
    scans.put(sim.database, VulnerabilityReport(digest, (digest,), "trivy", at, found, found, "another's name"))


@scenario()
async def a_new_image_waits_for_its_report_and_goes_on_when_it_is_handed_in(sim: Simulation) -> None:
    scan(sim, WEB)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited())
    await sim.settle()
    assert (sim.reason(shop), verdict(sim, shop)) == ("Deployed", (content(WEB), "allowed", ""))
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("NotScanned", content(WEB), 1)
    assert verdict(sim, shop) == (content(WEB2), "awaited", "NotScanned")
    scan(sim, WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario()
async def a_report_that_finds_too_much_refuses_what_is_new(sim: Simulation) -> None:
    scan(sim, WEB, high=2)
    scan(sim, WEB2, critical=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited(critical=0, high=2))
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Vulnerable", content(WEB))
    assert verdict(sim, shop) == (content(WEB2), "refused", "Vulnerable")
    sim.change(shop, image_policy=limited(critical=1))
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario()
async def a_worse_report_marks_what_runs_or_stops_it(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    owner = organization(sim, "acme")
    shop = environment(sim, owner, "shop", image_policy=limited("new"))
    strict = environment(sim, owner, "strict", image_policy=limited("all"))
    await sim.settle()
    assert (sim.reason(shop), sim.reason(strict)) == ("Deployed", "Deployed")
    scan(sim, WEB, critical=3)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop), verdict(sim, shop)[1]) == ("Deployed", 1, "marked")
    assert (sim.reason(strict), running(sim, strict), verdict(sim, strict)[1]) == ("Vulnerable", 0, "stopped")


@scenario()
async def what_serves_is_stopped_also_while_another_image_is_waited_for(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited("all"))
    await sim.settle()
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("NotScanned", content(WEB), 1)
    scan(sim, WEB, critical=1)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("NotScanned", content(WEB), 0)
    scan(sim, WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop), running(sim, shop)) == ("Deployed", content(WEB2), 1)


@scenario()
async def what_runs_is_never_stopped_for_want_of_a_report(sim: Simulation) -> None:
    scan(sim, WEB, age_days=8)
    shop = environment(sim, organization(sim, "acme"), "shop")
    await sim.settle()
    sim.change(shop, image_policy=limited("all", critical=0, max_age_days=9, without_report="refuse"))
    await sim.settle()
    assert verdict(sim, shop)[1:] == ("allowed", "")
    sim.jump(2 * 86_400)
    sim.database.ask(shop, "look")
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 1)
    assert verdict(sim, shop)[1:] == ("marked", "NotScanned")
    sim.change(shop, image_ref=WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("NotScanned", content(WEB))
    assert verdict(sim, shop) == (content(WEB2), "refused", "NotScanned")
    scan(sim, WEB2)
    await sim.settle()
    assert (sim.reason(shop), image(sim, shop)) == ("Deployed", content(WEB2))


@scenario(counts=False)  # an old answer of who has the reports starts it, for as long as that one is old
async def what_was_stopped_is_not_started_by_another_release_of_it(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited("all"))
    await sim.settle()
    scan(sim, WEB, critical=3)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop), verdict(sim, shop)[1]) == ("Vulnerable", 0, "stopped")
    sim.change(shop, cmd=["other"])
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Vulnerable", 0)
    scan(sim, WEB)
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Deployed", 1)


@scenario()
async def what_a_report_condemns_is_stopped_also_while_another_release_of_it_is_refused(sim: Simulation) -> None:
    scan(sim, WEB, age_days=1)
    shop = environment(sim, organization(sim, "acme"), "shop", image_policy=limited("all"))
    await sim.settle()
    scan(sim, WEB, critical=3)
    sim.change(shop, cmd=["other"])
    await sim.settle()
    assert (sim.reason(shop), running(sim, shop)) == ("Vulnerable", 0)
