"""The parts of a service's document that have different fates.

The task template can fail, and is gone back from when it does. Routes, scale and networks cannot, and are always those
of today. So what is wanted while a template is held back is today's document with an older template in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconcilers.labels import TEMPLATE_HASH
from reconcilers.objects import Service
from reconcilers.routes import at_port


def with_template(service: Service, good: Mapping[str, Any]) -> Service:
    """``service`` with the task template of the document ``good``, and with routes to the port that it listens on.

    Args:
        service: as it is wanted today; its networks are the ones that are there today.
        good: a whole document, as it was written or as the engine gives it back.
    """
    template = {**good["TaskTemplate"], "Networks": service.spec["TaskTemplate"]["Networks"]}
    routes = at_port(service.spec["Labels"], listening_port(good))
    # What the engine gives back has more in it than was written; the label says what it was.
    known = (good.get("Labels") or {}).get(TEMPLATE_HASH, "")
    sealed = Service.seal({**service.spec, "TaskTemplate": template, "Labels": routes}, template=known)
    return replace(sealed, pull=service.pull)


def image_of(document: Mapping[str, Any]) -> str:
    """The image that the tasks of a document run, as they name it."""
    template: Mapping[str, Any] = document.get("TaskTemplate") or {}
    return str((template.get("ContainerSpec") or {}).get("Image") or "")


def listening_port(document: Mapping[str, Any]) -> str | None:
    """The port that the tasks of a document were told to listen on."""
    variables = document["TaskTemplate"]["ContainerSpec"].get("Env") or ()
    return next((entry.removeprefix("PORT=") for entry in variables if entry.startswith("PORT=")), None)
