"""The rules of kstatus that any status must keep, one by one, written down apart from the product's own check.

After fluxcd/pkg ``runtime/conditions/check``; the numbers are its. A status of ours has one generation for all of its
conditions, so what Flux asks of a condition's own generation (8, 9) is asked of that one; 11 is that a condition which
is present has a word for machines and a sentence for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reconcilers.conditions import Condition, Status

Conditions = Mapping[str, Condition]
Rule = Callable[[Conditions, int, int], bool]
_NEGATIVE = ("Reconciling", "Stalled")

RULES: Mapping[str, Rule] = {
    "1: nothing abnormal is true beside Ready=True": lambda c, _o, _g: (
        not _is(c, "Ready", "True") or not any(_is(c, name, "True") for name in _NEGATIVE)
    ),
    "2: Ready is always present": lambda c, _o, _g: "Ready" in c,
    "3: Ready is False while Reconciling": lambda c, _o, _g: (
        not _is(c, "Reconciling", "True") or _is(c, "Ready", "False")
    ),
    "4: Ready is False while Stalled": lambda c, _o, _g: not _is(c, "Stalled", "True") or _is(c, "Ready", "False"),
    "5: Reconciling or Stalled, not both": lambda c, _o, _g: not ("Reconciling" in c and "Stalled" in c),
    "6: what was observed is not ahead of what is": lambda _c, o, g: o <= g,
    "7: not Ready for an older generation": lambda c, o, g: o >= g or not _is(c, "Ready", "True"),
    "8 and 9: Ready speaks of the generation that is": lambda c, o, g: not _is(c, "Ready", "True") or o == g,
    "10: Reconciling and Stalled are present only when true": lambda c, _o, _g: all(
        name not in c or _is(c, name, "True") for name in _NEGATIVE
    ),
    "11: every condition has a reason and a message": lambda c, _o, _g: all(x.reason and x.message for x in c.values()),
}


def broken(status: Status, generation: int) -> list[str]:
    """The rules that ``status`` breaks, for an object of ``generation`` when it was written."""
    by_type = {c.type: c for c in status.conditions}
    found = [name for name, rule in RULES.items() if not rule(by_type, status.observed_generation, generation)]
    if len(by_type) != len(status.conditions):
        found.append("a condition is there twice")
    return found


def _is(conditions: Conditions, name: str, value: str) -> bool:
    return name in conditions and conditions[name].status == value
