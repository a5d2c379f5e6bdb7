"""Ways in which a deploy goes wrong, each under a steady load: what is said, what to do, what serves meanwhile.

Every row is an environment that serves image 1 with the declared load on it, and what is then changed of it. All of a
part change at the same time. A row passes when the reason is told, ``explain`` names cause and mend, and no request
has failed.
"""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.e2e.test_explain import EATS
from tests.e2e.test_image_policies import image_id, report
from tests.e2e.test_registries import PASSWORDS, Private, private, registries
from tests.e2e.world import WEB, World, eventually
from tests.load import Load
from tests.registry.real import USER
from tests.registry.signing import new_key

__all__ = ["private"]

LISTENS = {"tcp": True, "interval_seconds": 1, "timeout_seconds": 10, "retries": 5}  # patient: the machine is busy
WELL = {"http": {"path": "/healthz"}, "interval_seconds": 1, "timeout_seconds": 2, "retries": 2}


@dataclass(frozen=True, slots=True)
class Way:
    """A way to go wrong.

    Args:
        name: of the environment.
        change: columns that are set; ``{private}`` in a text is the private registry, ``{later}`` a minute later.
        reasons: any of these is the reason that the status has.
        cause: part of the first line of ``explain``.
        mend: part of the second.
        command: is run before the release, as its process ``release``.
        serves: image that serves while it is wrong.
        loses: requests fail, as what was taken for well by all that watched it ends under them, and nothing serves.
        organization: whose it is; the others have image policies of their own.
    """

    name: str
    change: Mapping[str, Any]
    reasons: tuple[str, ...]
    cause: str
    mend: str
    command: str = ""
    serves: str = "image 1"
    loses: bool = False
    organization: str = "acme"


def shell(script: str) -> dict[str, Any]:
    """The tasks run this instead."""
    return {"entrypoint": ["/bin/sh", "-c", script], "cmd": None}


IMAGES = [  # the image cannot be had, or may not run
    Way("tag", {"image_ref": "{private}/private/web:404"}, ("ImageNotFound",), "no such tag", "Push it"),
    Way("away", {"image_ref": "127.0.0.1:1/shop/web:1"}, ("RegistryUnavailable",), "does not answer", "tried again"),
    Way(
        "blocked",
        {"image_ref": "{private}/private/web:1-debug"},
        ("ImageBlocked",),
        "An image policy",
        "names the policy",
    ),
    Way(
        "foreign",
        {"image_ref": "{private}/private/arm:1"},
        ("ImageRefused",),
        "no image that runs here",
        "another image",
    ),
    Way(
        "elsewhere",
        {"image_ref": "{private}/private/board:1"},
        ("RollingOut", "ProgressDeadlineExceeded"),
        "not for the architecture",
        "Build it for that one",
    ),
    Way(
        "unsigned",
        {"image_ref": "{private}/private/web:2"},
        ("ImageNotSigned",),
        "requires a signature",
        "Sign the image",
        organization="careful",
    ),
    Way(
        "vulnerable",
        {"image_ref": f"{WEB}:2"},
        ("Vulnerable",),
        "finds more than",
        "fixed packages",
        organization="patched",
    ),
    Way(
        "unscanned",
        {"image_ref": "{private}/private/web:2"},
        ("NotScanned",),
        "asks for a vulnerability report",
        "hand the report in",
        organization="patched",
    ),
]
PROGRAMS = [  # the program does not run as it should
    Way("crash", {"cmd": ["crash", "3"]}, ("RolledBack",), "ends with an error", "docker service logs"),
    Way("mute", shell("sleep 4; exit 3"), ("RolledBack",), "ends with an error", "docker service logs"),
    Way(  # a minute later it ends, and from then on at once: what stays up for a while each time is Ready for a while
        "late",
        shell("web keepalive & until [ $(date +%s) -ge {later} ]; do sleep 1; done; exit 3"),
        ("RolledBack", "CrashLoop"),
        "ends with",
        "logs",
        loses=True,
    ),
    # Both never are healthy; the first ends with 0 when it is stopped, which to Swarm is a task that ran well.
    Way("sick", {"cmd": ["unhealthy"], "healthcheck": WELL}, ("RolledBack",), "health check", "answer the check"),
    Way(
        "deaf",
        {**shell("exec sleep 600"), "healthcheck": {**LISTENS, "timeout_seconds": 2}},
        ("RolledBack",),
        "Nothing listens on the port",
        "listen on PORT",
    ),
    Way("hungry", {**shell(json.loads(EATS)[2])}, ("RolledBack",), "killed", "more memory"),
    Way("read-only", shell("echo x > /bin/x && exec web keepalive"), ("RolledBack",), "ends with an error", "logs"),
]
OTHERS = [
    Way("room", {"memory_mb": 500_000}, ("RollingOut", "ProgressDeadlineExceeded"), "No node has as much", "Ask for"),
    Way("place", {"region": "nowhere"}, ("RollingOut", "ProgressDeadlineExceeded"), "No node that", "Label a node"),
    Way("root", {"run_as": None}, ("InvalidSpec",), "A row is invalid", "names the column"),
    Way(
        "migration",
        {"image_ref": f"{WEB}:2"},
        ("ReleaseCommandFailed",),
        "release command",
        "docker service logs",
        command="exit 3",
    ),
    Way("secret", {"image_ref": f"{WEB}:2"}, ("ConfigUnreadable",), "not what was sealed", "set it again"),
]
FINE = Way(  # what keeps connections reads the body of a request, too: a POST is lost to no reset
    "slow",
    {"image_ref": f"{WEB}:2", **shell("sleep 3; exec web keepalive")},
    ("Deployed",),
    "is as declared",
    "",
    serves="image 2",
)


