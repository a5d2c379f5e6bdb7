"""The program itself: ``env.c``, compiled when the project was built or installed, see ``hatch_build.py``."""

from __future__ import annotations

from pathlib import Path

from reconcilers.helper import ARCHITECTURES
from reconcilers.outcomes import TerminalError


def program(architecture: str) -> bytes:
    """Its bytes.

    Raises:
        TerminalError: ``HelperMissing``: this installation has none for that architecture.
    """
    if architecture not in ARCHITECTURES:
        have, found = " and ".join(ARCHITECTURES), architecture or "nothing that is known"
        message = f"our helper is for images for {have} only; this one is for {found}: change the image"
        raise TerminalError("HelperMissing", message)
    try:
        return (Path(__file__).parent / f"env-{architecture}").read_bytes()
    except OSError as error:
        raise TerminalError(
            "HelperMissing",
            f"the program that gives tasks their config vars is not installed for {architecture} ({error.strerror}); "
            "install the controller anew, or `python hatch_build.py` in a checkout",
        ) from None
