"""`python -m tests.halves`: the whole suite, in two halves at once, as most of its time is waiting for real parts.

One half has the tests that share the lab named ``test``, and mostly wait; the other has all the rest, mostly works, and
gets what processor time the first one leaves. The second half's report comes after the first one's. The exit code is 0
when both are good.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

TESTS = Path(__file__).parent
SHARING = ("chaos", "demo", "e2e", "observe")
"""Folders whose tests use the lab ``test``: one run at a time can have it."""


def halves() -> tuple[list[str], list[str]]:
    """The folders of each half; together all that have tests."""
    folders = sorted({path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")})
    sharing = [f"tests/{name}" for name in folders if name in SHARING]
    return sharing, [f"tests/{name}" for name in folders if name not in SHARING]


def main() -> int:
    """0 when all tests are good."""
    first, second = ([sys.executable, "-m", "pytest", *folders] for folders in halves())
    with tempfile.TemporaryFile("w+") as report:
        with subprocess.Popen(["nice", *second], stdout=report, stderr=subprocess.STDOUT) as other:
            try:
                code = subprocess.run(first, check=False).returncode
                other_code = other.wait()
            except BaseException:
                other.terminate()
                raise
        report.seek(0)
        sys.stdout.write("\n=== the other half\n" + report.read())
        sys.stdout.flush()
    return code or other_code


if __name__ == "__main__":
    sys.exit(main())
