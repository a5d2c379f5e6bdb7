"""Declared objects as an API shows them, by kind and path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from controller.actions.addresses import areas, collection, place
from controller.actions.errors import ActionError
from controller.client import Client, NotFound
from controller.client.problems import Forbidden
from controller.declared.objects import DeclaredObject
from controller.remote.documents import object_of
from controller.remote.refusals import said
from specs.kinds import KINDS, TENANT_WORD, ancestors, of_tenant

_MOST = 500
_TENANT_HEADER = "X-Organization-ID"


class Reader:
    """Gives objects; see ``Read``.

    Args:
        client: asks.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    def __call__(
        self,
        kind: str,
        path: Sequence[str] = (),
        *,
        organizations: Sequence[str] = (),
        everything: bool = False,
        specs: bool = True,
    ) -> list[DeclaredObject]:
        """Objects of ``kind``, by path.

        Raises:
            ActionError: those that are gone are asked for, of more than one.
        """
        depth = len(ancestors(kind)) + 1
        if everything and len(path) < depth:
            raise ActionError("an API shows no objects whose deletion is finished", "leave --all out")
        found = self._documents(kind, tuple(path), depth, organizations, specs=specs) if all(path) else iter(())
        with said(self._client.origin):
            objects = [object_of(each) for each in found]
        if any(one.kind != kind or (len(path) == depth and one.path != tuple(path)) for one in objects):
            raise ActionError(f"{self._client.origin} answers with another object than was asked for")
        return [one for one in objects if not organizations or not of_tenant(kind) or one.path[0] in organizations]

    def document(self, kind: str, path: Sequence[str]) -> Mapping[str, Any] | None:
        """One object as it is answered; None: there is none."""
        with said(self._client.origin), suppress(NotFound):
            found: Mapping[str, Any] = self._client.call("GET", self.address(kind, path)).body
            return found
        return None

    @staticmethod
    def address(kind: str, path: Sequence[str], *, writes: bool = False) -> str:
        """Where an object stands, with its names quoted."""
        from urllib.parse import quote  # noqa: PLC0415 - the client has loaded it

        area = areas(kind)[-1 if writes else 0]
        return place(area, kind, [quote(name, safe="") for name in path])

    def _documents(
        self, kind: str, path: tuple[str, ...], depth: int, organizations: Sequence[str], *, specs: bool
    ) -> Iterator[Mapping[str, Any]]:
        area, parts = areas(kind)[0], {} if specs else {"fields": "metadata,status"}
        lone = KINDS[kind].globally_named and len(path) == 1 and "." in path[0]
        if len(path) == depth and not lone:
            found = self.document(kind, path)
            yield from () if found is None else (found,)
            return
        if path and len(path) == depth - 1 and not lone:
            owner = ancestors(kind)[-1]
            with suppress(NotFound):
                yield from self._pages(f"{self.address(owner, path)}/{KINDS[kind].plural()}", parts)
            return
        wanted: Sequence[str | None] = [None]
        if of_tenant(kind):
            wanted = organizations or ([path[0]] if path and not lone else [None])
        for tenant in dict.fromkeys(wanted):
            with suppress(NotFound):
                query = {**parts, **({TENANT_WORD: tenant} if tenant else {})}
                for each in self._pages(collection(area, kind, nested=False), query):
                    names = [each["metadata"].get(KINDS[owner].word()) for owner in ancestors(kind)]
                    names.append(each["metadata"]["name"])
                    if names[-1] == path[0] if lone else tuple(names[: len(path)]) == path:
                        yield each

    def _pages(self, address: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        try:
            yield from self._client.pages(address, {"limit": _MOST, **query}, "cursor")
        except Forbidden as problem:
            if not any(_TENANT_HEADER in fault.detail for fault in problem.faults):
                raise  # else it is an organization that is not there, or none of his
