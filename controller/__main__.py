"""``python -m controller`` is the same as ``skypanel``."""

import sys

from controller.cli import main

sys.exit(main())
