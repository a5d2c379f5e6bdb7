"""What one reconcile says at its end: status of the object and of its parts, events, and what the inventory must learn.

It is collected while the reconcile runs, so that what was done before an error is said all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from controller.records import EventRecord, InventoryUpdate, Loaded, Report, Rest
from reconcilers.conditions import PROGRESS_DEADLINE_EXCEEDED, RECONCILING, Condition, Status, check, is_stuck
from reconcilers.ports import Child, ChildStatus

_MESSAGE_LENGTH = 2000
_NO_PART = (Condition("Ready", "False", "Deleted", "it no longer belongs to its owner"),)


class Draft:
    """The report of one reconcile, as far as it has come."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._said = loaded.status or {}
        token = loaded.token if loaded.requested else None
        self.report = Report(loaded.key, loaded.organization_id, handled_token=token)
        self.conditions: tuple[Condition, ...] = ()
        """Of the object; empty: nothing is said of it."""
        self.children: Sequence[Child] | None = None
        """Whose status goes with the object's; None until its document was read."""

    @property
    def addressed(self) -> bool:
        """Whether there is somebody to say something to: a row, or a status that is not final."""
        loaded = self._loaded
        return loaded.declared or loaded.document is not None or bool(self._said and not self._said.get("finalized"))

    @property
    def within_time(self) -> bool:
        """Whether it was said to be on its way, and not to be late."""
        state = self.conditions[-1] if self.conditions else None
        return state is not None and state.type == RECONCILING and state.reason != PROGRESS_DEADLINE_EXCEEDED

    def learn(self, *updates: InventoryUpdate) -> None:
        """The inventory must learn these."""
        self.report.inventory += updates

    def learned_so_far(self) -> list[InventoryUpdate]:
        """Take what was learned out of the draft, to be written down by itself and now."""
        learned, self.report.inventory = self.report.inventory, []
        return learned

    def event(self, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        """One event for people."""
        text = message if len(message) <= _MESSAGE_LENGTH else message[: _MESSAGE_LENGTH - 1] + "…"
        self.report.events.append(EventRecord(type_, reason, text))

    def tell_of(self, service: str, said: Mapping[str, object]) -> None:
        """Have this said of a service in what was said of the object before; what is stated anew goes before it."""
        details = self._said.get("details") or {}
        services = details.get("services") or {}
        services = {**services, service: {**(services.get(service) or {}), **said}}
        self._said = {**self._said, "details": {**details, "services": services}}

    def state(
        self,
        conditions: tuple[Condition, ...],
        *,
        details: Mapping[str, object] | None = None,
        children: Sequence[ChildStatus] | None = None,
    ) -> None:
        """State how far the object is, and each of its parts; None: what was said of those stays."""
        # Of a row that is gone the status goes on to speak of what it observed last.
        generation = self._loaded.generation or self._observed
        broken = check(conditions, generation=generation, observed_generation=generation)
        if broken:
            raise AssertionError(f"{self._loaded.key}: a status that breaks the rules: {broken}")
        self.conditions = conditions
        if details is None:
            details = self._said.get("details") or {}
        organization = self._loaded.organization_id
        self.report.statuses = [
            Status(*self._loaded.key, organization, generation, conditions, dict(details)),
            *(Status(c.kind, c.id, organization, c.generation, c.conditions, {}) for c in children or ()),
        ]
        self.report.rest = None if children is None else Rest(_NO_PART, finalized=True)
        self._warn(conditions)

    def state_all(self, conditions: tuple[Condition, ...]) -> None:
        """State the same of the object and of its children; where those of today are not known, of all there were."""
        if self.children is None:
            self.state(conditions)
            self.report.rest = Rest(conditions, finalized=False)
        else:
            self.state(
                conditions, children=[ChildStatus(c.kind, c.id, c.generation, conditions) for c in self.children]
            )

    def finish(self) -> None:
        """Nothing live remains of a deleted object."""
        conditions = (Condition("Ready", "False", "Deleted", "all of it was removed"),)
        observed = max(self._loaded.generation, self._observed)
        self.conditions = conditions
        self.report.statuses = [
            Status(*self._loaded.key, self._loaded.organization_id, observed, conditions, {}, finalized=True)
        ]
        self.report.rest = Rest(conditions, finalized=True)

    @property
    def _observed(self) -> int:
        return int(self._said.get("observed_generation") or 0)

    def _warn(self, conditions: tuple[Condition, ...]) -> None:
        """A warning event when the object gets stuck, or stuck for another reason; not at every look."""
        state = conditions[-1]
        before = {(c["type"], c["reason"]) for c in self._said.get("conditions") or []}
        if is_stuck(conditions) and (state.type, state.reason) not in before:
            self.event("Warning", state.reason, state.message)
