"""What each kind means on Swarm, for a look ahead: the kinds' own previews, with what the controller would know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import reconcilers  # noqa: F401 - registers all kinds
from controller.swarm.liveview import LiveView
from reconcilers.objects import Objects
from reconcilers.ports import Options
from reconcilers.registry import registered


def render(kind: str, doc: Mapping[str, Any], options: Options, live: LiveView, subnets: Mapping[UUID, str]) -> Objects:
    """The objects that a document stands for.

    Raises:
        InvalidSpec: the document breaks a rule.
    """
    reconciler = registered()[kind]
    snapshot = reconciler.read(doc, options)
    return reconciler.preview(snapshot, options, live, subnets.get(snapshot.id))
