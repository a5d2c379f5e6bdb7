"""Template: a ready-made app to start from: what runs, how, and which config vars it wants; the platform's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from specs.binding import Column, Reference, TableBinding
from specs.config import check_name
from specs.facts import KindFacts, spec
from specs.fields import Characters, Flag, Image, Line, Paragraph, ProcessType, RepositoryUrl, Slug
from specs.kinds.environment import EnvironmentSpec
from specs.kinds.process import ProcessSpec
from specs.permits import VIEWER
from specs.problems import InvalidSpec, Problem, RefusedError, problems_of
from specs.resource import RENAMED_FROM, Declared, Metadata, Resource, Spec

MOST_VARIABLES, MOST_PROCESSES = 100, 20
_FROM_ELSEWHERE = {
    "image": "it is the template's own image",
    "deployMode": "it is the template's own deployMode",
    "plan": "it is the template's own plan",
    "release": "a new app has none",
    "restartToken": "a new app has none",
    "suspended": "a new app runs",
}


class Variable(Declared):
    """A config var of a new app: one value for everybody, one that is made anew for each, or one that is asked for."""

    value: Paragraph | None = Field(None, description="Its value, which everybody can read: nothing secret.")
    generate: Characters | None = Field(
        None, description="A secret of so many letters and digits, which is made for each app and shown to nobody."
    )
    required: Flag = Field(False, description="Whoever deploys it has to say a value.")
    description: Line | None = Field(None, description="What it is for.")

    @model_validator(mode="after")
    def _in_one_way(self) -> Self:
        if sum((self.value is not None, self.generate is not None, self.required)) != 1:
            raise InvalidSpec([Problem("value", None, "is one of value, generate and required: true", "", ("value",))])
        return self


class TemplateMetadata(Metadata):
    """Templates belong to the platform, not to an organization."""

    name: Slug = Field(description="Name of the template.")
    renamed_from: Slug | None = Field(None, description=RENAMED_FROM)


class TemplateSpec(Spec):
    """What an app that is made of it has. What is made stays as it is, whatever becomes of the template."""

    title: Line | None = Field(None, description="What people call it; its name when left out.")
    description: Paragraph | None = Field(None, description="Description of the template.")
    deploy_mode: Literal["image", "buildpack"] = Field(
        "image",
        description="Where its image comes from; buildpack: it is built from `repoUrl`, which nothing does yet.",
    )
    image: Image | None = Field(None, description="Image that runs; with deployMode image it is required.")
    repo_url: RepositoryUrl | None = Field(None, description="Git repository that it is built from, or that it is of.")
    stack: Slug | None = Field(None, description="Name of the stack that it is built with.")
    plan: Slug | None = Field(None, description="Name of the plan that it is given, unless another one is asked for.")
    environment: dict[str, Any] = Field(
        default_factory=dict, description="How it runs: fields of an environment's spec, such as port and tmpfs."
    )
    processes: dict[ProcessType, dict[str, Any]] = Field(
        default_factory=dict, description="Process types, and fields of each one's spec."
    )
    config: dict[str, Variable] = Field(default_factory=dict, description="Config vars by name.")
    enabled: Flag = Field(True, description="Whether it is offered.")

    @model_validator(mode="after")
    def _can_be_made(self) -> Self:
        problems = list(self._faults())
        if problems:
            raise InvalidSpec(problems)
        return self

    def _faults(self) -> list[Problem]:
        needed = ("image", self.image) if self.deploy_mode == "image" else ("repoUrl", self.repo_url)
        problems = [] if needed[1] is not None else [Problem(needed[0], None, "is required", "", (needed[0],))]
        problems += [
            Problem(f"environment.{name}", None, "has no place here", why, ("environment", name))
            for name, why in _FROM_ELSEWHERE.items()
            if name in self.environment
        ]
        if not problems and self.image is not None:
            document = {**self.environment, "image": self.image}
            problems += _problems(EnvironmentSpec, document, ("environment",))
        for type_, document in self.processes.items():
            problems += _problems(ProcessSpec, document, ("processes", type_))
        for name in self.config:
            try:
                check_name(name)
            except RefusedError as error:
                problems.append(Problem(f"config.{name}", None, error.message, error.hint, ("config", name)))
        for field, found, most in (
            ("config", self.config, MOST_VARIABLES),
            ("processes", self.processes, MOST_PROCESSES),
        ):
            if len(found) > most:
                problems.append(Problem(field, None, f"has {len(found)}", f"at most {most}", (field,)))
        return problems


def _problems(model: type[Spec], document: Mapping[str, Any], at: tuple[str, ...]) -> list[Problem]:
    """What is wrong with a part, by where it stands in the whole."""
    try:
        model.model_validate(document)
    except ValidationError as error:
        found = problems_of(error, model=model, document=document)
        return [Problem(".".join(map(str, (*at, *p.path))), None, p.message, p.hint, (*at, *p.path)) for p in found]
    except InvalidSpec as error:
        return [
            Problem(".".join(map(str, (*at, *p.path))), None, p.message, p.hint, (*at, *p.path)) for p in error.problems
        ]
    return []


def _variables_to_db(found: Mapping[str, Variable]) -> dict[str, Any]:
    """The JSON document of ``default_env``: what has a value alone is that."""
    documents = {name: each.model_dump(mode="json", exclude_defaults=True) for name, each in found.items()}
    return {name: said["value"] if said.keys() == {"value"} else said for name, said in documents.items()}


def _variables_from_db(document: Any) -> Any:
    """The fields that the JSON document of ``default_env`` stands for; what cannot be one is left as it is."""
    if not isinstance(document, dict):
        return document
    return {name: {"value": said} if isinstance(said, str) else said for name, said in document.items()}


class Template(Resource):
    """A ready-made app to start from."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="paas_templates",
        key_column="name",
        columns={
            "title": Column("title"),
            "description": Column("description"),
            "deploy_mode": Column("deploy_mode"),
            "image": Column("image_ref"),
            "repo_url": Column("repo_url"),
            "stack": Column("recommended_stack_id", reference=Reference("paas_stacks", "name", kind="Stack")),
            "plan": Column("recommended_plan_id", reference=Reference("paas_plans", "name", kind="Plan")),
            "environment": Column("environment", json=True),
            "processes": Column("processes", json=True),
            "config": Column("default_env", to_db=_variables_to_db, from_db=_variables_from_db, json=True),
            "enabled": Column("enabled"),
        },
    )
    facts: ClassVar[KindFacts] = KindFacts(
        permits={"read": VIEWER},  # whoever chooses one
        offered="enabled",
        makes_apps=True,
        example_name="blog",
        example={
            "title": "A blog",
            "image": "registry.example.com/templates/blog:1",
            "plan": "small",
            "environment": {"port": 8080},
            "config": {"SECRET_KEY": {"generate": 48}, "ADMIN_EMAIL": {"required": True}, "THEME": {"value": "plain"}},
        },
        images=("image",),
        inert={"stack": "nothing is built yet; it is for who builds the image"},
        columns={"TITLE": spec("title"), "MODE": spec("deployMode"), "IMAGE": spec("image"), "PLAN": spec("plan")},
        wide={"ENABLED": spec("enabled"), "STACK": spec("stack")},
    )

    kind: Literal["Template"] = "Template"
    metadata: TemplateMetadata
    spec: TemplateSpec
