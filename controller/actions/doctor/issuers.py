"""Whether the OpenID Connect issuers that are trusted can be asked for their keys from here."""

from __future__ import annotations

from collections.abc import Iterator

from controller.actions.doctor.findings import Check, ok, warn
from controller.issuers.fetching import NoKeysError, fetch
from controller.settings import Settings


def examine(settings: Settings) -> Iterator[Check]:
    """One check for each issuer."""
    for issuer in settings.skypanel_oidc_issuers:
        try:
            found = fetch(issuer)
        except NoKeysError as error:
            yield warn(
                "issuers", f"{issuer} gives no keys, so its tokens are not taken: {error}",
                "correct SKYPANEL_OIDC_ISSUERS, or let this machine reach it; SSL_CERT_FILE names other certificates",
            )  # fmt: skip
            continue
        yield ok("issuers", f"{issuer} gives {len(found)} key{'s' * (len(found) > 1)}")
