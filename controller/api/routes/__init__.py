"""The operations, a module a subject."""

from __future__ import annotations

from controller.api.operations import Operation
from controller.api.routes import (
    bindings,
    config,
    controller,
    controls,
    deeds,
    events,
    lists,
    numbers,
    objects,
    passwords,
    progress,
    releases,
    runs,
    session,
    sets,
    stream,
    templates,
    tokens,
    who,
)


def operations() -> list[Operation]:
    """All that the API does."""
    return [
        *who.OPERATIONS,
        *session.OPERATIONS,
        *sets.OPERATIONS,
        *progress.OPERATIONS,
        *events.OPERATIONS,
        *stream.OPERATIONS,
        *lists.made(),
        *objects.made(),
        *releases.made(),
        *deeds.made(),
        *runs.made(),
        *controls.made(),
        *config.made(),
        *passwords.made(),
        *templates.OPERATIONS,
        *tokens.made(),
        *bindings.made(),
        *controller.OPERATIONS,
        *numbers.OPERATIONS,
    ]
