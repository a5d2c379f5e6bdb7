"""`python -m deploy.demo`: bring the demo up, or end it.

up      bring up what is not yet there, deploy the examples, break them by hand, watch the repair
down    end everything of it and remove its data; caches stay
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.demo import tour
from deploy.demo.errors import DemoError
from deploy.demo.paths import DEFAULT_NAME, DEFAULT_PORT, DemoPaths
from deploy.engine import LabError
from deploy.postgres import PostgresError


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 1 a failure that was explained, 130 interrupted."""
    options = _parser().parse_args(arguments)
    try:
        paths = DemoPaths(options.name)
        if options.command == "up":
            tour.up(paths, options.port, options.examples)
        else:
            tour.down(paths)
    except (DemoError, LabError, PostgresError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(f"error: {error}: the demo makes namespaces and containers, so it needs root", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; what is up stays up: `make demo` continues, `make demo-down` ends it", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m deploy.demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_ in (("up", "bring it up and show it"), ("down", "end it and remove its data")):
        sub = commands.add_parser(name, help=help_, description=help_)
        sub.add_argument("--name", default=DEFAULT_NAME, help=f"its name; several run side by side ({DEFAULT_NAME})")
        if name == "up":
            sub.add_argument(
                "--port", type=int, default=DEFAULT_PORT, help=f"port of this machine that leads to it ({DEFAULT_PORT})"
            )
            sub.add_argument("--examples", type=Path, default=tour.EXAMPLES, help=f"what to deploy ({tour.EXAMPLES})")
    return parser


if __name__ == "__main__":
    sys.exit(main())
