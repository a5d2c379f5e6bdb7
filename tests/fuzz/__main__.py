"""`python -m tests.fuzz`: the same as the test, for long; half with the constraints, half as before there were any.

python -m tests.fuzz --examples 10000
python -m tests.fuzz --examples 2000 --seed 7
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from multiprocessing import get_context

from deploy.postgres import ensure
from tests.fuzz.half import SERVER, half


def main() -> int:
    """0 when every example was as declared, or refused as its own fault."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--examples", type=int, default=10_000, help="in all")
    parser.add_argument("--seed", type=int, help="of what is drawn; says which it was, when left out")
    options = parser.parse_args()
    number = secrets.randbelow(2**32) if options.seed is None else options.seed
    began = time.monotonic()
    tasks = [(guarded, options.examples // 2, number) for guarded in (True, False)]
    server = ensure(SERVER, durable=False)
    try:
        with get_context("spawn").Pool(len(tasks)) as pool:
            found = pool.starmap(half, tasks)
    finally:
        server.destroy()
    for one in found:
        told = ", ".join(f"{count} {outcome}" for outcome, count in one.outcomes.most_common())
        sys.stdout.write(
            f"{one.name}: {told}; {one.refused} values refused by the database; "
            f"slowest {one.slowest:.2f} s, {one.megabytes:.0f} MB more memory\n{one.failure}"
        )
    sys.stdout.write(f"{options.examples} examples in {time.monotonic() - began:.0f} s, seed {number}\n")
    return 1 if any(one.failure for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
