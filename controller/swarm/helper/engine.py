"""The helper in the Swarm: a config of the installation, one an architecture, which tasks mount and execute.

It has no owner, as the installation's mark has none: no plan removes it and no owner is told of it. The engine itself
keeps it while a service refers to it; one that was removed is made anew when it is needed next.
"""

from __future__ import annotations

import base64

from controller.swarm.client import EngineClient
from controller.swarm.errors import EngineError, NameTaken, outcomes
from controller.swarm.feed import Feed
from controller.swarm.helper.program import program
from controller.swarm.liveview import LiveView
from controller.swarm.own_writes import OwnWrites
from controller.swarm.types.config import CONFIG
from reconcilers import labels
from reconcilers.helper import Helper, helper_name
from reconcilers.outcomes import ConflictError, TerminalError


class EngineHelper(Helper):
    """The helper of one installation in one Swarm."""

    def __init__(self, client: EngineClient, live: LiveView, feed: Feed, own: OwnWrites) -> None:
        self._client = client
        self._live = live
        self._feed = feed
        self._own = own

    async def provide(self, architecture: str, version: int) -> None:
        """Have it there; what the view shows is not asked for. See ``Helper``.

        Raises:
            TerminalError: ``HelperMissing``, or ``NameConflict``: somebody else's config has its name.
            ConflictError: it went while it was looked at.
        """
        name = helper_name(self._live.installation, architecture, version)
        if self._live.find(CONFIG.name, name) is not None:
            return self._insist(name)
        document = {
            "Name": name,
            "Labels": {labels.INSTALLATION: self._live.installation},
            "Data": base64.b64encode(program(architecture)).decode(),
        }
        async with outcomes():
            self._own.wrote(name, "create")
            try:
                made = await self._client.create_content(CONFIG.name, document)
            except EngineError as error:
                self._own.did_not_write(name, "create")
                if not isinstance(error, NameTaken):
                    raise
                made = name  # of an earlier create whose answer was lost, or another process's
            await self._feed.refresh(CONFIG.name, made, tell=False)
        if self._live.find(CONFIG.name, name) is None:
            raise ConflictError("Conflict", f"config {name} was removed meanwhile; retrying")
        return self._insist(name)

    def _insist(self, name: str) -> None:
        """What is there is ours: nothing else may stand in front of a tenant's program."""
        found = self._live.find(CONFIG.name, name)
        if found is None or not self._live.is_ours(found):
            raise TerminalError(
                "NameConflict",
                f"config {name} is on the engine and was not made by this installation; it is left alone. Remove it",
            )
