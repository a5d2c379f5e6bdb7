"""Finds every reconciler: a module or package a kind, registered by its decorator when this module is imported.

Those that other installed packages bring are imported as well; see ``specs.installed``.
"""

from importlib import import_module
from pkgutil import iter_modules

import reconcilers
import specs.kinds
from reconcilers.registry import forget, registered
from specs import installed

for _module in iter_modules(reconcilers.__path__):
    import_module(f"{reconcilers.__name__}.{_module.name}")

for _package in installed.packages():
    _package.bring("reconciler")
    # While kinds are still being found, a single module is on its way here that has both.
    for _kind, _cls in getattr(specs.kinds, "KINDS", {}).items():
        if _package.holds(_cls.__module__) and _cls.facts.reconciled and _cls.word() not in registered():
            _package.refuse(f"{_kind} has no reconciler")
    if _package.is_broken:
        forget(_package)
