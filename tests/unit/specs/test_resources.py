"""The envelope and the six kinds."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from specs.kinds import KINDS, in_apply_order
from specs.problems import InvalidSpec, problems_of
from specs.resource import Resource, ResourceKey

OWNERS = {"organization": "acme", "app": "hello", "environment": "production"}
CHECK = {"command": ["true"]}


def build(kind: str, name: str = "x", spec: dict[str, Any] | None = None, **metadata: str) -> Any:
    cls = KINDS[kind]
    fields = cls.model_fields["metadata"].annotation
    assert fields is not None
    owners = {owner: value for owner, value in OWNERS.items() if owner in fields.model_fields}
    document = {
        "apiVersion": "skypanel.io/v1",
        "kind": kind,
        "metadata": {"name": name, **owners, **metadata},
        "spec": spec or {},
    }
    try:
        return cls.model_validate(document)
    except ValidationError as error:
        raise InvalidSpec(problems_of(error, model=cls, document=document)) from None


def test_owners_come_before_what_they_own_and_processes_before_the_domains_that_name_them() -> None:
    order = list(KINDS)
    assert set(order) == {
        "Organization", "Plan", "App", "Environment", "Process", "Domain", "Registry", "ImagePolicy", "Source",
        "Run", "Buildpack", "Stack", "Template",
    }  # fmt: skip
    for earlier, later in [
        ("Organization", "App"),
        ("Organization", "Registry"),
        ("App", "Environment"),
        ("Plan", "Environment"),
        ("Environment", "Process"),
        ("Process", "Domain"),
        ("Buildpack", "Stack"),
        ("Stack", "Template"),
        ("Plan", "Template"),
    ]:
        assert order.index(earlier) < order.index(later)


def test_resources_are_put_into_the_order_in_which_they_can_be_applied() -> None:
    domain, app, organization = build("Domain", "a.example"), build("App"), build("Organization")
    resources: list[Resource] = [domain, app, organization]
    assert in_apply_order(resources) == [organization, app, domain]


def test_a_key_has_the_names_of_all_owners() -> None:
    environment = build("Environment", "production", {"image": "a"})
    assert environment.key == ResourceKey("Environment", ("acme", "hello", "production"))
    assert str(environment.key) == "Environment acme/hello/production"


def test_a_host_name_tells_a_domain_from_all_others_whoever_owns_it() -> None:
    assert build("Domain", "a.example").key == build("Domain", "a.example", organization="globex").key


def test_an_environment_has_safe_defaults() -> None:
    spec = build("Environment", spec={"image": "a"}).spec
    assert (spec.replicas, spec.read_only_root_filesystem, spec.tmpfs) == (1, True, ("/tmp",))
    assert (spec.stop_grace_period, spec.suspended, spec.deploy_mode) == (
        timedelta(seconds=10),
        False,
        "image",
    )


def test_amounts_are_read_with_their_units() -> None:
    spec = build("Plan", spec={"cpu": "250m", "memory": "1Gi", "priceHourly": "0.006900"}).spec
    assert (spec.cpu, spec.memory, spec.price_hourly) == (Decimal("0.25"), 1024, Decimal("0.0069"))


def test_a_document_has_the_yaml_form_and_nothing_that_is_not_set() -> None:
    plan = build("Plan", "small", {"cpu": 0.25, "memory": "1024Mi", "priceMonthly": "5"})
    assert plan.document() == {
        "apiVersion": "skypanel.io/v1",
        "kind": "Plan",
        "metadata": {"name": "small"},
        "spec": {
            "cpu": "250m",
            "memory": "1Gi",
            "pids": 256,
            "storageGb": 0,
            "priceHourly": "0",
            "priceMonthly": "5",
            "enabled": True,
            "autoscaling": False,
        },
    }


def test_a_resource_cannot_be_changed() -> None:
    app = build("App")
    with pytest.raises(ValidationError, match="frozen"):
        app.spec.suspended = True


@pytest.mark.parametrize(
    ("kind", "spec", "message"),
    [
        ("Environment", {}, "spec.image: is required"),
        (
            "Environment",
            {"image": "a", "replcas": 2},
            "spec.replcas: is not a field here (did you mean replicas?)",
        ),
        (
            "Environment",
            {"image": "a", "stop_grace_period": "1s"},
            "spec.stop_grace_period: is not a field here (did",
        ),
        (
            "Environment",
            {"image": "a", "stopGracePeriod": "1500ms"},
            "spec.stopGracePeriod: 1s500ms is not a stop",
        ),
        (
            "Environment",
            {"image": "a", "stopGracePeriod": "2h"},
            "spec.stopGracePeriod: 2h is not a stop grace",
        ),
        ("Environment", {"image": "a", "command": "run it"}, "spec.command: is text, not a list of words"),
        ("Environment", {"image": "a", "memory": 64}, "spec.memory: 64 has no unit"),
        ("Environment", {"image": "a", "cpu": "lots"}, 'spec.cpu: "lots" is not an amount of CPU'),
        ("Environment", {"image": "a", "healthcheck": {}}, "spec.healthcheck.command: is required"),
        (
            "Environment",
            {"image": "a", "healthcheck": CHECK | {"interval": "0s"}},
            "spec.healthcheck.interval: 0s is",
        ),
        (
            "Environment",
            {"image": "a", "healthcheck": CHECK | {"period": "1s"}},
            "spec.healthcheck.period: is not a",
        ),
        ("Environment", {"image": "a", "healthcheck": "off"}, "spec.healthcheck: is "),
        ("Environment", {"image": "a", "init": "no"}, "spec.init: is text, not true or false"),
        ("Environment", {"image": "a", "region": "EU"}, 'spec.region: "EU" is not a'),
        ("Plan", {"memory": "64Mi"}, "spec.cpu: is required"),
        (
            "Plan",
            {"cpu": 1, "memory": "64Mi", "priceHourly": 0.1},
            "spec.priceHourly: 0.1 is a number (a price is text",
        ),
        (
            "Plan",
            {"cpu": 1, "memory": "64Mi", "priceHourly": "0.1234567"},
            'spec.priceHourly: "0.1234567" is not a',
        ),
        (
            "Plan",
            {"cpu": 1, "memory": "64Mi", "priceMonthly": "-1"},
            'spec.priceMonthly: "-1" is not a price',
        ),
        ("Organization", {"owner": "me"}, 'spec.owner: "me" is not an e-mail address'),
        ("Organization", {"networkPrefix": 29}, "spec.networkPrefix: 29 is not the prefix length"),
        ("Organization", {"displayName": " "}, 'spec.displayName: " " is not a line of text'),
        ("App", {"repoUrl": "file:///etc"}, 'spec.repoUrl: "file:///etc" is not a repository URL'),
        ("Process", {"args": [12345]}, "spec.args[0]: is a number, not text (put a number"),
        ("Process", {"port": 10**400}, f"spec.port: 1{'0' * 78}… is not a port (1-65535)"),
        ("Process", {"port": 65536}, "spec.port: 65536 is not a port (1-65535)"),
        ("Domain", {"process": "my-web"}, 'spec.process: "my-web" is not a process type'),
    ],
)
def test_a_bad_field_is_refused_by_its_name_in_the_file(kind: str, spec: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidSpec) as refused:
        build(kind, "a.example" if kind == "Domain" else "web", spec)
    assert str(refused.value).startswith(message)


def test_a_missing_owner_is_refused() -> None:
    with pytest.raises(ValidationError) as raised:
        KINDS["App"].model_validate({"apiVersion": "skypanel.io/v1", "kind": "App", "metadata": {"name": "x"}})
    assert str(InvalidSpec.of(raised.value)) == "metadata.organization: is required"


def test_credentials_in_a_repository_url_are_refused_without_being_shown() -> None:
    with pytest.raises(InvalidSpec) as refused:
        build("App", spec={"repoUrl": "https://bob:hunter2@git.example.com/x.git"})
    assert "credentials" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["https://git.example.com/a.git", "ssh://git@git.example.com/a.git", "git@git.example.com:team/a.git"],
)
def test_a_repository_url_without_a_password_is_taken(url: str) -> None:
    assert build("App", spec={"repoUrl": url}).spec.repo_url == url
