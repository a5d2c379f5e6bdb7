"""What each kind means on Swarm: a module or package a kind, registered by its decorator when this package is imported.

Those that other installed packages bring are imported as well; see ``specs.installed``.
"""

from importlib import import_module
from pkgutil import iter_modules

import specs.kinds  # noqa: F401 - the packages' models come before their reconcilers
from reconcilers.registry import forget
from specs import installed

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

for _package in installed.packages():
    if not _package.bring("reconciler"):
        forget(_package)
