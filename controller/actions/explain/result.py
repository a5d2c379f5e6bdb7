"""What came of it: the cause and its mend, the chain, the last changes, and what could not be seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.actions.explain.changes import Happened
from controller.declared.reader import DeclaredObject
from controller.kit.redaction import redact
from reconcilers.chain import Link, State
from specs.kinds import KINDS


@dataclass(frozen=True, slots=True)
class Explanation:
    """Of one object.

    Args:
        object: with its status.
        chain: in the order of causality.
        changes: the last ones, the newest first.
        unseen: what could not be read or asked, and why.
    """

    object: DeclaredObject
    chain: Sequence[Link]
    changes: Sequence[Happened]
    unseen: Sequence[str]

    def without_passwords(self) -> Explanation:
        """The same, as anybody may read it who may read the object."""
        chain = [replace(link, evidence=redact(link.evidence), cause=redact(link.cause)) for link in self.chain]
        changes = [replace(change, what=redact(change.what)) for change in self.changes]
        return replace(self, chain=chain, changes=changes, unseen=list(map(redact, self.unseen)))

    @property
    def cause(self) -> Link | None:
        """The first link that is broken; None: none is."""
        return next((link for link in self.chain if link.state.is_fault), None)

    @property
    def verdict(self) -> str:
        """How it is and why, in one line."""
        what = f"{KINDS[self.object.kind].word()} {self.object.name}"
        cause, status = self.cause, self.object.status
        if cause is None:
            how = "has no state of its own" if status.ready is None else f"is as declared: {status.reason}"
            return f"{what} {how}" + (f": {redact(status.message)}" if status.message else "")
        return f"{self._how(what, cause)}: {cause.cause.rstrip('.') or cause.evidence}"

    def _how(self, what: str, cause: Link) -> str:
        status = self.object.status
        if self.object.deleted_at is not None or status.reason == "Deleted":
            is_gone = status.finalized_at is not None or status.reason == "Deleted"
            return f"{what} {'is gone' if is_gone else 'is being deleted'}"
        if status.unknown:
            return f"whether {what} is as declared is unknown"
        if status.ready:
            return f"{what} is as declared, but"
        return f"{what} is not ready{' yet' if cause.state is State.WAITS else ''}"

    def document(self) -> dict[str, Any]:
        """For programs."""
        status, cause = self.object.status, self.cause
        return {
            "kind": self.object.kind,
            "name": self.object.name,
            "id": self.object.id,
            "generation": self.object.generation,
            "ready": None if status.unknown else status.ready,
            "reason": status.reason,
            "message": redact(status.message),
            "verdict": self.verdict,
            "cause": None if cause is None else _link(cause),
            "chain": [_link(link) for link in self.chain],
            "changes": [{"at": c.at, "what": c.what, "by": c.by or None} for c in self.changes],
            "unseen": list(self.unseen),
        }


def _link(link: Link) -> dict[str, str]:
    return {
        "link": link.name,
        "state": link.state.value,
        "evidence": link.evidence,
        "cause": link.cause,
        "mend": link.mend,
    }
