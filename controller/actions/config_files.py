"""Config vars that spec files declare, for whoever applies them or looks ahead."""

from __future__ import annotations

from controller.declared.config_documents import ConfigDocuments
from controller.settings import Settings
from specs.loader import Files


def of_documents(files: Files, settings: Settings) -> ConfigDocuments | None:
    """What ``files`` declare of config vars; None: nothing, and no key is needed."""
    return ConfigDocuments(files.variables, settings.vault) if files.variables else None
