"""docs/extending.md, done as it says on the real parts: a kind that a package brings is a kind like any other."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import blocks
from tests.e2e.world import World, eventually
from tests.example_package import SETTINGS, Postmaster, install_example
from tests.installed import ROOT

pytestmark = pytest.mark.long

CODES = {"plan": 2}
PAGE = blocks("docs/extending.md", "Use it")
COMMANDS = [c.removeprefix("skypanel ") for block in PAGE if block.language == "console" for c in block.commands()]
(YAML,) = [block.text for block in PAGE if block.language == "yaml"]


@pytest.fixture
def postmaster() -> Iterator[Postmaster]:
    with Postmaster() as server:
        yield server


def test_the_tutorial_works_as_it_is_written(
    here: World, postmaster: Postmaster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_example(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(tmp_path)]))
    monkeypatch.setenv("ACME_POSTMASTER_URL", postmaster.url)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    acme = here.slug("acme")
    (tmp_path / "post.yaml").write_text(YAML.replace("organization: acme", f"organization: {acme}"))
    monkeypatch.chdir(tmp_path)
    assert COMMANDS[0] == "migrate"
    organization = here.organization("acme")
    here.app(organization, "shop")
    said: dict[str, str] = {}
    for command in COMMANDS:
        arguments = shlex.split(command.replace("acme/post", f"{acme}/post"))
        if arguments[0] == "plan":
            controller = here.controller().start()
            monkeypatch.setenv("SKYPANEL_LISTEN", f"127.0.0.1:{controller.port}")
            eventually(lambda: (here.status("organization", organization) or {}).get("ready"), what="its network is up")
        if arguments[0] == "delete":
            _everything_is_there(here, postmaster)
        done = here.skypanel(*arguments)
        said[arguments[0]] = done.stdout + done.stderr
        assert done.returncode == CODES.get(arguments[0], 0), f"{command}: {said[arguments[0]]}"
    assert "acme-mail/0001_mailboxes" in said["migrate"]
    assert "+ secret mailbox-" in said["plan"]
    assert "+ postmaster/thing mail.acme.example" in said["plan"]
    assert "Serving" in said["get"]
    assert "account-of-mail.acme.example" in said["describe"]
    assert f"alias {acme}/post/sales is as declared" in said["explain"]
    assert "ensure" in said["trace"] or "postmaster" in said["trace"]
    assert postmaster.accounts == {}
    assert not [name for name in here.services() if "post-mail" in name]
    assert not here.engine.get("/secrets", filters={"label": [f"io.skypanel.installation={here.name}"]})
    assert len(here.root("SELECT * FROM acme_closed_mailboxes")) == 1
    everything = json.dumps(said) + "".join(controller.text() for controller in here.controllers)
    assert SETTINGS["ACME_MAIL_KEY"] not in everything


def _everything_is_there(here: World, postmaster: Postmaster) -> None:
    assert list(postmaster.accounts) == ["mail.acme.example"]
    (name,) = [name for name in here.services() if "post-mail" in name]
    (secret,) = here.engine.get("/secrets", filters={"label": [f"io.skypanel.installation={here.name}"]})
    (given,) = here.services()[name]["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert given["SecretID"] == secret["ID"]
    alias = here.root("SELECT id, generation FROM acme_aliases")[0]
    eventually(lambda: (here.status("alias", str(alias["id"])) or {}).get("ready"), what="the alias is ready")
    mailbox = here.root("SELECT id FROM acme_mailboxes")[0]["id"]
    reasons = {event["reason"] for event in here.events(str(mailbox))}
    assert {"Created", "Paused", "Resumed"} <= reasons
