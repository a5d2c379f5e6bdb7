"""What is made of a template: an app, its environment, its processes and its config vars. Pure.

What is made is a copy: nothing of it leads back, so a template that is changed changes nothing that was made of it.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any

from specs.kinds.app import App
from specs.kinds.environment import Environment
from specs.kinds.process import Process
from specs.kinds.template import Template
from specs.problems import RefusedError
from specs.resource import Resource

MADE = (App, Environment, Process)
"""Kinds of what is made, the outermost first."""
_LETTERS = string.ascii_letters + string.digits


def refuse_what_cannot_run(template: Template) -> None:
    """Have nothing made that would stand still.

    Raises:
        RefusedError: it is not offered, or would have to be built.
    """
    name = template.metadata.name
    if not template.spec.enabled:
        raise RefusedError(f"template {name} is not offered any more", "choose another one")
    if template.spec.deploy_mode != "image":
        raise RefusedError(
            f"template {name} is built from source, and nothing is built yet",
            "choose one with an image, or build it and `skypanel deploy` that",
        )


def resources(template: Template, organization: str, app: str, environment: str, plan: str = "") -> list[Resource]:
    """What it declares, owners first.

    Args:
        template: of which.
        organization: slug of whose.
        app: slug of the new app.
        environment: name of its environment.
        plan: of it; empty: the template's.

    Raises:
        pydantic.ValidationError: a name is none.
    """
    spec = template.spec
    within = {"organization": organization, "app": app}
    of_environment: dict[str, Any] = {**spec.environment, "image": spec.image}
    if plan or spec.plan:
        of_environment["plan"] = plan or spec.plan
    made: list[Resource] = [
        App.model_validate(
            {"kind": "App", "metadata": {"name": app, "organization": organization}, "spec": {"repoUrl": spec.repo_url}}
        ),
        Environment.model_validate(
            {"kind": "Environment", "metadata": {"name": environment, **within}, "spec": of_environment}
        ),
    ]
    for type_, of_process in spec.processes.items():
        metadata = {"name": type_, "environment": environment, **within}
        made.append(Process.model_validate({"kind": "Process", "metadata": metadata, "spec": of_process}))
    return made


def variables(template: Template, given: Mapping[str, str]) -> dict[str, str]:
    """Values of its config vars: those that are given, else those of everybody, else new secrets.

    Raises:
        RefusedError: one that is asked for is missing, or one is given that it has not.
    """
    wanted = template.spec.config
    if unknown := sorted(given.keys() - wanted.keys()):
        known = ", ".join(wanted) or "none"
        raise RefusedError(f"it has no config var {', '.join(unknown)}", f"it has {known}; set others afterwards")
    if missing := [name for name, each in wanted.items() if each.required and not given.get(name)]:
        raise RefusedError(f"it needs a value of {', '.join(missing)}", _asked(template, missing))
    return {
        name: given[name] if name in given else each.value if each.value is not None else _made(each.generate or 0)
        for name, each in wanted.items()
    }


def _asked(template: Template, names: Sequence[str]) -> str:
    said = [(name, template.spec.config[name].description) for name in names]
    return "; ".join(f"{name}: {what}" for name, what in said if what) or "say them"


def _made(characters: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(characters))
