"""Common images under the baseline: as they stand, and as ``docs/recipes`` writes them; with images of that shape."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from deploy.engine import images
from tests.e2e.world import REGISTRY, World, eventually

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

RECIPES = Path(__file__).parents[2] / "docs/recipes"
IMAGES = {
    "nginx:1": "nginx:1",
    "redis:7": "redis:7",
    "postgres:15": "postgres:15",
    "php:8-apache": "php:8",
    "registry.example.com/team/node-app:1": "node:18",
    "registry.example.com/team/python-app:1": "python:3",
    "registry.example.com/team/s6-app:1": "s6:1",
}
"""What recipes name, and the image of the lab that has its shape."""
ANSWERS = {
    "nginx": "Welcome to nginx",
    "php": "hello from php",
    "node": "hello from node, user 1000, cache kept",
    "python": "hello from python, user 65534",
    "s6": "hello from s6",
}
REFUSED = {
    "nginx": ("exit (1)", "no capabilities", "set runAs", "/tmp"),
    "php": ("exit (1)", "no capabilities", "set runAs", "/tmp"),
    "cache": ("exit (1)", "no capabilities", "set runAs"),
    "db": ("exit (1)", "no capabilities", "set runAs"),
    "s6": ("exit (100)", "must be process 1 itself", "set init to false"),
}
"""By app: what is said of an image as it stands."""
ASKING = """---
apiVersion: skypanel.io/v1
kind: App
metadata: {{name: asks-{name}, organization: {organization}}}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {{name: production, app: asks-{name}, organization: {organization}}}
spec:
  image: {image}
  memory: 64Mi
  runAs: "65534:65534"
  command: [sleep, "1000"]
  healthcheck: {{command: {command}, interval: 5s, retries: 60}}
"""
"""An app that is well when it reaches another by its internal name."""
SICK = """---
apiVersion: skypanel.io/v1
kind: App
metadata: {{name: sick, organization: {organization}}}
---
apiVersion: skypanel.io/v1
kind: Environment
metadata: {{name: production, app: sick, organization: {organization}}}
spec:
  image: {image}
  memory: 64Mi
  healthcheck: {{command: [sh, -c, "echo no database; exit 3"], interval: 2s, retries: 2}}
"""
"""An app that is not well, and ends well when it is stopped: no task has a word of that."""
TOLD = "its health check failed ([sh -c echo no database; exit 3], every 2s): exit code 3: no database"
ASKED = {
    "cache": ("redis:7", "[redis-cli, -h, redis.production.cache.internal, ping]"),
    "db": ("postgres:15", "[psql, -h, postgres.production.db.internal, -U, postgres, -c, SELECT 1]"),
}


def local(image: str) -> str:
    return f"{REGISTRY}/skypanel/{image}"


def recipes(organization: str) -> str:
    """All recipe files, for this organization, its host names and the lab's images."""
    text = "\n---\n".join(path.read_text() for path in sorted(RECIPES.glob("*.yaml")))
    for public, image in IMAGES.items():
        text = re.sub(rf"^  image: {re.escape(public)}$", f"  image: {local(image)}", text, flags=re.MULTILINE)
    return text.replace("organization: acme", f"organization: {organization}").replace(
        ".example.com", f".{organization}.localhost"
    )


def as_they_stand(text: str) -> str:
    """The same without what the recipes add for the baseline."""
    added = (
        r"^  (runAs|tmpfs|init|readOnlyRootFilesystem): .*\n|^  tmpfs:\n(    .*\n)+|^  command:\n    - sh\n(    .*\n)+"
    )
    return re.sub(added, "", text, flags=re.MULTILINE)


def test_common_images_fail_with_the_mend_as_they_stand_and_are_ready_as_recipes_have_them(here: World) -> None:
    for image in images.load(sorted(IMAGES.values())):
        image.load_into(here.engine)
    good, plain = here.slug("good"), here.slug("plain")
    for slug in ("good", "plain"):
        here.organization(slug)
    here.settings = {**here.settings, "SKYPANEL_MIN_READY_SECONDS": "3"}
    here.controller().start()
    asking = "".join(
        ASKING.format(name=name, organization=good, image=local(image), command=command)
        for name, (image, command) in ASKED.items()
    )

    def apply(text: str) -> None:
        done = here.skypanel("apply", "-f", "-", stdin=text)
        assert done.returncode == 0, done.stdout + done.stderr

    def conditions(organization: str) -> dict[str, tuple[str, str]]:
        """By app: reason and message."""
        rows = here.sql(
            "SELECT a.slug, s.reason, s.message FROM paas_environments e JOIN paas_apps a ON a.id = e.app_id"
            " JOIN organizations o ON o.id = a.organization_id"
            " JOIN skypanel.object_status s ON s.kind = 'environment' AND s.id = e.id WHERE o.slug = %s",
            organization,
        )
        return {row["slug"]: (row["reason"], row["message"]) for row in rows}

    def is_so(organization: str, app: str, reason: str) -> bool:
        found = conditions(organization)[app]
        if found[0] != reason:
            raise LookupError(found)  # is shown when it does not come true
        return True

    def answers(host: str, text: str) -> bool:
        return text in here.curl(host)[1]

    wanted = {*ANSWERS, "cache", "db", "asks-cache", "asks-db"}
    apply(recipes(good) + asking)
    for app in sorted(wanted):
        eventually(partial(is_so, good, app, "Deployed"), seconds=200, what=f"{app} is as the recipe has it")
    for app, answer in ANSWERS.items():
        host = f"{app}.{good}.localhost"
        eventually(partial(answers, host, answer), seconds=20, what=f"{app} answers")

    apply(as_they_stand(recipes(plain)) + SICK.format(organization=plain, image=local("python:3")))
    for app in ("node", "python"):
        eventually(partial(is_so, plain, app, "Deployed"), what=f"{app} runs as it stands")
    for app, parts in REFUSED.items():
        eventually(partial(is_so, plain, app, "CrashLoop"), seconds=120, what=f"{app} is a crash loop")
        message = conditions(plain)[app][1]
        assert all(part in message for part in parts), (app, message)
    eventually(partial(is_so, plain, "sick", "Unhealthy"), seconds=120, what="what fails its check is unhealthy")
    message = conditions(plain)["sick"][1]
    assert TOLD in message, f"{message!r}"
    assert "no database" not in here.controllers[0].text(), "what a check prints is its tenant's"
