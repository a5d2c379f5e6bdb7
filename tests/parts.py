"""`python -m tests.parts`: the whole suite, in three parts at once, as most of its time is waiting for real parts.

The first has the tests that share the lab named ``test``, the second those that have labs of their own, the third all
the rest, which mostly works and gets what processor time the others leave. Reports come one after the other. The exit
code is 0 when all are good.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).parent
SHARING = ("chaos", "demo", "e2e", "observe")
"""Folders whose tests use the lab ``test``: one run at a time can have it."""
LABS = ("conformance", "lab", "swarm")
"""Folders whose tests bring their own labs up."""


def parts() -> list[list[str]]:
    """The folders of each part; together all that have tests."""
    folders = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")})
    rest = [name for name in folders if name not in SHARING + LABS]
    return [[f"tests/{name}" for name in part] for part in (SHARING, LABS, rest)]


def main() -> int:
    """0 when all tests are good."""
    first, *others = ([sys.executable, "-m", "pytest", *folders] for folders in parts())
    others[-1].insert(0, "nice")
    with ExitStack() as stack:
        reports = [stack.enter_context(tempfile.TemporaryFile("w+")) for _ in others]
        started = [
            stack.enter_context(subprocess.Popen(command, stdout=report, stderr=subprocess.STDOUT))
            for command, report in zip(others, reports, strict=True)
        ]
        try:
            codes = [subprocess.run(first, check=False).returncode, *(other.wait() for other in started)]
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
