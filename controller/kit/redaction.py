"""Blanks passwords in text that people and programs are shown."""

from __future__ import annotations

import re

# Rather too much than too little: a password may hold `/`, `@` and `&`, and a quoted one escaped quotes.
_PASSWORD_IN_URL = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)\S+@", re.IGNORECASE)
_PASSWORD_FIELD = re.compile(r"(?P<before>pass(?:word|file)?\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)


def redact(text: str) -> str:
    """``text`` with passwords of connection strings blanked."""
    if "://" in text:
        text = _PASSWORD_IN_URL.sub(r"\g<before>***@", text)
    return _PASSWORD_FIELD.sub(r"\g<before>***", text) if "=" in text else text
