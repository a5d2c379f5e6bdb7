"""OpenID Connect issuers: what they publish, and when they are asked for it."""
