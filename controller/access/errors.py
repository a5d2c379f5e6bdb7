"""Why somebody is not let in. The sentences are fixed: nothing of a token or an organization is in them."""

from __future__ import annotations

from controller.kit.expected import ExpectedError


class AccessError(ExpectedError):
    """He is not let in.

    Attributes:
        status: the code of HTTP that says it.
        hint: how to mend it.
    """

    status = 403
    message = "not allowed"
    hint = ""

    def __init__(self) -> None:
        super().__init__(f"{self.message} ({self.hint})" if self.hint else self.message)


class Unauthenticated(AccessError):  # noqa: N818 - as the status is called
    """Nobody, or a token that is none: the same words for all that is wrong with it."""

    status = 401
    message = "no valid token was given"
    hint = "send `Authorization: Bearer TOKEN` once, with an API token or a token of the panel"


class TokenExpired(Unauthenticated):
    """It was a good one; said only to who has it."""

    message = "the token has expired"
    hint = "rotate it, or log in again"


class TokenRevoked(Unauthenticated):
    """It was a good one; said only to who has it."""

    message = "the token was revoked, or replaced by another one"
    hint = "ask who manages the organization's tokens for a new one"


class SessionEnded(Unauthenticated):
    """It was a good one, or never one: the same words."""

    message = "the session has ended"
    hint = "log in again"


class IssuerUnknown(Unauthenticated):
    """It names an issuer that nobody of the platform trusts."""

    message = "the issuer of the token is not one of this installation's"
    hint = "SKYPANEL_OIDC_ISSUERS lists those whose tokens are taken"


class OtherAudience(Unauthenticated):
    """A good one, for somebody else."""

    message = "the token is for another audience"
    hint = "ask its issuer for one whose audience is SKYPANEL_OIDC_AUDIENCE"


class LivesTooLong(Unauthenticated):
    """A good one that nobody could take back."""

    message = "the token is good for more than a day"
    hint = "ask its issuer for one that expires sooner"


class KeysMissing(AccessError):  # noqa: N818 - as above
    """Its issuer's keys are not here, so nobody can tell."""

    status = 503
    message = "the keys of the token's issuer are not known now"
    hint = "ask again in a moment; `skypanel doctor` says why they are not"


class NotBound(AccessError):  # noqa: N818 - as above
    """A good one, that nobody gave a role."""

    message = "no role binding fits the token"
    hint = "who manages the organization makes one: `skypanel bindings create`"


class AccountSuspended(AccessError):  # noqa: N818 - as above
    """The user, or the administrator who acts as him, may not log in."""

    message = "the account is not active"
    hint = "ask the administrators of the platform"


class NotMember(AccessError):  # noqa: N818 - as above
    """No such organization, or not his: whoever asks learns no difference."""

    message = "you are not a member of this organization, or there is none"
    hint = "X-Organization-ID is the id or the slug of one of yours"


class NoOrganization(AccessError):  # noqa: N818 - as above
    """He is a member of none, any more."""

    message = "you are not a member of any organization"
    hint = "ask its owner to add you"


class WhichOrganization(AccessError):  # noqa: N818 - as above
    """He is a member of several and says none."""

    status = 400
    message = "you are a member of several organizations"
    hint = "say which one by the header X-Organization-ID, its id or its slug"


class LookupRefused(ExpectedError):  # noqa: N818 - as above
    """The database does not let users be looked up; what is missing is the operator's to give."""
