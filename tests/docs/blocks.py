"""The code blocks of README and docs, as a Markdown parser finds them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Block:
    """One block: ``heading`` is the nearest one above it, ``language`` the first word behind its fence."""

    page: str
    line: int
    heading: str
    language: str
    text: str

    @property
    def place(self) -> str:
        """Where it is, as editors take it."""
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """What is typed: the lines of a ``sh`` block without comments, those behind ``$ `` of a ``console`` block."""
        lines = self.text.replace("\\\n", "").splitlines()
        if self.language == "console":
            return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in lines if line.strip() and not line.startswith("#")]


def pages() -> list[str]:
    """Paths of all pages, from the project's folder."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return sorted(str(path.relative_to(ROOT)) for path in found if path.name != "CHANGELOG.md")


@cache
def blocks(page: str, heading: str | None = None) -> tuple[Block, ...]:
    """The blocks of a page in their order, or those below one of its headings."""
    found = []
    above, latest = "", ""
    for token in MarkdownIt().parse((ROOT / page).read_text(encoding="utf-8")):
        if token.type == "inline" and latest == "heading_open":
            above = token.content
        elif token.type in {"fence", "code_block"} and token.map:
            language = (token.info.split() or [""])[0] if token.type == "fence" else ""
            found.append(Block(page, token.map[0] + 1, above, language, token.content))
        latest = token.type
    if heading is not None:
        found = [block for block in found if block.heading == heading]
        assert found, f"{page} has no block below {heading!r}"
    return tuple(found)
