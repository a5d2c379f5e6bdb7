"""Deployment of what is built already: another image in the spec, or another tag of the one that is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from controller.actions.errors import ActionError
from specs.images import parse_image

IMAGE = "image"
_RELEASE = "release"


def with_image(document: Mapping[str, Any], image: str = "", tag: str = "") -> dict[str, Any]:
    """``document`` with ``image``, or with another tag of the image that it names.

    Raises:
        ActionError: it names none that could have another tag.
        specs.problems.RefusedError: the tag cannot be one.
    """
    spec = dict(document.get("spec") or {})
    return {**document, "spec": {**spec, IMAGE: image or _tagged(spec.get(IMAGE), tag)}}


def overruled(document: Mapping[str, Any]) -> str:
    """Why what is declared does not run; empty where it does."""
    release = (document.get("spec") or {}).get(_RELEASE)
    return "" if release is None else f"it runs the content of its release {release}"


def _tagged(named: str | None, tag: str) -> str:
    if not named:
        raise ActionError("it names no image that could have another tag", "name a whole image")
    return str(parse_image(str(replace(parse_image(named), tag=tag, digest=""))))
