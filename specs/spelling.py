"""Typing errors: which of the known words was meant."""

from __future__ import annotations

from collections.abc import Iterable

_SHORT = 4


def meant(word: str, known: Iterable[str]) -> str | None:
    """The known word that ``word`` is a typing error of, in any case: two slips at most, one in a short word."""
    slips = 1 if len(word) <= _SHORT else 2
    near = min(((distance(word.lower(), name.lower()), name) for name in known), default=(slips + 1, ""))
    return near[1] if near[0] <= slips else None


def distance(one: str, other: str) -> int:
    """How many slips make ``other`` of ``one``: a letter left out, put in, exchanged, or two neighbours swapped.

    This is the optimal string alignment distance.
    """
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, start=1):
        row = [i]
        for j, b in enumerate(other, start=1):
            best = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and (a, b) == (other[j - 2], one[i - 2]):
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]
