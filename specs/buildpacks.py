"""Rules of what buildpacks are fetched from. Pure."""

from __future__ import annotations

from urllib.parse import urlsplit

from specs.images import check_image
from specs.problems import RefusedError, quote

IMAGE_SCHEME = "docker://"
LONGEST = 2048
_HINT = "docker:// and an image, docker://docker.io/paketobuildpacks/python:2.1, or https:// of an archive"


def check_source(text: str) -> str:
    """An image after ``docker://``, or an archive behind HTTPS, without a password.

    Raises:
        RefusedError: it is neither.
    """
    if text.startswith(IMAGE_SCHEME):
        check_image(text.removeprefix(IMAGE_SCHEME))
        return text
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    plain = text.isascii() and text.isprintable() and " " not in text and len(text) <= LONGEST
    if not (usable and plain):
        raise RefusedError(f"{quote(text)} is not where a buildpack is", _HINT)
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise RefusedError("has credentials or a query in it", "leave them out of the URL")
    return text
