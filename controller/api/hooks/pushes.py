"""What a delivery says was pushed, where it says so plainly: it then wakes nothing that follows something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from controller.api import body as bodies
from controller.api.problems import ProblemError

FORM = "application/x-www-form-urlencoded"
_PINGS = ("ping", "diagnostics:ping")
_PUSHES = ("", "push", "Push Hook", "Tag Push Hook", "System Hook")
_FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/"}
_MOST = 3


@dataclass(frozen=True, slots=True)
class Push:
    """What happened.

    Args:
        names: references that were pushed, whole; None: it is not said plainly.
        ping: nothing happened, somebody tries whether the address answers.
    """

    names: tuple[str, ...] | None = None
    ping: bool = False

    def concerns(self, reference: str | None) -> bool:
        """Whether something that follows ``reference`` shall look; None: it follows none."""
        return not self.ping and (self.names is None or reference is None or reference in self.names)

    @property
    def words(self) -> str:
        """What was pushed, for people."""
        if self.names is None:
            return ""
        more = f" and {len(self.names) - _MOST} more" if len(self.names) > _MOST else ""
        return ", ".join(each[:255] for each in self.names[:_MOST]) + more


def followed(branch: str, tag: str | None, commit: str | None) -> str | None:
    """The reference that a source follows; None: a commit, which may come by any."""
    if commit:
        return None
    return f"refs/tags/{tag}" if tag else f"refs/heads/{branch}"


def pushed(event: str, form: str, body: bytes) -> Push:
    """What a delivery says; it was looked at whose it is.

    Args:
        event: as the forge calls it.
        form: the media type.
        body: as it came.
    """
    if event in _PINGS:
        return Push(ping=True)
    said = _document(form, body)
    if not isinstance(said, Mapping):
        return Push()
    if event in ("repo:push", "repo:refs_changed"):
        return Push(_all(_of_bitbucket(said)))
    if event in _PUSHES:
        return Push(_all([said.get("ref")]))
    return Push()


def _document(form: str, body: bytes) -> Any:
    try:
        if form == FORM:
            fields = parse_qs(body.decode("ascii", "replace"), max_num_fields=8)
            body = fields.get("payload", [""])[0].encode("utf-8", "replace")
        return bodies.document(body)
    except (ProblemError, ValueError):
        return None


def _all(found: Sequence[object]) -> tuple[str, ...] | None:
    """Whole references; None: one of them is not said plainly, or there is none."""
    names = tuple(each for each in found if isinstance(each, str) and each.startswith("refs/") and each.isprintable())
    return names if names and len(names) == len(found) else None


def _of_bitbucket(said: Mapping[str, Any]) -> list[object]:
    """Of Cloud: ``push.changes[].new``, and ``old`` of what was deleted; of Data Center: ``changes[].refId``."""
    push = said.get("push")
    changes = push.get("changes") if isinstance(push, Mapping) else said.get("changes")
    if not isinstance(changes, list):
        return []
    return [_changed(each) for each in changes]


def _changed(change: Any) -> object:
    if not isinstance(change, Mapping):
        return None
    if "refId" in change:
        return change["refId"]
    for side in ("new", "old"):
        one = change.get(side)
        if isinstance(one, Mapping):
            name, folder = one.get("name"), _FOLDERS.get(str(one.get("type")))
            return f"{folder}{name}" if folder and isinstance(name, str) else None
    return None
