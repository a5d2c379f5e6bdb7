"""SQL in files: a statement is named by its room, the file there, and, where a file holds several, its name in it.

``store/loop/report`` is ``controller/store/sql/loop/report.sql``; ``store/lease/renew`` is what follows the line
``-- name: renew`` in ``controller/store/sql/lease.sql``.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

PLAN_FOR_MANY = "SELECT set_config('enable_nestloop','off',true),set_config('plan_cache_mode','force_custom_plan',true)"
"""Before a statement of the same transaction that joins any number of rows. Tables that were empty when the planner
last counted them are joined by going through them for each row: ten thousand times ten thousand."""

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def statement(name: str) -> str:
    """The text of a statement, without its comments, its indentation and what follows a comma.

    psycopg keeps the places of the parameters of texts up to 4,096 characters, and looks for them anew in longer ones.

    Args:
        name: as in ``store/loop/report``.

    Raises:
        KeyError: there is none of this name.
    """
    room, *folder, last = name.split("/")
    place = files("controller").joinpath(room, "sql", *folder[:-1])
    alone = place.joinpath(*folder[-1:], f"{last}.sql")
    if alone.is_file():
        text = alone.read_text(encoding="utf-8")
    else:
        parts = _NAME.split(place.joinpath(f"{folder[-1]}.sql").read_text(encoding="utf-8"))
        text = dict(zip(parts[1::2], parts[2::2], strict=True))[last]
    lines = (line.strip() for line in text.strip().splitlines())
    return "\n".join(line for line in lines if not line.startswith("--")).replace(", ", ",") + "\n"


@cache
def fenced(name: str) -> str:
    """``statement`` behind the check of the lease; needs the parameters of the lease."""
    return statement("store/lease/leader") + statement(name)
