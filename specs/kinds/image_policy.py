"""ImagePolicy: which images an organization may run, beside what the installation's settings say."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from specs.binding import Column, TableBinding, listed
from specs.facts import KindFacts, spec
from specs.fields import Flag, ImagePatterns, ReportDays, SignatureKeys, Slug, Vulnerabilities
from specs.image_policies import Enforcement
from specs.resource import Declared, Metadata, Resource, Spec
from specs.vulnerabilities import WithoutReport


class ImagePolicyMetadata(Metadata):
    """An organization has at most one."""

    name: Literal["default"] = Field(description="default: an organization has one policy.")
    organization: Slug = Field(description="Slug of the organization.")


class VulnerabilityLimits(Declared):
    """How many vulnerabilities of each severity an image may have by its newest report; left out: any number."""

    critical: Vulnerabilities | None = Field(None, description="Critical ones that it may have.")
    high: Vulnerabilities | None = Field(None, description="High ones.")
    medium: Vulnerabilities | None = Field(None, description="Medium ones.")
    low: Vulnerabilities | None = Field(None, description="Low ones.")
    unknown: Vulnerabilities | None = Field(None, description="Those without a severity.")
    only_fixable: Flag = Field(False, description="Those count that a newer version of their package has not.")
    max_age_days: ReportDays = Field(7, description="A report that is older says nothing good any more.")
    without_report: WithoutReport = Field(
        "wait", description="A new image without a current report waits for one (`wait`), is refused, or allowed."
    )


def _limits_to_db(limits: VulnerabilityLimits) -> dict[str, Any]:
    """The JSON document of ``limits``."""
    return limits.model_dump(mode="json", by_alias=False, exclude_defaults=True)


class ImagePolicySpec(Spec):
    """What it may run; with an empty list of what is allowed, all that is not blocked."""

    allowed_registries: ImagePatterns = Field(
        (), description="Registries that images may come from, docker.io for Docker Hub; `*`: any characters."
    )
    allowed_patterns: ImagePatterns = Field(
        (), description="One of them has to fit: docker.io/library/*. A tag beside a digest fits none."
    )
    blocked_patterns: ImagePatterns = Field((), description='None of them may fit: "*:latest", "*@sha256:..."')
    require_digest: Flag = Field(False, description="An image has to name its digest.")
    require_signed: Flag = Field(False, description="One of `signatureKeys` has to have signed the image, by cosign.")
    signature_keys: SignatureKeys = Field((), description="Public keys in PEM, ECDSA on P-256: `cosign.pub`.")
    vulnerabilities: VulnerabilityLimits | None = Field(
        None,
        description="How many vulnerabilities it may have: `{critical: 0, high: 5, onlyFixable: true}`; left out: no "
        "report is asked for.",
    )
    enforcement: Enforcement = Field(
        "new",
        description="What violates it is said (`audit`), refused where new (`new`), stopped where it runs (`all`).",
    )


class ImagePolicy(Resource):
    """Which images an organization may run."""

    binding: ClassVar[TableBinding] = TableBinding(
        table="caas_image_policies",
        key_column="name",
        columns={
            "allowed_registries": Column("allowed_registries", to_db=listed),
            "allowed_patterns": Column("allowed_patterns", to_db=listed),
            "blocked_patterns": Column("blocked_patterns", to_db=listed),
            "require_digest": Column("require_digest"),
            "require_signed": Column("require_signed"),
            "signature_keys": Column("signature_keys", to_db=listed),
            "vulnerabilities": Column("vulnerabilities", to_db=_limits_to_db, json=True),
            "enforcement": Column("enforcement"),
        },
        parent="Organization",
        parent_column="organization_id",
    )
    facts: ClassVar[KindFacts] = KindFacts(
        plural="imagepolicies",
        areas=("caas",),
        example_name="default",
        example={"requireDigest": True, "enforcement": "new"},
        columns={"ENFORCEMENT": spec("enforcement"), "DIGEST": spec("requireDigest"), "SIGNED": spec("requireSigned")},
        refusals={
            "caas_image_policies_organization_unique": (
                "the organization has an image policy",
                "run it again",
            ),
        },
    )

    kind: Literal["ImagePolicy"] = "ImagePolicy"
    metadata: ImagePolicyMetadata
    spec: ImagePolicySpec
