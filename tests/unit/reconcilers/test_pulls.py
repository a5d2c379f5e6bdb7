"""With which user an environment's nodes pull: pure, from its document to the plan."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest

from controller.swarm.diff import label_only
from controller.swarm.plan import plan
from reconcilers import labels
from reconcilers.environment.service import pulling, render
from reconcilers.logins import NOBODY, Login
from reconcilers.objects import Objects, Service
from reconcilers.template import with_template
from tests.unit.reconcilers.documents import ENVIRONMENT_ID, HOME, OPTIONS, environment
from tests.unit.swarm.stored import View, live

OWNER = ("environment", str(ENVIRONMENT_ID))
LOGIN = Login("ghcr.io", "ada", "n0t-to-be-seen")
REVISION, OTHER = (f"a0000000-0000-4000-8000-00000000000{number}" for number in (1, 2))


def signed_in(registry: str = "registry.example.com", revision: str = REVISION, **changes: Any) -> Any:
    return environment(registries=[{"registry": registry, "id": OTHER, "revision": revision}], **changes)


def one(snapshot: Any) -> Service:
    (service,) = render(snapshot, OPTIONS, HOME).services
    return service


@pytest.mark.parametrize(
    ("image", "registry", "asked"),
    [
        ("nginx:1", "docker.io", True),
        ("nginx:1", "index.docker.io", True),
        ("docker.io/team/app", "docker.io", True),
        ("nginx:1", "ghcr.io", False),
        ("ghcr.io/team/app:1", "ghcr.io", True),
        ("ghcr.io:443/team/app:1", "ghcr.io", False),
        ("127.0.0.1:5000/app", "127.0.0.1:5000", True),
        ("evil.ghcr.io/team/app", "ghcr.io", False),
    ],
)
def test_an_image_is_asked_for_with_the_user_of_its_own_registry(image: str, registry: str, asked: bool) -> None:
    assert (signed_in(registry, image_ref=image).login is not None) is asked


def test_what_needs_no_user_is_the_same_to_the_byte() -> None:
    assert one(environment()).spec == one(signed_in("ghcr.io")).spec
    assert labels.PULLS_AS not in one(environment()).labels


def test_another_revision_is_another_label_and_the_same_template() -> None:
    first, second = one(signed_in()), one(signed_in(revision=OTHER))
    assert (first.pulls_as, second.pulls_as) == (REVISION, OTHER)
    assert first.template_hash == second.template_hash == one(environment()).template_hash
    assert first.hash != second.hash


def test_the_header_is_a_user_and_a_password_and_nothing_shows_them() -> None:
    said = orjson.loads(base64.urlsafe_b64decode(LOGIN.header))
    assert said == {"username": "ada", "password": LOGIN.password, "serveraddress": "ghcr.io"}
    assert base64.urlsafe_b64decode(NOBODY) == b"{}"
    (service,) = pulling(render(signed_in(), OPTIONS, HOME), LOGIN.header).services
    assert service.pull == LOGIN.header
    for shown in (repr(LOGIN), repr(service), repr(with_template(service, service.spec))):
        assert LOGIN.password not in shown
        assert LOGIN.header not in shown


def test_what_goes_back_to_an_older_template_is_given_the_user_of_today() -> None:
    (service,) = pulling(render(signed_in(), OPTIONS, HOME), LOGIN.header).services
    back = with_template(service, one(environment(image_ref="registry.example.com/shop:0")).spec)
    assert (back.pull, back.pulls_as) == (LOGIN.header, REVISION)
    assert service.relabelled({**service.labels, "x": "y"}).pull == LOGIN.header


def test_a_label_never_says_what_was_not_given() -> None:
    first, second = one(signed_in()), one(signed_in(revision=OTHER))
    kept = plan(OWNER, Objects((second,)), View([live(first)]), ())
    assert kept.changes == (), "the password is not at hand, and what the engine has stays"
    (made,) = plan(OWNER, Objects((second,)), View([]), ()).changes
    assert isinstance(made.target, Service)
    assert made.target.pulls_as == ""
    (changed,) = plan(OWNER, Objects((replace(second, pull=LOGIN.header),)), View([live(first)]), ()).changes
    assert not label_only(changed.differences), "tasks that are still to pull are made anew"
    assert LOGIN.header not in repr(changed)
    (gone,) = plan(OWNER, Objects((replace(one(environment()), pull=NOBODY),)), View([live(first)]), ()).changes
    assert isinstance(gone.target, Service)
    assert (gone.target.pulls_as, gone.target.pull) == ("", NOBODY)
