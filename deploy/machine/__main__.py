"""`python -m deploy.machine`: makes the root file systems of the machines that are not yet in the cache."""

import sys

from deploy.engine.errors import LabError
from deploy.machine.base import SUITES, base

if __name__ == "__main__":
    try:
        for suite in SUITES:
            print(base(suite))
    except LabError as error:
        sys.exit(f"error: {error}")
