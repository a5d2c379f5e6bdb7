"""Secrets and configs: made once, read back without what is secret, held by the specifications that refer to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conformance.engine.harness import MISSING, Document, EngineAnswer, EngineHarness, encoded

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True)
class Kind:
    """What differs between the two."""

    word: str
    limit: int

    @property
    def path(self) -> str:
        return f"/{self.word}s"

    def reference(self, content_id: str, name: str, file: str = "/run/x") -> Document:
        title = self.word.capitalize()
        return {
            f"{title}ID": content_id,
            f"{title}Name": name,
            "File": {"Name": file, "UID": "0", "GID": "0", "Mode": 0o400},
        }

    def uses(self, *references: Document) -> dict[str, Any]:
        """Changes of a service."""
        return {"container": {f"{self.word.capitalize()}s": list(references)}}


SECRET, CONFIG = Kind("secret", 500 * 1024), Kind("config", 1000 * 1024)
both = pytest.mark.parametrize("kind", [SECRET, CONFIG], ids=lambda kind: kind.word)


async def make(here: EngineHarness, kind: Kind, text: str = "one", data: bytes = b"value") -> str:
    body = {"Name": here.name(text), "Labels": {"a": "1"}, "Data": encoded(data)}
    return str((await here.post(f"{kind.path}/create", body))["ID"])


async def rewrite(here: EngineHarness, kind: Kind, content_id: str, **changes: Any) -> EngineAnswer:
    stored = await here.get(f"{kind.path}/{content_id}")
    query = {"version": changes.pop("version", stored["Version"]["Index"])}
    body = {"Name": stored["Spec"]["Name"], "Labels": stored["Spec"]["Labels"], **changes}
    return await here.ask("POST", f"{kind.path}/{content_id}/update", body, **query)


@both
async def test_the_data_of_a_config_is_read_back_and_that_of_a_secret_never(here: EngineHarness, kind: Kind) -> None:
    created = await here.ask("POST", f"{kind.path}/create", {"Name": here.name("one"), "Data": encoded(b"value")})
    assert created.status == 201
    assert created.body.keys() == {"ID"}
    stored = await here.get(f"{kind.path}/{here.name('one')}")
    assert stored.keys() == {"ID", "Version", "CreatedAt", "UpdatedAt", "Spec"}
    data = {"Data": encoded(b"value")} if kind is CONFIG else {}
    assert stored["Spec"] == {"Name": here.name("one"), "Labels": {}, **data}
    assert await here.get(f"{kind.path}/{created.body['ID']}") == stored


@both
async def test_a_list_is_of_those_with_all_labels_that_are_asked_for(here: EngineHarness, kind: Kind) -> None:
    for text, found in (("one", {"a": "1", "b": "x"}), ("two", {"a": "1"}), ("three", {"a": "2", "b": "y"})):
        body = {"Name": here.name(text), "Labels": found, "Data": encoded(b"value")}
        await here.post(f"{kind.path}/create", body)

    async def listed(*wanted: str) -> set[str]:
        answer = await here.get(kind.path, filters={"label": list(wanted)})
        return {document["Spec"]["Name"] for document in answer} & {here.name(t) for t in ("one", "two", "three")}

    assert await listed("a=1", "b") == {here.name("one")}
    assert await listed("b") == {here.name("one"), here.name("three")}
    assert await listed("a=3") == set()


@both
async def test_only_labels_can_be_changed(here: EngineHarness, kind: Kind) -> None:
    content_id = await make(here, kind)
    before = await here.get(f"{kind.path}/{content_id}")
    assert (await rewrite(here, kind, content_id, Labels={"a": "2"})).status == 200
    after = await here.get(f"{kind.path}/{content_id}")
    assert after["Spec"]["Labels"] == {"a": "2"}
    assert after["Version"]["Index"] > before["Version"]["Index"]
    assert (await rewrite(here, kind, content_id, Data=encoded(b"value"))).status == 200, "the same data is no change"
    for answer in (
        await rewrite(here, kind, content_id, Data=encoded(b"other")),
        await rewrite(here, kind, content_id, Name=here.name("two")),
    ):
        assert (answer.status, answer.error) == (400, "Refused")
        assert answer.text == "rpc error: code = InvalidArgument desc = only updates to Labels are allowed"
    stale = await rewrite(here, kind, content_id, version=before["Version"]["Index"], Labels={})
    assert (stale.status, stale.error) == (500, "OutOfSequence")


@both
async def test_there_are_limits_of_size(here: EngineHarness, kind: Kind) -> None:
    for data in (b"", b"x" * kind.limit):
        body = {"Name": here.name("big"), "Data": encoded(data)}
        answer = await here.ask("POST", f"{kind.path}/create", body)
        assert (answer.status, answer.error) == (400, "Refused")
        assert answer.text.endswith(f"{kind.word} data must be larger than 0 and less than {kind.limit} bytes")
    await make(here, kind, "big", b"x" * (kind.limit - 1))


@both
async def test_names_are_given_once_and_have_a_form(here: EngineHarness, kind: Kind) -> None:
    await make(here, kind)
    body = {"Name": here.name("one"), "Data": encoded(b"x")}
    again = await here.ask("POST", f"{kind.path}/create", body)
    assert (again.status, again.error) == (409, "NameTaken")
    assert again.text == f"rpc error: code = AlreadyExists desc = {kind.word} {here.name('one')} already exists"
    for name in ("a/b", "a" * 65, "-a"):
        answer = await here.ask("POST", f"{kind.path}/create", {"Name": name, "Data": encoded(b"x")})
        assert (answer.status, answer.error) == (400, "Refused")
        assert "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed" in answer.text
    nameless = await here.ask("POST", f"{kind.path}/create", {"Data": encoded(b"x")})
    assert (nameless.status, nameless.text) == (400, "rpc error: code = InvalidArgument desc = name must be provided")


@both
async def test_one_that_does_not_exist_is_not_found(here: EngineHarness, kind: Kind) -> None:
    for answer in (
        await here.ask("GET", f"{kind.path}/nonesuch"),
        await here.ask("DELETE", f"{kind.path}/nonesuch"),
        await here.ask("POST", f"{kind.path}/nonesuch/update", {"Name": "nonesuch"}, version=1),
    ):
        assert (answer.status, answer.error, answer.text) == (404, "NotFound", f"{kind.word} nonesuch not found")


@both
async def test_a_reference_needs_id_name_and_a_target_of_its_own(here: EngineHarness, kind: Kind) -> None:
    content_id, name, word = await make(here, kind), here.name("one"), kind.word
    whole = kind.reference(content_id, name)
    bare = {key: value for key, value in whole.items() if key != "File"}
    rpc = "rpc error: code = InvalidArgument desc = "
    missing = "either File or Runtime should be set"
    for references, text in (
        ([kind.reference("", name)], f"malformed {word} reference"),
        ([kind.reference(content_id, "")], f"malformed {word} reference"),
        ([bare], f"malformed {word} reference, no target provided" if kind is SECRET else f"invalid Config: {missing}"),
        ([kind.reference("nonesuch", name)], f"{word} not found: {name}"),
        ([kind.reference(content_id, "other")], f"{word} not found: other"),
        ([whole, whole], f"{word} references '{name}' and '{name}' have a conflicting target: '/run/x'"),
    ):
        answer = await here.ask("POST", "/services/create", here.spec(**kind.uses(*references)))
        error = "NotFound" if "not found" in text else "Refused"
        assert (answer.status, answer.error, answer.text.removeprefix(rpc)) == (400, error, text)
    await here.create(**kind.uses(whole))
    container = (await here.service())["Spec"]["TaskTemplate"]["ContainerSpec"]
    assert container[f"{word.capitalize()}s"] == [whole]


@both
async def test_one_that_a_service_refers_to_cannot_be_removed(here: EngineHarness, kind: Kind) -> None:
    content_id, name = await make(here, kind), here.name("one")
    await here.create("a", **kind.uses(kind.reference(content_id, name)))
    answer = await here.ask("DELETE", f"{kind.path}/{content_id}")
    assert (answer.status, answer.error) == (400, "InUse")
    assert answer.text == (
        f"rpc error: code = InvalidArgument desc = {kind.word} '{name}' is in use by the following service: "
        f"{here.name('a')}"
    )
    await here.create("b", **kind.uses(kind.reference(content_id, name)))
    answer = await here.ask("DELETE", f"{kind.path}/{content_id}")
    assert "is in use by the following services: " in answer.text
    assert {here.name("a"), here.name("b")} == set(answer.text.partition("services: ")[2].split(", "))
    for text in "ab":
        await here.ask("DELETE", f"/services/{here.name(text)}")
    assert (await here.ask("DELETE", f"{kind.path}/{content_id}")).status == 204
    assert (await here.ask("GET", f"{kind.path}/{content_id}")).status == 404


@both
async def test_a_previous_specification_holds_nothing(here: EngineHarness, kind: Kind) -> None:
    """Rolling back to it is accepted all the same, and leaves a reference to nothing."""
    content_id, name = await make(here, kind), here.name("one")
    reference = kind.reference(content_id, name)
    await here.create(**kind.uses(reference))
    assert (await here.update(container={f"{kind.word.capitalize()}s": None})).status == 200
    assert (await here.ask("DELETE", f"{kind.path}/{content_id}")).status == 204
    assert (await here.update(query={"rollback": "previous"})).status == 200
    stored = await here.service()
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"][f"{kind.word.capitalize()}s"] == [reference]
    refused = await here.update(labels={"n": "1"})
    assert (refused.status, refused.text.endswith(f"{kind.word} not found: {name}")) == (400, True)


async def test_an_automatic_rollback_to_a_secret_that_is_gone_starts_no_task(here: EngineHarness) -> None:
    """Nothing says so but the tasks, which fail one after the other."""
    content_id, name = await make(here, SECRET), here.name("one")
    await here.create(replicas=1, **SECRET.uses(SECRET.reference(content_id, name)))
    await here.runs()
    assert (await here.update(container={"Secrets": None, "Image": MISSING})).status == 200
    assert (await here.ask("DELETE", f"/secrets/{content_id}")).status == 204
    stored = await here.reaches("rollback_completed")
    assert stored["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"][0]["SecretName"] == name
    (task,) = await here.runs()
    await here.kill(task["Status"]["ContainerStatus"]["ContainerID"])
    for failed in (await here.ends("failed", count=3))[1:]:
        assert failed["Status"]["Err"] == (
            f"starting container failed: unable to get secret from secret store: secret {content_id} not found"
        )
        assert (failed["Status"]["Message"], failed["Status"]["ContainerStatus"]["ExitCode"]) == ("starting", 128)


@both
async def test_one_is_told_of_when_it_is_made_changed_and_removed(here: EngineHarness, kind: Kind) -> None:
    async with here.events() as heard:
        content_id = await make(here, kind)
        await rewrite(here, kind, content_id, Labels={"a": "2"})
        await here.ask("DELETE", f"{kind.path}/{content_id}")

        def told() -> list[tuple[str, str]]:
            about = [e for e in heard if e["Type"] == kind.word and e["Actor"]["ID"] == content_id]
            return [(e["Action"], e["Actor"]["Attributes"]["name"]) for e in about]

        async def removed() -> bool:
            return "remove" in [action for action, _ in told()]

        await here.until(removed)
        assert told() == [(action, here.name("one")) for action in ("create", "update", "remove")]


@both
async def test_a_list_of_services_and_their_tasks_say_what_specs_of_now_and_before_refer_to(
    here: EngineHarness, kind: Kind
) -> None:
    first, second = await make(here, kind, "one"), await make(here, kind, "two")
    field, key = f"{kind.word.capitalize()}s", f"{kind.word.capitalize()}ID"
    whose = {"whose": here.name("x")}
    await here.create(replicas=1, labels=whose, **kind.uses(kind.reference(first, here.name("one"))))
    (task,) = await here.runs()
    await here.update(container={field: [kind.reference(second, here.name("two"))]})
    (listed,) = await here.get("/services", filters={"name": [here.name("web")]})
    referred = [listed[spec]["TaskTemplate"]["ContainerSpec"][field][0][key] for spec in ("Spec", "PreviousSpec")]
    assert referred == [second, first]
    labelled = await here.get("/tasks", filters={"label": [f"whose={here.name('x')}"]})
    assert {t["ID"]: t["Spec"]["ContainerSpec"][field][0][key] for t in labelled}[task["ID"]] == first
