"""What becomes of an image that a registry does not give: the outcomes of ``reconcilers.images``, in words.

A message names the host, what was asked and a status; of what an answer says no word is passed on but the codes that
the specification has: a tenant's registry could put anything there, and what it was sent, too.
"""

from __future__ import annotations

from reconcilers.outcomes import TerminalError, TransientError

_AWAY = "what runs goes on, and it is tried again"


class RegistryUnavailable(TransientError):  # noqa: N818 - reads as what happened
    """It did not answer, or not with what is asked for, and may later.

    Args:
        host: which one; also that of its token service, or where it stores its blobs.
        why: what happened.
        absent: there is no such registry: its name does not exist.
        again_seconds: how long it need not be asked again.
        patient_seconds: how long it wants not to be asked again for what can wait, which may be longer.
    """

    def __init__(
        self, host: str, why: str, *, absent: bool = False, again_seconds: float = 0.0, patient_seconds: float = 0.0
    ) -> None:
        super().__init__("RegistryUnavailable", f"registry {host} {why}; {_AWAY}")
        self.host = host
        self.why = why
        self.absent = absent
        self.again_seconds = again_seconds
        self.patient_seconds = max(again_seconds, patient_seconds)


class ImageNotFound(TerminalError):  # noqa: N818 - as above
    """The registry says that there is no such image."""

    def __init__(self, image: str, said: str) -> None:
        super().__init__(
            "ImageNotFound",
            f"{image} is not there ({said}): push it, or set an image that exists; what runs goes on",
        )


class ImageDenied(TerminalError):  # noqa: N818 - as above
    """The registry does not give it to us.

    Args:
        image: which one.
        said: by the registry, or its token service.
        user: as whom it was asked; empty: as nobody.
    """

    def __init__(self, image: str, said: str, user: str = "") -> None:
        to, who, mend = "us", "it needs a user who may pull it", "set such a user with `skypanel registries set`"
        if user:
            to, who = f"the user {user}", "this user may not pull it, or his password is not the right one"
            mend = "let him pull it there, or set his password anew with `skypanel registries set`"
        super().__init__(
            "ImageDenied",
            f"{image} is not given to {to} ({said}): either there is no such repository, which many registries do not "
            f"tell from a private one, or {who}. Correct the name, or {mend}; what runs goes on",
        )
        self.image = image
        self.said = said


class LoginRefused(TerminalError):  # noqa: N818 - as above
    """The registry does not take a user.

    Args:
        registry: which one.
        user: his name.
        said: by the registry, or its token service.
    """

    def __init__(self, registry: str, user: str, said: str) -> None:
        super().__init__(
            "LoginRefused",
            f"{registry} does not take the user {user} with the password that is set ({said}): set the one that is "
            "good there with `skypanel registries set`; images that need him cannot be pulled until then; what runs "
            "goes on",
        )


class ImageRefused(TerminalError):  # noqa: N818 - as above
    """What is there cannot be used here.

    Args:
        image: which one.
        why: what is wrong with it.
        mend: what to do.
    """

    def __init__(self, image: str, why: str, mend: str) -> None:
        super().__init__(
            "ImageRefused", f"{image} cannot be used: {why}; {mend}, or set another image; what runs goes on"
        )
