"""What each forge is asked to show beside a commit: the request, made of the repository and what is said.

Pure: nothing is sent here. The forms are those of each forge's documentation:

    github     POST /repos/OWNER/NAME/statuses/SHA                 docs.github.com/rest/commits/statuses
    gitea      POST /repos/OWNER/NAME/statuses/SHA                 Forgejo's as well
    gitlab     POST /projects/PATH/statuses/SHA                    docs.gitlab.com/api/commits
    bitbucket  POST /repositories/OWNER/NAME/commit/SHA/statuses/build   Cloud
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlsplit

from specs.sources import place_of

PENDING, SUCCESS, FAILURE = "pending", "success", "failure"
LONGEST = 140
"""Characters of a sentence: GitHub takes no more."""
_KEY = 40
_HOSTS = {
    "github.com": "github",
    "gitlab.com": "gitlab",
    "codeberg.org": "gitea",
    "gitea.com": "gitea",
    "bitbucket.org": "bitbucket",
}
_APIS = {"github.com": "https://api.github.com", "bitbucket.org": "https://api.bitbucket.org/2.0"}
_PATHS = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1", "bitbucket": "/2.0"}
FORGES = tuple(sorted(_PATHS))


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a commit.

    Args:
        commit: which.
        state: ``pending``, ``success`` or ``failure``.
        context: by whom: one for each source.
        sentence: for people.
    """

    commit: str
    state: str
    context: str
    sentence: str

    @property
    def shown(self) -> str:
        """The sentence, as long as each forge takes it."""
        text = "".join(c if c.isprintable() else " " for c in self.sentence)
        return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Args:
        path: below the API's address.
        headers: with the token.
        body: of JSON.
    """

    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes


def is_token(text: str) -> bool:
    """Whether it can stand in a header: letters, digits and signs of ASCII, without spaces and line breaks."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def forge_of(repository: str) -> str | None:
    """Which forge a repository is at, where its host says so; None: it does not."""
    return _HOSTS.get(place_of(repository).host)


def api_of(forge: str, repository: str) -> str:
    """Where the API of a repository's forge is: at its host, but for those that have another one for it."""
    place = place_of(repository)
    if known := _APIS.get(place.host):
        return known
    if place.scheme == "ssh":  # whose port is not that of its API
        return f"https://{place.host}{_PATHS[forge]}"
    return f"{place.scheme}://{urlsplit(repository).netloc}{_PATHS[forge]}"


def call(forge: str, repository: str, token: str, said: Said) -> Call:
    """The request that has the forge show ``said``."""
    path = place_of(repository).path.strip("/").removesuffix(".git")
    return _CALLS[forge](path, repository, token, said)


def _of_github(path: str, _: str, token: str, said: Said) -> Call:
    body = {"state": said.state, "context": said.context, "description": said.shown}
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/vnd.github+json"}
    return _call(f"/repos/{quote(path)}/statuses/{said.commit}", headers, body)


def _of_gitea(path: str, _: str, token: str, said: Said) -> Call:
    body = {"state": said.state, "context": said.context, "description": said.shown}
    return _call(f"/repos/{quote(path)}/statuses/{said.commit}", {"Authorization": f"token {token}"}, body)


def _of_gitlab(path: str, _: str, token: str, said: Said) -> Call:
    state = {PENDING: "pending", SUCCESS: "success", FAILURE: "failed"}[said.state]
    body = {"state": state, "name": said.context, "description": said.shown}
    return _call(f"/projects/{quote(path, safe='')}/statuses/{said.commit}", {"PRIVATE-TOKEN": token}, body)


def _of_bitbucket(path: str, repository: str, token: str, said: Said) -> Call:
    state = {PENDING: "INPROGRESS", SUCCESS: "SUCCESSFUL", FAILURE: "FAILED"}[said.state]
    key = hashlib.sha256(said.context.encode()).hexdigest()[:_KEY]
    body = {"key": key, "state": state, "name": said.context, "description": said.shown, "url": _page(repository)}
    target = f"/repositories/{quote(path)}/commit/{said.commit}/statuses/build"
    return _call(target, {"Authorization": f"Bearer {token}"}, body)


def _page(repository: str) -> str:
    place = place_of(repository)
    return f"https://{place.host}/{place.path}" if place.scheme == "ssh" else repository


def _call(path: str, headers: Mapping[str, str], body: Mapping[str, str]) -> Call:
    given = {"Content-Type": "application/json", "Accept": "application/json", **headers}
    return Call(path, given, json.dumps(body).encode())


_CALLS: Mapping[str, Callable[[str, str, str, Said], Call]] = {
    "github": _of_github,
    "gitea": _of_gitea,
    "gitlab": _of_gitlab,
    "bitbucket": _of_bitbucket,
}
