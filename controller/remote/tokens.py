"""API tokens by the API: of the organization of who asks, of another one for the platform's, and of the platform."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from controller.access.token_rows import TokenRow
from controller.actions.errors import ActionError
from controller.actions.tokens import Asked, Made
from controller.client import Client, NotFound
from controller.remote.documents import NEVER, moment
from controller.remote.reading import Reader
from specs.kinds import TENANT, TENANT_WORD

_PLATFORM = "/api/admin/tokens"


def create(client: Client, asked: Asked) -> Made:
    """Make one.

    Raises:
        ActionError: it is for a user, and he is not the one who asks.
    """
    body: dict[str, Any] = {"name": asked.name, "expires": asked.expires}
    body |= {name: list(said) for name, said in (("apps", asked.apps), ("verbs", asked.verbs)) if said}
    if asked.role:
        body["role"] = asked.role
    if asked.user:
        if client.whoami()["actor"] != asked.user:
            hint = "leave --user out: then it is a machine's"
            raise ActionError("by an API one makes tokens of his own, or of machines", hint)
        body["mine"] = True
    answer = client.call("POST", _of(asked.organization), body=body, keyed=True).body
    return _made(answer)


def listed(client: Client, organization: str, *, every: bool) -> Sequence[TokenRow]:
    """Those of an organization; without one, of the organization of who asks, or of the platform."""
    address = _of(organization) if organization else _home(client)
    items = client.call("GET", address, query={"all": every or None}).body["items"]
    return [_row(each) for each in items]


def rotate(client: Client, token_id: str, overlap: str, expires: str) -> Made:
    """Replace one."""
    body = {"overlap": overlap, **({"expires": expires} if expires else {})}
    address = _found(client, token_id)
    return _made(client.call("POST", f"{address}/rotate", body=body, keyed=True).body)


def revoke(client: Client, token_id: str) -> str:
    """End one; its name."""
    return str(client.call("DELETE", _found(client, token_id), keyed=True).body["name"])


def _found(client: Client, token_id: str) -> str:
    """The address of a token, wherever it is."""
    for address in _places(client):
        one = f"{address}/{quote(token_id, safe='')}"
        try:
            client.call("GET", one)
        except NotFound:
            continue
        return one
    raise ActionError(f"there is no token {token_id}", "`skypanel tokens list` shows their ids")


def _places(client: Client) -> Iterator[str]:
    home = _home(client)
    yield home
    if home == _PLATFORM:
        for each in Reader(client)(TENANT):
            yield _of(each.path[0])


def _home(client: Client) -> str:
    own: Mapping[str, Any] | None = client.whoami().get(TENANT_WORD)  # type: ignore[assignment]
    return _of(own["name"]) if own else _PLATFORM


def _of(organization: str) -> str:
    return f"{Reader.address(TENANT, (organization,))}/tokens" if organization else _PLATFORM


def _made(answer: Mapping[str, Any]) -> Made:
    if not answer.get("token"):
        hint = f"make it anew: `skypanel tokens rotate {answer['id']} --overlap 0`"
        raise ActionError("the token was made, and its answer was lost on the way", hint)
    expires = moment(answer["expiresAt"]) or NEVER
    return Made(answer["id"], answer["token"], expires, moment(answer.get("replacesUntil")))


def _row(said: Mapping[str, Any]) -> TokenRow:
    return TokenRow(
        said["id"], said["name"], said.get(TENANT_WORD), said.get("user"), said["role"], said.get("apps"),
        said.get("verbs"), moment(said["madeAt"]) or NEVER, said["madeBy"], moment(said["expiresAt"]) or NEVER,
        moment(said.get("revokedAt")), moment(said.get("replacesUntil")), moment(said.get("usedAt")),
        said.get("usedFrom"), datetime.now(UTC),
    )  # fmt: skip
