"""Secrets and configs: their names, when they are made, what holds them, and that nothing says what is in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.changes import Change
from controller.records import InventoryRow
from controller.swarm.plan import plan
from controller.swarm.types.config import CONFIG
from controller.swarm.types.secret import SECRET
from reconcilers import labels, references
from reconcilers.environment.service import render
from reconcilers.objects import Config, Content, Objects, Secret, Service
from reconcilers.ports import LiveContent, LiveService
from tests.unit.reconcilers.documents import ENVIRONMENT_ID, HOME, OPTIONS, ORGANIZATION_ID, environment
from tests.unit.swarm.stored import View, live

OWNER = ("environment", str(ENVIRONMENT_ID))
LABELS = labels.owned("blue", *OWNER, str(ORGANIZATION_ID))
KEY = b"key of the installation"
(PLAIN,) = render(environment(), OPTIONS, HOME).services


def secret(value: bytes = b"hunter2", **changes: Any) -> Secret:
    return Secret.named("acme-shop-token", value, key=changes.pop("key", KEY), labels=LABELS)


def with_secret(given: Secret, *more: Content) -> Service:
    template = PLAIN.spec["TaskTemplate"]
    container = {**template["ContainerSpec"], "Secrets": [given.file("token")]}
    if more:
        container["Configs"] = [each.file("/etc/settings") for each in more]
    return Service.seal({**PLAIN.spec, "TaskTemplate": {**template, "ContainerSpec": container}})


def living(given: Content, **changes: Any) -> LiveContent:
    known = LiveContent(f"id-of-{given.name}", given.name, 7, dict(given.labels))
    return replace(known, **changes)


OLD, NEW = secret(b"old"), secret(b"new")
BEFORE, AFTER = with_secret(OLD), with_secret(NEW)


def stored(service: Service, *contents: LiveContent, previous: frozenset[str] = frozenset()) -> LiveService:
    """As the engine has it: with the ids of what it refers to."""
    ids = {each.name: each.id for each in contents}
    here = live(service)
    return replace(here, spec=references.filled(dict(here.spec), lambda _, name: ids.get(name)), previous=previous)


def actions(changes: Any) -> list[tuple[str, str, str]]:
    return [(c.action, c.object_type, c.name) for c in changes.changes]


# -- names and what is said ------------------------------------------------------------------------------------------


def test_another_content_key_or_type_is_another_name_and_the_same_is_the_same() -> None:
    config = Config.named("acme-shop-token", b"hunter2", key=KEY, labels=LABELS)
    names = {secret().name, secret(b"hunter3").name, secret(key=b"another").name, config.name}
    assert len(names) == 4
    assert secret().name == secret().name


def test_a_name_fits_and_keeps_its_digest_however_long_its_beginning_is() -> None:
    long = Secret.named("x" * 200, b"1", key=KEY, labels=LABELS)
    assert len(long.name) == 64
    assert long.name.endswith(long.hash)
    assert long.name != Secret.named("x" * 201, b"1", key=KEY, labels=LABELS).name


@pytest.mark.parametrize(("type_", "size"), [(Secret, 0), (Secret, 500 * 1024), (Config, 1000 * 1024)])
def test_what_the_engine_would_not_take_is_refused_by_its_size(type_: type[Content], size: int) -> None:
    with pytest.raises(ValueError, match=f"{size} bytes"):
        type_.named("big", b"x" * size, key=KEY, labels=LABELS)


def test_nothing_that_can_be_printed_has_the_content() -> None:
    given = secret(b"hunter2")
    config = Config.named("settings", b"hunter2", key=KEY, labels=LABELS)
    changes = plan(OWNER, Objects((with_secret(given, config), given, config)), View(), ())
    said = [repr(changes), str(changes), repr(given), repr(config), str([c.touched for c in changes.changes])]
    said += [str(d.document()) for c in changes.changes for d in c.differences]
    assert not any("hunter2" in text or "aHVudGVyMg" in text for text in said)


def test_what_is_in_a_config_is_compared_and_not_shown() -> None:
    config = Config.named("settings", b"hunter2", key=KEY, labels=LABELS)
    document = {"ID": "1", "Version": {"Index": 1}, "Spec": {"Name": config.name, "Labels": LABELS, "Data": "b3RoZXI="}}
    found = CONFIG.parse(document)
    (change,) = plan(OWNER, Objects((config,)), View(contents={"config": [found]}), ()).changes
    assert (change.action, str(change)) == ("recreate", f"± config {config.name}: Data: changed")
    assert SECRET.parse(document).digest is None


# -- made, referred to, removed ----------------------------------------------------------------------------------------


def test_contents_are_made_before_what_refers_to_them() -> None:
    assert actions(plan(OWNER, Objects((BEFORE, OLD)), View(), ())) == [
        ("create", "secret", OLD.name),
        ("create", "service", BEFORE.name),
    ]


def test_what_is_as_it_should_be_is_left_alone_and_an_unknown_one_is_taken_into_the_inventory() -> None:
    view = View([stored(BEFORE, living(OLD))], contents={"secret": [living(OLD)]})
    changes = plan(OWNER, Objects((BEFORE, OLD)), view, ())
    assert changes.changes == ()
    assert {(u.object_type, u.spec_hash) for u in changes.seen} == {("secret", OLD.hash), ("service", BEFORE.hash)}


def test_hashes_leave_the_ids_of_contents_out() -> None:
    filled = references.filled(dict(BEFORE.spec), lambda *_: "some-id")
    assert filled != BEFORE.spec
    assert Service.seal(filled).hash == BEFORE.hash
    assert Service.seal(filled).template_hash == BEFORE.template_hash


def test_a_reference_to_a_former_object_of_the_same_name_is_a_difference() -> None:
    view = View([stored(BEFORE, living(OLD, id="former"))], contents={"secret": [living(OLD)]})
    (change,) = plan(OWNER, Objects((BEFORE, OLD)), view, ()).changes
    assert (change.action, change.cause) == ("update", "Repaired")
    assert change.touched == ("TaskTemplate.ContainerSpec.Secrets",)


def test_the_order_of_references_means_nothing() -> None:
    first, second = secret(b"1"), secret(b"2")
    template = PLAIN.spec["TaskTemplate"]

    def both(*given: Secret) -> Service:
        container = {**template["ContainerSpec"], "Secrets": [each.file(each.name) for each in given]}
        return Service.seal({**PLAIN.spec, "TaskTemplate": {**template, "ContainerSpec": container}})

    wanted = both(first, second)
    contents = living(first), living(second)
    there = stored(both(second, first), *contents)
    there = replace(there, spec={**there.spec, "Labels": wanted.spec["Labels"]})
    view = View([there], contents={"secret": contents})
    assert plan(OWNER, Objects((wanted, first, second)), view, ()).changes == ()


@pytest.mark.parametrize("held_by", ["its spec", "the spec before", "the last one that worked", "nothing"])
def test_an_old_one_goes_when_no_spec_refers_to_it_any_more(held_by: str) -> None:
    contents = living(OLD), living(NEW)
    previous = frozenset({contents[0].id}) if held_by == "the spec before" else frozenset[str]()
    there = stored(BEFORE if held_by == "its spec" else AFTER, *contents, previous=previous)
    good = BEFORE.spec if held_by == "the last one that worked" else None
    row = InventoryRow("service", AFTER.name, there.id, AFTER.hash, last_good=good, template_hash=AFTER.template_hash)
    changes = plan(OWNER, Objects((AFTER, NEW)), View([there], contents={"secret": contents}), (row,))
    removed = ("delete", "secret", OLD.name) in actions(changes)
    assert removed is (held_by == "nothing")
    assert (("secret", OLD.name) in changes.left) is not removed
    assert not changes.kept, "it is no fault"


def test_everything_goes_with_its_owner_contents_after_services() -> None:
    view = View([stored(BEFORE, living(OLD))], contents={"secret": [living(OLD)]})
    assert actions(plan(OWNER, Objects(), view, ())) == [
        ("delete", "service", BEFORE.name),
        ("delete", "secret", OLD.name),
    ]


def test_labels_that_somebody_changed_are_put_right_in_their_place() -> None:
    changed = living(OLD, labels={**OLD.labels, labels.ORGANIZATION: "other"})
    (change,) = plan(OWNER, Objects((OLD,)), View(contents={"secret": [changed]}), ()).changes
    assert (change.action, change.cause, change.touched) == ("update", "Repaired", (f"Labels.{labels.ORGANIZATION}",))


def test_what_has_no_owner_is_nobodys_to_remove() -> None:
    """As the mark of the installation."""
    mark = LiveContent("1", "skypanel-identity-blue", 1, {labels.INSTALLATION: "blue", labels.DATABASE: "d"})
    assert plan(OWNER, Objects(), View(contents={"config": [mark]}), ()).changes == ()


def test_a_content_starts_no_task() -> None:
    assert not Change("create", "secret", OLD.name, OLD).starts_tasks
