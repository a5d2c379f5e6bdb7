"""`python -m tests.parts`: the suite, in five parts at once, as most of its time is waiting for real parts.

`--long`: instead what takes long, in six parts; the build runs both. `--turn`: after the first of them, which ends
first, the other version of a real part whose turn it is (`tests.matrix`).

Each part has labs of its own. The last one mostly works, and gets what processor time the others leave. Reports come
one after the other. The exit code is 0 when all are good.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).parent
PARTS = (("demo", "docs", "lab", "observe", "swarm"), ("store",))
"""Folders of parts; the last part has the rest."""
WHOLE = "e2e"
"""The folder that takes longest: every other file of it is a part."""
ELSEWHERE = (("tests/store/test_schema_*.py", 2),)
"""Of the part that would end last, what others, by their number, do after their own."""
SLOWEST = ("--durations=8", "--durations-min=20")
"""So that whoever has to make room sees where."""
ONE_MACHINE = "trixie"
"""Bare machines are installed side by side: this one takes longest."""
LONG = ("chaos", "conformance")
"""Folders of which all tests take long; elsewhere they are marked."""


def parts() -> list[list[str]]:
    """The folders and files of each part; together all that have tests, but for the long ones."""
    folders = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")} - {*LONG})
    known = {WHOLE, *(name for part in PARTS for name in part)}
    rest = [name for name in folders if name not in known]
    files = sorted(str(path.relative_to(TESTS)) for path in (TESTS / WHOLE).rglob("test_*.py"))
    made = [[f"tests/{name}" for name in part] for part in (files[::2], files[1::2], *PARTS, rest)]
    for what, number in ELSEWHERE:
        for words in made:
            if str(Path(what).parent) in words:
                words.append(f"--ignore-glob={TESTS.parent / what}")
        made[number] += sorted(str(path.relative_to(TESTS.parent)) for path in TESTS.parent.glob(what))
    return [[*words, "-m", "not long"] for words in made]


def long_parts() -> list[list[str]]:
    """The long ones: two controllers under faults, and what is marked."""
    quick = [f"tests/{name}" for name in ("sim", "store", "unit")]
    machines = [["tests/install", "-m", "long", "-k", which] for which in (ONE_MACHINE, f"not {ONE_MACHINE}")]
    first, *others = ([f"tests/{name}"] for name in LONG)
    return [first, ["tests/e2e", "-m", "long"], *others, [*quick, "-m", "long"], *machines]


def main() -> int:
    """0 when all tests are good."""
    chosen = long_parts() if "--long" in sys.argv[1:] else parts()
    first, *others = ([sys.executable, "-m", "pytest", *SLOWEST, *words] for words in chosen)
    others[-1].insert(0, "nice")
    with ExitStack() as stack:
        reports = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in others]
        started = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdout=report,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "SKYPANEL_TEST_LAB": f"test{number}"},
                )
            )
            for number, (command, report) in enumerate(zip(others, reports, strict=True), 2)
        ]
        try:
            codes = [subprocess.run(first, check=False).returncode]
            if "--turn" in sys.argv[1:]:
                codes.append(subprocess.run([sys.executable, "-m", "tests.matrix", "--turn"], check=False).returncode)
            codes += [other.wait() for other in started]
        except BaseException:
            for other in started:
                other.terminate()
            raise
        for report in reports:
            report.seek(0)
            sys.stdout.write("\n=== another part\n" + report.read())
        sys.stdout.flush()
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main())