def answers(here: World, host: str) -> bool:
    """Whether it is served."""
    return here.curl(host)[0] == 200


def told(here: World, path: str, environment: str, way: Way) -> Callable[[], bool]:
    """Whether status and ``explain`` say what they should of a row that is wrong."""

    def check() -> bool:
        status = here.status("environment", environment) or {}
        current = status.get("observed_generation") == here.generation("environment", environment)
        if not current or status["reason"] not in way.reasons:
            raise LookupError(f"{current} {status.get('reason')}: {status.get('message')}")
        found = here.skypanel("explain", "env", path, role="reader").stdout.splitlines()
        if way.cause in found[0] and way.mend in found[1]:
            return True
        raise LookupError(f"{status['reason']}: {status['message']}\n" + "\n".join(found[:3]))

    return check


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_is_wrong_with_an_image_is_told_and_the_one_before_serves(here: World, private: Private) -> None:
    reference, _ = private.push("1"), private.push("2")
    private.registry.push("private/arm", "1", {}, architecture="s390x")
    private.registry.push("private/board", "1", {}, architecture="arm64")
    with _under_load(here, private, IMAGES, more={"denied": {"image_ref": reference, "memory_mb": 32}}) as made:
        _ask_for_more(here, made.owners)
        made.change(IMAGES)
        made.expect(IMAGES)

        private.change_password()
        second = reference.replace(":1", ":2")
        here.sql("UPDATE paas_environments SET image_ref = %s WHERE id = %s", second, made.environments["denied"])
        made.expect([Way("denied", {}, ("ImageDenied",), "does not give the image", "skypanel registries set")])


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_is_wrong_with_a_program_is_told_and_the_release_before_serves(here: World, private: Private) -> None:
    with _under_load(here, private, PROGRAMS) as made:
        made.change(PROGRAMS)
        made.expect(PROGRAMS)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_what_else_is_wrong_is_told_or_refused_and_what_ran_before_serves(here: World, private: Private) -> None:
    with _under_load(here, private, OTHERS) as made:
        secret = made.path("secret")
        assert here.skypanel("pause", "env", secret, "--reason", "a change of several things").returncode == 0
        _damage_a_config_var(here, secret)
        made.change(OTHERS)
        assert here.skypanel("resume", "env", secret).returncode == 0
        made.expect(OTHERS)

        with pytest.raises(psycopg.errors.CheckViolation, match="image_ref"):
            here.sql(
                "UPDATE paas_environments SET image_ref = 'Not//An:image' WHERE id = %s", made.environments["root"]
            )
        here.sql("UPDATE paas_organizations SET quota_tasks = 20")
        with pytest.raises(psycopg.errors.Error, match="tasks"):
            here.sql("UPDATE paas_environments SET instances = 20 WHERE id = %s", made.environments["root"])


