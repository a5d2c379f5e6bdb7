"""`python -m deploy.demo.recording docs/demo.svg`: a session in the demo, typed by this and drawn as it went.

The demo must be up. What is recorded is the app of README.md: applied, asked for, removed by hand, given an image that
is not there. The picture plays once; where pictures do not move, all of it is seen at once.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape, unescape

from deploy.demo.errors import DemoError
from deploy.demo.paths import DEFAULT_NAME, DEFAULT_PORT, ROOT, DemoPaths

APP = "bakery.yaml"
SETTLES = "skypanel apply bakery.yaml --wait  # unseen"
"""Between two of the commands, seen by nobody: what was made again is up, as it would be for who types."""
COMMANDS = (
    "skypanel user add ops@bakery.example",
    "skypanel apply bakery.yaml --wait",
    "curl -s http://bakery.localhost:8080/",
    "docker service rm $(docker service ls -q -f name=bakery-shop)",
    "until curl -fs http://bakery.localhost:8080/; do sleep 0.1; done",
    "skypanel describe environment bakery/shop/production | grep Repaired",
    SETTLES,
    "sed -i 's/web:1/web:2\\n  args: [crash]/' bakery.yaml; skypanel apply bakery.yaml --wait",
    "curl -s http://bakery.localhost:8080/",
)
COLUMNS = 110
INDENT = "    "
TYPING, READING = 0.8, 1.5
"""Seconds that a command seems to be typed for, and that its answer stands before the next."""
ROW, LEFT, TOP, LETTER = 18, 16, 24, 7.83
STYLE = """\
text { font: 13px ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #c9d1d9; white-space: pre }
.typed { fill: #7ee787 }
@media (prefers-reduced-motion: no-preference) { text { animation: shown 0.01s backwards } }
@keyframes shown { from { opacity: 0 } }
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the session, and the second at which it appeared."""

    text: str
    at: float
    typed: bool = False


def record(paths: DemoPaths, port: int) -> list[Line]:
    """Type the commands in a shell of the demo; lines as they came, with what they would look like to who watches.

    Raises:
        DemoError: the demo is not up, or the app is there already.
    """
    if not paths.environment.exists():
        raise DemoError(f"the demo {paths.name!r} is not up: `make demo`")
    lines, clock = [], 0.0
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / APP).write_text(app_of_the_readme())
        shell = f"set -a; . {paths.environment}; set +a; cd {folder}; exec 2>&1; "
        for command in COMMANDS:
            if command == SETTLES:
                subprocess.run(["bash", "-c", shell + command], check=True, stdout=subprocess.DEVNULL)
                continue
            lines.append(Line(f"$ {command}", clock, typed=True))
            clock += TYPING
            typed = command.replace(f":{DEFAULT_PORT}/", f":{port}/")
            begun = time.monotonic()
            with subprocess.Popen(["bash", "-c", shell + typed], stdout=subprocess.PIPE, text=True) as running:
                assert running.stdout is not None
                for said in running.stdout:
                    at = clock + time.monotonic() - begun
                    shown = said.rstrip("\n").replace(f":{port}", f":{DEFAULT_PORT}")
                    lines += [Line(part, at) for part in wrapped(shown)]
            clock += time.monotonic() - begun + READING
    return lines


def app_of_the_readme() -> str:
    """The spec file that README.md shows."""
    found = re.search(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise DemoError("README.md shows no app any more")
    return found[1]


def wrapped(text: str) -> list[str]:
    """A line as a terminal of `COLUMNS` shows it; what goes on is moved to the right."""
    return textwrap.wrap(text, COLUMNS, subsequent_indent=INDENT, drop_whitespace=False, replace_whitespace=False) or [
        ""
    ]


def text_of(picture: str) -> list[str]:
    """The lines of a picture, each whole again."""
    rows = [unescape(row) for row in re.findall(r"<text [^>]*>(.*)</text>", picture)]
    return "\n".join(rows).replace(f"\n{INDENT}", "").split("\n")


def drawn(lines: list[Line]) -> str:
    """The session as a picture (SVG) that plays; its text can be read and copied."""
    height = TOP + ROW * len(lines) + ROW
    width = int(2 * LEFT + LETTER * COLUMNS)
    rows = [
        f'<text x="{LEFT}" y="{TOP + ROW * number}" style="animation-delay: {line.at:.1f}s"'
        + (' class="typed">' if line.typed else ">")
        + f"{escape(line.text)}</text>"
        for number, line in enumerate(lines)
    ]
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} xml:space="preserve">\n<style>\n{STYLE}</style>\n'
        f'<rect width="100%" height="100%" rx="8" fill="#0d1117"/>\n' + "\n".join(rows) + "\n</svg>\n"
    )


def main() -> int:
    """Record, and write the picture."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo.recording", description="Record a session in the demo."
    )
    parser.add_argument("picture", type=Path, help="the SVG file to write")
    parser.add_argument("--name", default=DEFAULT_NAME, help=f"the demo ({DEFAULT_NAME})")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help=f"the port of its edge ({DEFAULT_PORT})")
    options = parser.parse_args()
    try:
        lines = record(DemoPaths(options.name), options.port)
    except DemoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    options.picture.write_text(drawn(lines))
    print(f"{len(lines)} lines, {lines[-1].at:.0f} s: {options.picture}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
