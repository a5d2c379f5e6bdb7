"""A stranger's path on a bare Debian: docs/paas-caas-setup.md, and the script of docs/operations.md, there and back."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest

from deploy.engine.images import PREFIX
from tests.docs.blocks import Block, blocks
from tests.install.docker_ce import docker_ce
from tests.install.python_image import NAME, python_image
from tests.install.stranger import ROOT, Stranger, arrives
from tests.labs import eventually

PAGE = "docs/operations.md"
SETUP = "docs/paas-caas-setup.md"
(SCRIPT,) = blocks(PAGE, "Install")
REMOVAL = blocks(PAGE, "Stop and remove")[0]
IN_A_CONTAINER = blocks(PAGE, "In a container")[0]
STEPS = {
    "The program": "1 Engine",
    "1. Engine and user namespaces": "2 Swarm",
    "2. Swarm": "4 Edge",  # what keeps tenants off the hosts is asked for once there is a tenant
    "3. The engine's API and the hosts": "4 Edge",
    "4. Edge": "7 Controller",
    "7. Settings, database and controller": "8 First app",
}
"""The steps in which something is typed, and what doctor says is next after each."""
FIRST = "8. The first app, and the first container"
SHOP = "/opt/skypanel/specs/examples"
TOLD = re.compile(r"(?<=[|,] )`([a-z' ]+)`")
EVERY_DEBIAN = "e2fsprogs tzdata logrotate sensible-utils"
"""Packages that only a machine as bare as ours does not have."""
WHAT_WAS_THERE = """
dpkg-query -W -f '${Package} ${db:Status-Status}\\n' | sed -n 's/ installed$//p'
find /etc/systemd/system /usr/local /opt /etc/skypanel ! -path '/opt/skypanel/*' 2>/dev/null
find /opt/skypanel -maxdepth 1; ls -A /var/lib/postgresql 2>/dev/null || true
docker info -f '{{.Swarm.LocalNodeState}}'; docker volume ls -q; docker ps -aq; nft list tables | grep skypanel || true
"""

pytestmark = [pytest.mark.long, pytest.mark.timeout(2000)]


def whole_app() -> Block:
    """The file of README that step 7 names."""
    return next(block for block in blocks("README.md", "Then") if block.language == "yaml")


@pytest.fixture
def here(request: pytest.FixtureRequest) -> Iterator[Stranger]:
    """At a machine of the suite that the test names; the times are shown when it has ended."""
    name, suite = request.param
    with arrives(name, suite) as stranger:
        yield stranger
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            sys.stdout.write(f"\n{stranger.table()}\n")


@pytest.mark.parametrize("here", [("by-hand", "trixie")], indirect=True, ids=["trixie"])
def test_the_steps_by_hand_end_in_an_app_that_answers_and_doctor_knows_each_next_one(here: Stranger) -> None:
    for heading, then in STEPS.items():
        for block in blocks(SETUP, heading):
            here.types(heading, block.text)
        if heading == "1. Engine and user namespaces":
            here.images()
        here.will_say_next(then)
    here.allows_the_local_registry()
    here.sees("systemctl restart skypanel")
    first_ones(here)
    here.asks("bakery.localhost", wanted="image 1", tls=True)
    assert "301" in here.sees("curl -si -H 'Host: bakery.localhost' http://127.0.0.1/")
    in_a_container(here)


def first_ones(here: Stranger) -> None:
    """An app with a domain, and a container that is deployed anew by its tag."""
    user, app, spec, container = blocks(SETUP, FIRST)
    here.sees(f"cat >bakery.yaml <<'END'\n{whole_app().text}END\ncat >clock.yaml <<'END'\n{spec.text}END\n")
    here.types("first organization", user.text)
    here.types("the first app", app.text)
    here.will_say_next("")
    said = here.types("the first container", container.text)
    assert "1 of 1" in said or "1/1" in said
    checks = json.loads(here.sees("skypanel doctor -o json || true"))
    names = {check["name"]: check["level"] for check in checks}
    told = set(TOLD.findall((ROOT / SETUP).read_text().partition("## The program")[0]))
    assert told <= set(names), "the page's table names checks that there are not"
    assert [name for name in told if names[name] == "fail"] == []


def in_a_container(here: Stranger) -> None:
    """The controller as a service takes over from the unit, makes an app, and goes without a trace."""
    here.sees("systemctl disable --now skypanel")
    here.will_say_next("7 Controller")
    here.sees(f"docker import - {NAME}", stdin=python_image())
    here.sees("cd /opt/skypanel; .venv/bin/pip download -q --require-hashes -r requirements.lock -d wheels")
    here.types("the image and its stack", IN_A_CONTAINER.text)
    here.will_say_next("")
    here.sees("sed 's/bakery/kiosk/g' bakery.yaml >kiosk.yaml; skypanel user add ops@kiosk.example")
    here.types("another app", "skypanel apply kiosk.yaml --wait")
    here.asks("kiosk.localhost", wanted="image 1", tls=True)
    task = "docker ps -q --filter label=com.docker.swarm.service.name=skypanel-controller_controller"
    how = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.Config.User}} {{.State.Health.Status}}"
    group = here.sees("stat -c %g /var/run/docker.sock")
    eventually(
        lambda: here.sees(f"docker inspect -f '{how}' $({task})") == f"true [ALL] 65532:{group} healthy", seconds=60
    )
    here.types("the stack goes", "docker stack rm skypanel-controller; docker secret rm skypanel_env")
    eventually(lambda: here.sees(task) == "", seconds=60)
    left = "docker service ls -q --filter name=skypanel-controller; docker secret ls -q; docker volume ls -q"
    assert here.sees(left) == "skypanel_certificates"


@pytest.mark.parametrize("here", [("by-script", "bookworm")], indirect=True, ids=["bookworm"])
def test_the_script_installs_is_interrupted_goes_on_and_takes_back_what_it_made(here: Stranger) -> None:
    assert blocks("README.md", "Install")[0].text == SCRIPT.text
    refused = here.types("the script on an engine that is too old", f"{SCRIPT.text.strip()} --dry-run", code=1)
    assert "docker.io here is 20.10" in refused
    assert "https://docs.docker.com/engine/install/debian/" in refused
    here.machine.put(docker_ce(), "/root/docker-ce.deb")
    here.types("Docker's own packages", "apt-get install -y -qq ./docker-ce.deb")
    here.images()
    here.sees(f"apt-get install -y -qq --no-install-recommends {EVERY_DEBIAN}")
    before = here.sees(WHAT_WAS_THERE)

    said = here.types("the script, dry", f"{SCRIPT.text.strip()} --dry-run")
    assert "would begin a Swarm" in said
    assert "would link /usr/local/bin/skypanel" in said
    assert here.sees(WHAT_WAS_THERE) == before

    install(here)
    stranger_s_path(here)
    the_api(here)
    remove(here, before)


def install(here: Stranger) -> None:
    """Stopped by what stands in its way, killed half way, run twice at once: the next run goes on."""
    script = SCRIPT.text.strip()
    here.sees("echo mine >/usr/local/bin/skypanel")
    stopped = here.types("the script, until something is in its way", script, code=1)
    assert "/usr/local/bin/skypanel is something else" in stopped
    assert here.sees("cat /usr/local/bin/skypanel; rm /usr/local/bin/skypanel") == "mine"
    killed = f"{script} >first.log 2>&1 & first=$!; until grep -q 'database skypanel' first.log; do sleep 0.05; done"
    twice = here.sees(f"{killed}; {script} || true; kill -9 -- $first; wait $first || true")
    here.sees("flock /run/skypanel-install.lock true")  # what it had begun goes on to its end
    assert "another run of this script has not ended" in twice
    said = here.types("the script", script)
    assert "doctor: next is 8 First app" in said
    assert "already so: a manager of a Swarm" in said
    assert here.sees("stat -c %a /etc/skypanel/{env,panel.env,api.env,installed}").split() == ["600"] * 4
    again = here.types("the script again", script)
    made = [line for line in again.splitlines() if "already so" not in line and "doctor:" not in line]
    assert [line.split()[0] for line in made] == ["4", "4", "Done"], again  # the stack is deployed anew, and waited for


def stranger_s_path(here: Stranger) -> None:
    """First organization, an app with a health check and a worker, a domain, a bad deploy and back."""
    here.allows_the_local_registry()
    here.sees("systemctl restart skypanel")
    here.sees("skypanel user add ops@globex.example")  # the file has another one, too
    here.types(
        "first organization", f"skypanel user add ops@acme.example\nskypanel apply -f {SHOP}/organizations.yaml --wait"
    )
    here.types("an app with a worker", f"skypanel apply -f {SHOP}/plans.yaml -f {SHOP}/shop.yaml --wait")
    assert here.next_step() == ""
    here.asks("shop.localhost", wanted="image 1", tls=True)
    assert "worker" in here.sees("skypanel get processes")
    here.sees(f"sed s,{PREFIX}/web:1,{PREFIX}/web:9, {SHOP}/shop.yaml >bad.yaml")
    bad = here.types("a bad deploy, until it is taken back", "skypanel apply -f bad.yaml --wait --timeout 60s", code=4)
    assert "web:9" in bad
    here.asks("shop.localhost", wanted="image 1", tls=True)
    here.sees(f"sed s,{PREFIX}/web:1,{PREFIX}/web:2, {SHOP}/shop.yaml >good.yaml")
    here.types("a good one", "skypanel apply -f good.yaml --wait")
    here.asks("shop.localhost", wanted="image 2", tls=True)


def the_api(here: Stranger) -> None:
    """It runs beside the controller, may reach nothing of the machine, and answers by its host name behind the edge."""
    ready = '{"ready":true,"database":true}'
    eventually(lambda: here.sees("curl -s http://127.0.0.1:9480/readyz || true") == ready, seconds=30)
    assert "ok   http api" in here.sees("skypanel doctor || true")
    assert here.sees("journalctl -u skypanel -o cat | grep -c api.not_confined || true") == "0"
    here.sees("echo SKYPANEL_API_HOST=api.localhost >>/etc/skypanel/env")
    here.sees("echo SKYPANEL_API_SOCKET=/run/skypanel-api/api.sock >>/etc/skypanel/env; systemctl restart skypanel")
    stack = "cd /opt/skypanel; API_HOST=api.localhost docker stack deploy -c deploy/swarm/api.yml skypanel-api"
    here.types("the API behind the edge", stack)
    ask = "curl -sk -m 5 --resolve api.localhost:443:127.0.0.1 https://api.localhost/readyz || true"
    eventually(lambda: here.sees(ask) == ready, seconds=60)
    assert here.sees("su nobody -s /bin/sh -c 'ls /run/skypanel-api/' 2>&1 || true").endswith("Permission denied")
    here.types("it goes", "docker stack rm skypanel-api")
    eventually(lambda: here.sees("docker ps -q --filter name=skypanel-api_api") == "", seconds=60)


def remove(here: Stranger, before: str) -> None:
    """It refuses while tenants run; then nothing is there that was not before."""
    refused = here.types("removal, refused", REMOVAL.text.strip(), code=1)
    assert "skypanel delete organization NAME --wait" in refused
    here.types("removal of an organization", "skypanel delete organization acme --yes --wait")
    here.sees("skypanel delete organization globex --yes --wait")
    kept = here.types("removal", REMOVAL.text.strip())
    assert "what stays: /etc/skypanel/env, /etc/skypanel/panel.env, /etc/skypanel/api.env, database skypanel" in kept
    assert here.sees(
        "docker service ls -q; nft list tables | grep skypanel || true; ls -d /opt/skypanel/.venv || true"
    ).startswith("ls:")
    here.types("removal of the data", f"{REMOVAL.text.strip()} --purge")
    assert sorted({*here.sees(WHAT_WAS_THERE).splitlines()} ^ {*before.splitlines()}) == []
