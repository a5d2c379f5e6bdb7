"""The Swarm's side of the identity: a config that holds nothing but a sentence, and says in its labels whose it is.

See ``controller.loop.identity``. Nothing uses the config, so removing it does no harm: the next leader makes it anew.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

from controller.records import Mark
from controller.swarm.client import Document, EngineClient
from controller.swarm.errors import NameTaken, NotFound, OutOfSequence, outcomes
from reconcilers import labels
from reconcilers.outcomes import ConflictError

_TEXT = b"Written by skypanel. Its labels say which database this Swarm is kept by; see `skypanel identity`.\n"


class Marks:
    """The mark of one installation in one Swarm."""

    def __init__(self, client: EngineClient, installation: str) -> None:
        self._client = client
        self._installation = installation

    async def cluster_id(self) -> str:
        """Id of the Swarm."""
        async with outcomes():
            info = await self._client.request("GET", "/info")
        return cluster_of(info)

    async def read(self) -> Mark | None:
        """The mark; None when there is none."""
        async with outcomes():
            found = await self._find()
        return mark_of(found) if found is not None else None

    async def write(self, mark: Mark) -> None:
        """Make it say this.

        Raises:
            ConflictError: somebody else wrote it meanwhile.
        """
        async with outcomes():
            found = await self._find()
            try:
                if found is None:
                    await self._client.request("POST", "/configs/create", self._document(mark))
                elif mark_of(found) != mark:
                    version = {"version": found["Version"]["Index"]}
                    body = {**self._document(mark), "Name": found["Spec"]["Name"], "Data": ""}
                    await self._client.request("POST", f"/configs/{quote(found['ID'])}/update", body, version)
            except (NameTaken, NotFound, OutOfSequence) as error:
                raise ConflictError("Conflict", f"the Swarm's mark was changed meanwhile: {error.message}") from error

    async def _find(self) -> Document | None:
        found = await self._client.request("GET", "/configs", query={"filters": filters(self._installation)})
        return newest(found or [])

    def _document(self, mark: Mark) -> Document:
        return {
            "Name": mark_name(self._installation),
            "Labels": {
                labels.INSTALLATION: self._installation,
                labels.DATABASE: mark.database_id,
                labels.EPOCH: str(mark.epoch),
            },
            "Data": base64.b64encode(_TEXT).decode(),
        }


def mark_name(installation: str) -> str:
    """Name of the config that is an installation's mark."""
    return f"skypanel-identity-{installation}"[:64]


def filters(installation: str) -> dict[str, list[str]]:
    """Of ``GET /configs``, for the marks of an installation."""
    return {"label": [f"{labels.INSTALLATION}={installation}", labels.DATABASE]}


def cluster_of(info: dict[str, Any]) -> str:
    """Id of the Swarm, by the answer of ``/info``."""
    return str(((info.get("Swarm") or {}).get("Cluster") or {}).get("ID") or "")


def newest(found: list[Document]) -> Document | None:
    """The one that counts, should there be several."""
    return max(found, key=lambda document: mark_of(document).epoch, default=None)


def mark_of(document: Document) -> Mark:
    """What a config's labels say."""
    said = (document.get("Spec") or {}).get("Labels") or {}
    epoch = said.get(labels.EPOCH, "")
    return Mark(said.get(labels.DATABASE, ""), int(epoch) if epoch.isdigit() else 0)
