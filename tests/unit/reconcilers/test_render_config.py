"""Config vars on Swarm: one secret of all variables, the helper before every program, and no value in any document."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcilers.config_vars import ConfigValue
from reconcilers.environment.config import as_declared, behind_helper, filled
from reconcilers.environment.service import render
from reconcilers.helper import DRAINS, PROGRAM, VARIABLES, helper_name, without_helper
from reconcilers.objects import Objects, Secret
from specs.problems import InvalidSpec
from specs.snapshots import ConfigSnapshot, EnvironmentSnapshot, ImageSnapshot
from tests.unit.reconcilers.documents import HOME, OPTIONS, environment, environments, process

DIGEST, OTHER = "0" * 31 + "1", "0" * 31 + "2"
CONTENT = "sha256:" + "a" * 64
IMAGE = {
    "reference": "registry.example.com/shop:1",
    "pinned": f"registry.example.com/shop@{CONTENT}",
    "architecture": "arm64",
    "entrypoint": ["/entry", "point"],
    "cmd": ["serve"],
    "healthcheck": {"Test": ["CMD-SHELL", "probe $URL"], "Interval": 5},
}


def configured(digest: str = DIGEST, files: tuple[str, ...] = (), **changes: Any) -> EnvironmentSnapshot:
    config = {"digest": digest, "variables": 2 + len(files), "files": list(files)}
    return environment(**{"config": config, "resolved": IMAGE, **changes})


def container(snapshot: EnvironmentSnapshot, number: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = render(snapshot, OPTIONS, HOME).services[number].spec["TaskTemplate"]["ContainerSpec"]
    return found


def contents(objects: Objects) -> dict[str, bytes | None]:
    return {secret.name.rpartition("-")[0]: secret.data for secret in objects.of(Secret)}


def test_the_image_s_program_runs_behind_the_helper_with_its_arguments() -> None:
    found = container(configured())
    assert found["Command"] == [PROGRAM]
    assert found["Args"] == [VARIABLES, "/entry", "point", "serve"]


@pytest.mark.parametrize(
    ("declared", "runs"),
    [
        ({"entrypoint": ["/mine"]}, ["/mine"]),  # as the engine has it: the image's arguments are not for it
        ({"entrypoint": ["/mine"], "cmd": ["x"]}, ["/mine", "x"]),
        ({"cmd": ["x", "y"]}, ["/entry", "point", "x", "y"]),
    ],
)
def test_what_is_declared_goes_before_what_the_image_says(declared: dict[str, Any], runs: list[str]) -> None:
    assert container(configured(**declared))["Args"] == [VARIABLES, *runs]


def test_an_image_without_a_program_needs_a_command() -> None:
    empty = {**IMAGE, "entrypoint": [], "cmd": []}
    with pytest.raises(InvalidSpec, match=r"no entry point and no command \(set the command of web\)"):
        container(configured(resolved=empty))
    assert container(configured(resolved=empty, entrypoint=["/mine"]))["Args"] == [VARIABLES, "/mine"]


def test_the_content_whose_program_it_is_runs() -> None:
    assert container(configured())["Image"] == f"registry.example.com/shop:1@{CONTENT}"
    local = {**IMAGE, "pinned": IMAGE["reference"]}
    assert container(configured(resolved=local))["Image"] == "registry.example.com/shop:1"
    declared = f"registry.example.com/shop@{CONTENT}"
    assert container(configured(image_ref=declared))["Image"] == declared


def test_tasks_go_where_the_helper_can_run() -> None:
    (service,) = render(configured(), OPTIONS, HOME).services
    assert service.spec["TaskTemplate"]["Placement"] == {"Platforms": [{"Architecture": "arm64", "OS": "linux"}]}
    assert container(configured())["Configs"][0]["ConfigName"] == helper_name("blue", "arm64")


def test_a_declared_check_and_the_image_s_own_see_the_variables() -> None:
    assert container(configured())["Healthcheck"] == {
        "Test": ["CMD", PROGRAM, VARIABLES, "/bin/sh", "-c", "probe $URL"]
    }
    declared = container(configured(healthcheck={"command": ["/check"], "interval_seconds": 7}))["Healthcheck"]
    assert declared["Test"] == ["CMD", PROGRAM, VARIABLES, "/check"]
    assert declared["Interval"] == 7_000_000_000
    assert container(configured(healthcheck={"disabled": True}))["Healthcheck"] == {"Test": ["NONE"]}
    without: list[dict[str, Any] | None] = [None, {"Test": ["NONE"]}, {"Test": []}, {}]
    for none in without:
        assert "Healthcheck" not in container(configured(resolved={**IMAGE, "healthcheck": none}))


def test_a_check_of_the_shell_form_is_run_by_the_image_s_shell() -> None:
    image = ImageSnapshot.model_validate({**IMAGE, "shell": ["/bin/bash", "-ec"]})
    assert behind_helper(["CMD-SHELL", "x"], image)[3:] == ["/bin/bash", "-ec", "x"]


def test_every_process_is_given_the_same_secret() -> None:
    snapshot = configured(processes=[process("web", port=1), process("worker", command=["work"])])
    (secret,) = render(snapshot, OPTIONS, HOME).of(Secret)
    for number in (0, 1):
        (reference,) = container(snapshot, number)["Secrets"]
        assert (reference["SecretName"], reference["File"]["Name"]) == (secret.name, VARIABLES)
    assert container(snapshot, 1)["Args"] == [VARIABLES, "work"]


def test_other_versions_are_another_secret_and_another_environment_s_too() -> None:
    def name(snapshot: EnvironmentSnapshot) -> str:
        return render(snapshot, OPTIONS, HOME).of(Secret)[0].name

    other = configured(id="e0000000-0000-4000-8000-0000000000ff")
    assert len({name(configured()), name(configured(OTHER)), name(other)}) == 3
    long = configured(swarm_name="a" * 63)
    assert len(name(long)) <= 64
    assert name(long) != name(configured(OTHER, swarm_name="a" * 63))


def test_a_program_that_is_to_drain_runs_behind_the_helper_with_or_without_variables() -> None:
    plain = environment(resolved=IMAGE, drain_seconds=20)
    found = container(plain)
    assert found["Command"] == [PROGRAM]
    assert found["Args"] == ["drain", "20", "0", "/dev/null", "/entry", "point", "serve"]
    assert found["StopGracePeriod"] == 30_000_000_000, "its own begins when its program is asked to stop"
    assert found["Image"] == f"registry.example.com/shop:1@{CONTENT}"
    assert "Healthcheck" not in found, "the image's own needs no variables"
    assert found["Configs"][0]["ConfigName"] == helper_name("blue", "arm64", DRAINS)
    both = configured(drain_seconds=20, stop_signal="SIGUSR2", stop_grace_seconds=0)
    assert container(both)["Args"][:4] == ["drain", "20", "12", VARIABLES]
    assert container(both)["StopGracePeriod"] == 20_000_000_000
    assert list(without_helper([PROGRAM, *container(both)["Args"]])) == ["/entry", "point", "serve"]


@pytest.mark.parametrize(
    ("own", "declared", "held"), [("SIGWINCH", None, "28"), ("SIGRTMIN+3", None, "37"), ("SIGWINCH", "SIGINT", "2")]
)
def test_what_is_held_back_is_what_the_image_is_stopped_with(own: str, declared: str | None, held: str) -> None:
    found = container(environment(resolved={**IMAGE, "stop_signal": own}, drain_seconds=20, stop_signal=declared))
    assert found["Args"][:3] == ["drain", "20", held]


def test_only_processes_that_are_to_drain_have_the_newer_helper() -> None:
    processes = [process("api", drain_seconds=0), process("web", port=1), process("worker", drain_seconds=3)]
    found = environment(resolved=IMAGE, drain_seconds=9, processes=processes)
    assert [container(found, number).get("Args", [])[1:2] for number in range(3)] == [[], ["9"], ["3"]]
    assert "Configs" not in container(found, 0)
    assert container(configured())["Configs"][0]["ConfigName"] == "skypanel-helper-blue-1-arm64", "as long as it runs"


def test_files_are_a_secret_each_under_run_secrets_and_need_no_helper() -> None:
    snapshot = configured(files=("CERT", "KEY"), config={"digest": DIGEST, "variables": 2, "files": ["CERT", "KEY"]})
    found, plain = container(snapshot), container(environment(resolved=IMAGE))
    assert [(r["File"]["Name"], r["File"]["Mode"]) for r in found["Secrets"]] == [("CERT", 0o444), ("KEY", 0o444)]
    assert {key: value for key, value in found.items() if key != "Secrets"} == plain


def test_what_has_no_config_is_only_named_by_its_content() -> None:
    bare = environment(resolved=IMAGE)
    assert container(bare) == {**container(environment()), "Image": f"registry.example.com/shop:1@{CONTENT}"}
    assert not render(bare, OPTIONS, HOME).of(Secret)
    assert render(bare.model_copy(update={"by_tag": True}), OPTIONS, HOME) == render(environment(), OPTIONS, HOME)


def test_values_are_put_into_their_secrets_and_into_nothing_that_is_shown() -> None:
    snapshot = configured(files=("CERT",))
    values = [ConfigValue("A", b"s3cr3t\n'$\xff"), ConfigValue("B", b""), ConfigValue("CERT", b"p3m", as_file=True)]
    objects = filled(render(snapshot, OPTIONS, HOME), snapshot, OPTIONS, values)
    found = contents(objects)
    assert found == {
        "acme-shop-production-vars": b"A=s3cr3t\n'$\xff\0B=\0",
        "acme-shop-production-file-CERT": b"p3m",
    }
    shown = repr(objects) + repr(values) + orjson.dumps([s.spec for s in objects.services]).decode()
    assert "s3cr3t" not in shown
    assert "p3m" not in shown


def test_an_empty_file_is_refused_by_its_name() -> None:
    snapshot = configured(files=("CERT",))
    with pytest.raises(InvalidSpec, match="CERT is a file, and a file must not be empty"):
        filled(render(snapshot, OPTIONS, HOME), snapshot, OPTIONS, [ConfigValue("CERT", b"", as_file=True)])


@settings(max_examples=40)
@given(environments(), st.sampled_from([DIGEST, OTHER]))
def test_the_same_versions_give_the_same_documents_and_each_reference_has_its_secret(
    snapshot: EnvironmentSnapshot, digest: str
) -> None:
    config = ConfigSnapshot(digest=digest, variables=2, files=("CERT",))
    whole = snapshot.model_copy(update={"config": config, "resolved": ImageSnapshot.model_validate(IMAGE)})
    first, second = render(whole, OPTIONS, HOME), render(whole, OPTIONS, HOME)
    assert first == second
    names = {secret.name for secret in first.of(Secret)}
    for service in first.services:
        found = service.spec["TaskTemplate"]["ContainerSpec"]
        assert {reference["SecretName"] for reference in found["Secrets"]} == names
        assert found["Command"] == [PROGRAM]


@pytest.mark.parametrize(
    ("declared", "runs", "shown"),
    [
        ("shop:1", f"shop:1@{CONTENT}", "shop:1"),
        ("shop:2", f"shop:1@{CONTENT}", "shop:1"),
        ("shop", f"shop@{CONTENT}", "shop"),
        (f"shop:1@{CONTENT}", f"shop:1@{CONTENT}", f"shop:1@{CONTENT}"),
        ("shop:1", "localhost:5000/shop:1", "localhost:5000/shop:1"),
    ],
)
def test_an_image_is_named_as_it_was_declared(declared: str, runs: str, shown: str) -> None:
    image = {**IMAGE, "pinned": f"shop@{CONTENT}"}
    assert as_declared(configured(image_ref=declared, resolved=image), runs) == shown


def test_the_helper_is_not_shown() -> None:
    assert list(without_helper([PROGRAM, VARIABLES, "sh", "-c", "x"])) == ["sh", "-c", "x"]
    assert list(without_helper(["sh", "-c"])) == ["sh", "-c"]
