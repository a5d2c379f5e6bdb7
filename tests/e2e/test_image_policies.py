"""Image policies through the whole controller: what nobody has signed or scanned is not run, until somebody has."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from psycopg.types.json import Jsonb

from tests.e2e.test_registries import PASSWORDS, Private, private, registries, said, tasks
from tests.e2e.world import WEB, World, eventually
from tests.registry.real import USER
from tests.registry.signing import new_key, sign

__all__ = ["private"]


def report(here: World, image_id: str, *digests: str, days: float = 0, **found: int) -> str:
    """Hand in what a scanner found in an image, as Trivy writes it; what the command printed."""
    entries = [
        {"VulnerabilityID": f"CVE-2026-{number}", "PkgName": "libx", "Severity": severity.upper(), "FixedVersion": "2"}
        for severity, count in found.items()
        for number in range(count)
    ]
    document = {
        "SchemaVersion": 2,
        "CreatedAt": (datetime.now(UTC) - timedelta(days=days)).isoformat(),
        "ArtifactName": "registry.example.com/their/web:1",
        "ArtifactType": "container_image",
        "Metadata": {
            "ImageID": image_id,
            "RepoDigests": [f"registry.example.com/their/web@{each}" for each in digests],
        },
        "Results": [{"Target": "web", "Class": "lang-pkgs", "Type": "gobinary", "Vulnerabilities": entries}],
    }
    done = here.skypanel("images", "report", "-", role="scanner", stdin=json.dumps(document))
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def image_id(here: World, reference: str) -> str:
    """What the engine, and a scanner, calls it."""
    return str(here.engine.get(f"/images/{reference}/json")["Id"])


def verdict(here: World, environment: str) -> dict[str, Any]:
    """The newest."""
    return here.sql(
        "SELECT * FROM caas_image_verdicts WHERE environment_id = %s ORDER BY updated_at DESC LIMIT 1", environment
    )[0]


def runs(here: World) -> tuple[str, int]:
    """The image that the service names, and how many tasks of it shall run."""
    spec = here.engine.get(f"/services/{here.service()}")["Spec"]
    image = spec["TaskTemplate"]["ContainerSpec"]["Image"]
    return image.partition("@")[0], spec["Mode"]["Replicated"]["Replicas"]


def test_a_new_image_waits_for_its_report_and_a_worse_one_stops_what_runs(here: World) -> None:
    here.controller().start()
    organization = here.organization("acme")
    app = here.app(organization, "shop")
    limits = Jsonb({"critical": 0, "only_fixable": True})
    report(here, image_id(here, f"{WEB}:1"), low=3)
    here.insert("caas_image_policies", organization_id=organization, vulnerabilities=limits)
    shop = here.environment(app)
    here.wait_ready(shop)
    assert verdict(here, shop)["verdict"] == "allowed"

    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{WEB}:2", shop)
    message = eventually(partial(said, here, "environment", shop, "NotScanned"), what="it waits")
    assert "there is none" in message
    assert (runs(here), verdict(here, shop)["verdict"]) == ((f"{WEB}:1", 1), "awaited")
    explained = here.skypanel("explain", "env", f"{here.slug('acme')}/shop/production", role="reader").stdout
    assert "hand the report in" in explained.splitlines()[1]

    report(here, image_id(here, f"{WEB}:2"), days=30)
    message = eventually(partial(said, here, "environment", shop, "NotScanned"), what="it is too old")
    assert runs(here) == (f"{WEB}:1", 1)
    report(here, image_id(here, f"{WEB}:2"), days=1)
    here.wait_ready(shop)
    assert (runs(here), verdict(here, shop)["verdict"]) == ((f"{WEB}:2", 1), "allowed")

    generation = here.generation("environment", shop)
    report(here, image_id(here, f"{WEB}:2"), critical=2)
    eventually(lambda: verdict(here, shop)["verdict"] == "marked", what="it is marked")
    assert runs(here) == (f"{WEB}:2", 1)
    assert here.generation("environment", shop) == generation, "nothing that is declared has changed"
    assert "their/web" not in verdict(here, shop)["message"]

    here.sql("UPDATE caas_image_policies SET enforcement = 'all'")
    message = eventually(partial(said, here, "environment", shop, "Vulnerable"), what="it is stopped")
    assert "2 critical (0 allowed)" in message
    assert (runs(here), verdict(here, shop)["verdict"]) == ((f"{WEB}:2", 0), "stopped")
    report(here, image_id(here, f"{WEB}:2"))
    here.wait_ready(shop)
    assert runs(here) == (f"{WEB}:2", 1)


def test_what_nobody_has_signed_is_not_run_until_somebody_has(here: World, private: Private) -> None:
    here.settings |= {
        "SKYPANEL_KEYS": base64.b64encode(os.urandom(32)).decode(),
        "SKYPANEL_ALLOWED_REGISTRIES": f"{WEB.partition('/')[0]},{private.host}",
    }
    here.controller().start()
    organization = here.organization("acme")
    app = here.app(organization, "shop")
    registries(here, "set", private.host, "--username", USER.username, "--wait", stdin=PASSWORDS[0])
    key, public = new_key()
    reference = private.push("1")
    here.insert("caas_image_policies", organization_id=organization, require_signed=True, signature_keys=[public])

    shop = here.environment(app, image_ref=reference)
    message = eventually(partial(said, here, "environment", shop, "ImageNotSigned"), what="nobody has signed it")
    assert "no key of it has signed the image" in message
    digest = verdict(here, shop)["image"].partition("@")[2]
    sign(private.registry, "private/web", digest, new_key()[0])
    look = ("reconcile", "env", f"{here.slug('acme')}/shop/production", "--wait")
    here.skypanel(*look)
    assert said(here, "environment", shop, "ImageNotSigned"), "another key has"
    sign(private.registry, "private/web", digest, key)
    here.skypanel(*look)
    here.wait_ready(shop)
    assert (runs(here), verdict(here, shop)["verdict"]) == ((reference, 1), "allowed")

    here.sql("UPDATE caas_image_policies SET signature_keys = %s, enforcement = 'all'", [new_key()[1]])
    eventually(partial(said, here, "environment", shop, "ImageNotSigned"), what="its key is not good any more")
    eventually(lambda: runs(here) == (reference, 0), what="it is stopped")
    here.sql("UPDATE caas_image_policies SET signature_keys = %s", [public])
    here.wait_ready(shop)
    assert runs(here) == (reference, 1)

    scanned = image_id(here, f"{private.host}/private/web@{digest}"), digest
    report(here, *scanned, days=1)
    here.sql("UPDATE caas_image_policies SET vulnerabilities = %s", Jsonb({"critical": 0}))
    here.wait_ready(shop)
    here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", f"{private.host}/private/web:404", shop)
    eventually(partial(said, here, "environment", shop, "ImageNotFound"), what="another one never comes")
    assert runs(here) == (reference, 1)
    report(here, *scanned, critical=1)
    eventually(lambda: runs(here) == (reference, 0), what="what serves is stopped meanwhile")


def test_what_a_policy_stops_in_its_rollout_goes_and_what_it_stops_does_not_come_back(here: World) -> None:
    here.controller().start()
    organization = here.organization("acme")
    shop = here.environment(here.app(organization, "shop"), instances=2)
    here.wait_ready(shop)

    def running(image: str) -> int:
        found = (each for each in tasks(here) if each["DesiredState"] == each["Status"]["State"] == "running")
        return sum(each["Spec"]["ContainerSpec"]["Image"].startswith(image) for each in found)

    never = Jsonb({"command": ["/none"], "interval_seconds": 60, "start_period_seconds": 600})
    here.sql("UPDATE paas_environments SET image_ref = %s, healthcheck = %s WHERE id = %s", f"{WEB}:2", never, shop)
    eventually(lambda: runs(here)[0] == f"{WEB}:2", what="its rollout begins")
    here.insert("caas_image_policies", organization_id=organization, blocked_patterns=[f"{WEB}:2"], enforcement="all")
    eventually(partial(said, here, "environment", shop, "ImageBlocked"), what="it is condemned")
    eventually(lambda: (runs(here), running(WEB)) == ((f"{WEB}:1", 2), 2), what="the one before comes back")

    here.sql("UPDATE caas_image_policies SET blocked_patterns = %s", [f"{WEB}:1"])
    here.sql("UPDATE paas_environments SET healthcheck = NULL, entrypoint = '{/none}' WHERE id = %s", shop)
    message = eventually(partial(said, here, "environment", shop, "RolledBack"), what="it fails")
    assert "nothing runs" in message
    eventually(lambda: (runs(here)[1], running(WEB)) == (0, 0), what="what is stopped does not come back")
