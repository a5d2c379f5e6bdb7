"""Compares what a page shows with what a program printed.

Lines that a page shows follow one another in what was printed; a line `...` stands for any. Times, ids and what else no
two runs have in common are not compared, nor is how wide a column is.
"""

from __future__ import annotations

import re

ANY = "..."
_MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    (re.compile(r"[\w.-]+:\d+:[0-9a-f]{8}\b"), "HOLDER"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
    (re.compile(r"\b([0-9a-f]{4}\.\.\.)"), "ID"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{8,}(?![0-9a-f])"), "HEX"),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|min)\b"), r"N \2"),
    (re.compile(r"\b(version|epoch|generation) \d+"), r"\1 N"),
    (re.compile(r"(localhost|127\.0\.0\.1):\d+(?=/( |$))"), r"\1:PORT"),
    (re.compile(r"\b(success|requeue_after) in N ms(, again after N s)?"), "RESULT in N ms"),
    (re.compile(r"\bReady=(True|False):\w+( Reconciling=True:\w+)?"), "READY"),
    (re.compile(r"\b\d+/\d+\b"), "N/N"),
    (re.compile(r"^[a-z0-9]{12}$"), "ID"),  # as the engine's client prints it
    (re.compile(r"\s+"), " "),
)


def masked(line: str) -> str:
    """A line without what no two runs have in common."""
    for pattern, mask in _MASKS:
        line = pattern.sub(mask, line)
    return line.strip()


def difference(shown: str, printed: str) -> str | None:
    """The first line of ``shown`` that was not printed where it should be; None when all were."""
    lines = [masked(line) for line in printed.splitlines() if line.strip()]
    place = 0
    for number, piece in enumerate(_pieces(shown)):
        places = range(place, len(lines) + 1) if number else [0]
        # How many lines of the piece follow one another from each place; the longest tells where they part.
        fits = [_fit(piece, lines[start:]) for start in places]
        if max(fits) < len(piece):
            return piece[max(fits)].strip()
        place = places[fits.index(len(piece))] + len(piece)
    return None


def _pieces(shown: str) -> list[list[str]]:
    """What stands before, between and behind the lines `...`."""
    pieces: list[list[str]] = [[]]
    for line in shown.splitlines():
        if line.strip() == ANY:
            pieces.append([])
        elif line.strip():
            pieces[-1].append(line)
    return pieces


def _fit(piece: list[str], lines: list[str]) -> int:
    """How many lines of a piece are the first of these."""
    wanted = [masked(line) for line in piece]
    return next((n for n, line in enumerate(wanted) if lines[n : n + 1] != [line]), len(wanted))
