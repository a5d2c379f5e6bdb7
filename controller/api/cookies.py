"""The cookie of a browser's session, and from which pages it is taken.

A browser sends it by itself, whatever page asks. So what only reads has to come from no other page that a browser says
it comes from, and what writes has to say that it comes from the console, by ``Sec-Fetch-Site`` or ``Origin``: what says
neither is no browser of today, and is refused. No page of another origin is ever answered as one of ours (no CORS).
"""

from __future__ import annotations

from datetime import UTC, datetime

from starlette.datastructures import Headers

from controller.api.problems import Fault, ProblemError

NAME = "__Host-skypanel"
"""With this prefix browsers take it from this host alone, by TLS, for all of it: no other host can set one."""
_ATTRIBUTES = "Path=/; Secure; HttpOnly; SameSite=Strict"
_SAFE = frozenset({"GET", "HEAD"})
_OURS = "same-origin"
_BY_HAND = "none"
GONE = f"{NAME}=; Max-Age=0; {_ATTRIBUTES}"
"""Has the browser forget it."""


def sent(headers: Headers) -> str | None:
    """The cookie that counts; None: none was sent, or a token was, which counts alone. Empty: it stands twice."""
    if "authorization" in headers:
        return None
    found = [
        value
        for header in headers.getlist("cookie")
        for name, _, value in (part.strip().partition("=") for part in header.split(";"))
        if name == NAME
    ]
    if not found:
        return None
    return found[0] if len(found) == 1 else ""


def made(cookie: str, until: datetime) -> str:
    """``Set-Cookie`` of a new session."""
    seconds = max(0, int((until - datetime.now(UTC)).total_seconds()))
    return f"{NAME}={cookie}; Max-Age={seconds}; {_ATTRIBUTES}"


def is_of_console(method: str, headers: Headers, origin: str) -> bool:
    """Whether a browser's request comes from the console, and says so where it writes.

    Args:
        method: of the request.
        headers: of it.
        origin: of the console.
    """
    sites, origins = headers.getlist("sec-fetch-site"), headers.getlist("origin")
    if any(one != origin for one in origins):
        return False
    if method in _SAFE:
        return all(site in (_OURS, _BY_HAND) for site in sites)
    return bool(sites or origins) and all(site == _OURS for site in sites)


def refuse_other_pages(method: str, headers: Headers, origin: str) -> None:
    """Have a browser's request come from the console; arguments as of ``is_of_console``.

    Raises:
        ProblemError: it does not, or does not say where a write comes from.
    """
    if not is_of_console(method, headers, origin):
        hint = "with a cookie, send Sec-Fetch-Site: same-origin or the console's Origin, as its own pages do"
        raise ProblemError("forbidden", "this does not come from a page of the console", [Fault(hint)])