@dataclass(frozen=True, slots=True)
class Made:
    """Environments that serve image 1, and whose they are."""

    here: World
    private: Private
    owners: Mapping[str, str]
    environments: Mapping[str, str]

    def path(self, name: str, organization: str = "acme") -> str:
        return f"{self.here.slug(organization)}/shop/{name}"

    def change(self, ways: Sequence[Way]) -> None:
        """What goes wrong, and one that does not."""
        for way in [*ways, FINE]:
            change = {name: _filled(value, self.private) for name, value in way.change.items()}
            if way.command:
                words = ["/bin/sh", "-c", way.command]
                self.here.insert(
                    "paas_processes", environment_id=self.environments[way.name], type="release", command=words
                )
            places = ", ".join(f"{name} = %s" for name in change)
            self.here.sql(
                f"UPDATE paas_environments SET {places} WHERE id = %s", *change.values(), self.environments[way.name]
            )

    def expect(self, ways: Sequence[Way]) -> None:
        """Each is told."""
        for way in ways:
            path = self.path(way.name, way.organization)
            eventually(told(self.here, path, self.environments[way.name], way), seconds=240, what=way.name)
        self.here.wait_ready(self.environments[FINE.name], seconds=60)


@contextmanager
def _under_load(
    here: World, private: Private, ways: Sequence[Way], more: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Iterator[Made]:
    """An environment for each, served while the block runs; afterwards it is served as it should, and was all the time.

    Args:
        here: where.
        private: registry whose images are used.
        ways: what they are made for.
        more: further environments, and what they have of their own.
    """
    here.settings |= {
        "SKYPANEL_KEYS": base64.b64encode(os.urandom(32)).decode(),
        "SKYPANEL_ALLOWED_REGISTRIES": f"{WEB.partition('/')[0]},{private.host},127.0.0.1:1",
        "SKYPANEL_REQUIRE_RUN_AS": "true",
        "CAAS_BLOCKED_PATTERNS": "*-debug",
        "SKYPANEL_ROLLOUT_MONITOR_SECONDS": "8",
        "SKYPANEL_MAX_ROLLOUTS": "64",
    }
    here.controller().start()
    ways = [*ways, FINE]
    owners = {slug: here.organization(slug) for slug in dict.fromkeys(("acme", *(way.organization for way in ways)))}
    apps = {slug: here.app(owner, "shop") for slug, owner in owners.items()}
    for slug in owners:
        user = "--username", USER.username, "--wait"
        registries(here, "set", private.host, *user, organization=slug, stdin=PASSWORDS[0])
    good: dict[str, Any] = {
        "cmd": ["keepalive"],
        "run_as": "65534:65534",
        "healthcheck": json.dumps(LISTENS),
        "memory_mb": 16,
        "drain_seconds": 10,  # the edge learns of a new task as late as the busy machine lets it
    }
    made = {way.name: here.environment(apps[way.organization], way.name, **good) for way in ways}
    made |= {name: here.environment(apps["acme"], name, **{**good, **own}) for name, own in more.items()}
    hosts = {name: f"{name}.{here.name}.localhost" for name in made}
    for name, environment in made.items():
        here.insert("paas_domains", environment_id=environment, hostname=hosts[name])
    for environment in made.values():
        here.wait_ready(environment, seconds=120)
    for host in hosts.values():
        eventually(partial(answers, here, host), seconds=180, what=f"{host} answers")

    load = Load(here.http_port, list(hosts.values()))
    with load.running():
        yield Made(here, private, owners, made)
        for way in ways:
            if not way.loses:
                eventually(load.goes_on(hosts[way.name], way.serves), what=f"{way.name} is served by {way.serves}")
    failed = {
        host: {what: count for what, count in found.items() if not what.startswith("image ")}
        for host, found in load.outcomes.items()
    }
    lossy = {hosts[way.name] for way in ways if way.loses}
    assert not {host: found for host, found in failed.items() if found and host not in lossy}, failed


def _ask_for_more(here: World, owners: Mapping[str, str]) -> None:
    """What runs goes on, marked; of what is new, signatures and reports are asked for."""
    report(here, image_id(here, f"{WEB}:2"), critical=1)
    signed = {"require_signed": True, "signature_keys": [new_key()[1]]}
    here.insert("caas_image_policies", organization_id=owners["careful"], **signed)
    here.insert("caas_image_policies", organization_id=owners["patched"], vulnerabilities=Jsonb({"critical": 0}))


def _damage_a_config_var(here: World, path: str) -> None:
    """Nobody looks until its image changes, too."""
    done = here.skypanel("config", "set", path, "TOKEN", stdin="planted-4711")
    assert done.returncode == 0, done.stderr
    here.root("UPDATE skypanel.config_vars SET ciphertext = ciphertext || '\\x00'")


def _filled(value: Any, private: Private) -> Any:
    if isinstance(value, str):
        return value.replace("{private}", private.host).replace("{later}", str(int(time.time()) + 60))
    if isinstance(value, list):
        return [_filled(each, private) for each in value]
    return json.dumps(value) if isinstance(value, dict) else value
