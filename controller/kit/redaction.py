"""Blanks passwords in text that people and programs are shown; of an address of HTTP, whatever may be a token, too."""

from __future__ import annotations

import re

# Rather too much than too little: a password may hold `/`, `@` and `&`, and a quoted one escaped quotes.
_PASSWORD_IN_URL = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)\S+@", re.IGNORECASE)
_TOKEN_IN_URL = re.compile(r"(?P<before>\b(?:https?|tcp)://)[^\s/@]+@", re.IGNORECASE)
_QUERY_OF_URL = re.compile(r"(?P<before>\b(?:https?|tcp)://[^\s?]*\?)[^\s'\"]+", re.IGNORECASE)
_PASSWORD_FIELD = re.compile(r"(?P<before>pass(?:word|file)?\s*=\s*)('(?:[^'\\]|\\.)*'|\S+)", re.IGNORECASE)


def redact(text: str) -> str:
    """``text`` with passwords of connection strings blanked, and what addresses of HTTP have of users and queries."""
    if "://" in text:
        text = _PASSWORD_IN_URL.sub(r"\g<before>***@", text)
        text = _TOKEN_IN_URL.sub(r"\g<before>***@", text)
        text = _QUERY_OF_URL.sub(r"\g<before>***", text)
    return _PASSWORD_FIELD.sub(r"\g<before>***", text) if "=" in text else text
