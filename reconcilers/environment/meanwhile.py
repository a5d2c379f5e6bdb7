"""What serves, or may come back, while something else is asked for: judged by itself, as if it were asked for.

Otherwise what does not come, or waits, would keep something running that a policy wants stopped: the release before, or
the same image with another command. What its content goes by is on record with its release: who has signed its index
counts, and a report of that. It goes on for want of a verdict, as what runs does. What no task may run of is a row, so
it is neither kept nor gone back to; see ``policies.must_stop``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ValidationError

from reconcilers.environment.command import job_name
from reconcilers.environment.config import runs
from reconcilers.environment.login import login_of
from reconcilers.environment.policies import (
    ALLOWED,
    STOPPED,
    VERDICTS,
    digests_of,
    in_words,
    known_of,
    looks_into,
    names_of,
    policies_of,
    signable,
    stops,
)
from reconcilers.images import Images
from reconcilers.jobs import Job
from reconcilers.outcomes import TerminalError, TransientError
from reconcilers.ports import Context, LiveJob
from reconcilers.template import image_of
from reconcilers.vulnerabilities import VulnerabilityReports
from specs.image_policies import (
    ImagePolicy,
    Policies,
    Scanned,
    Violation,
    digest_of,
    fingerprint,
    unsatisfied,
    violations,
)
from specs.images import parse_image
from specs.snapshot_parts import RegistryReference, ReleaseSnapshot, VerdictSnapshot
from specs.snapshots import EnvironmentSnapshot, OrganizationReference
from specs.vulnerabilities import VulnerabilityReport, about


async def judged_anew(
    context: Context, snapshot: EnvironmentSnapshot, *, allowed: bool = False
) -> VerdictSnapshot | None:
    """A verdict on what serves meanwhile that is another one now: it has to stop, or need not any more.

    The verdict is a row: the next look at the environment reads it.

    Args:
        context: of the environment.
        snapshot: of it.
        allowed: whether what is asked for may run, and need not be judged once more.

    Raises:
        TransientError: reports cannot be read.
    """
    policies = policies_of(snapshot.organization.slug, snapshot.image_policy, context.options)
    if not looks_into(policies):
        return None
    strict = [(whose, each) for whose, each in policies if each.enforcement == "all"]
    by_name = snapshot.model_copy(update={"stopped_images": None})  # what a name alone has stopped needs no row
    known, asked, found = set(snapshot.stopped_images or ()), runs(snapshot) if allowed else None, None
    for image in sorted(_serving(context, snapshot)):
        if image == asked or stops(by_name, image, context.options):
            continue
        signed = await _signed(context, snapshot, strict, image)
        wrong = await _wrong(context, snapshot, strict, image, signed)
        if wrong is None or bool(wrong) == (image in known):
            continue
        if wrong:
            reason, verdict, message = wrong[0].reason, STOPPED, in_words(image, wrong, STOPPED)
        else:
            reason, verdict, message = "", ALLOWED, "no image policy wants its tasks stopped any more"
        found = VerdictSnapshot(
            image=image,
            policy=digest_of(policies),
            verdict=verdict,
            reason=reason,
            message=message,
            signed_by=tuple(sorted(signed or ())),
        )
        row = found.model_dump(mode="json", exclude={"image"})
        await context.write_row(VERDICTS, {"environment_id": context.id, "image": image}, row)
    return found


async def judged_unread(context: Context, document: Mapping[str, Any]) -> bool:
    """As ``judged_anew``, where what is declared cannot be read: by that nobody keeps running what has to stop."""
    fields = ("id", "organization", "image_policy", "stopped_images", "verdict", "registries", "release")
    try:
        part = _Part.model_validate({name: document[name] for name in fields if name in document})
    except ValidationError:
        return False
    whole = EnvironmentSnapshot.model_construct(**{name: getattr(part, name) for name in fields})
    return await judged_anew(context, whole) is not None


class _Part(BaseModel):
    """What a verdict needs of a document."""

    id: UUID
    organization: OrganizationReference
    image_policy: ImagePolicy | None = None
    stopped_images: tuple[str, ...] | None = None
    verdict: VerdictSnapshot | None = None
    registries: tuple[RegistryReference, ...] | None = None
    release: ReleaseSnapshot | None = None


async def _wrong(
    context: Context, snapshot: EnvironmentSnapshot, strict: Policies, image: str, signed: frozenset[str] | None
) -> list[Violation] | None:
    """Why tasks of an image are to be stopped; empty: they need not be; None: nobody knows.

    Where it is not known of which platform it is, a good report of one spares it.
    """
    names = (image.partition("@")[2], *names_of(known_of(snapshot), image))
    digests = digests_of(snapshot) if image == runs(snapshot) else tuple(dict.fromkeys(names))
    reports: list[VulnerabilityReport] = []
    if any(policy.asks_for_report for _, policy in strict):
        reports = about(await context.port(VulnerabilityReports).of(digests), digests)
    each_alone = [[each] for each in reports] if len(digests) == 1 and reports else [reports]
    found = [
        [
            violation
            for violation in violations(strict, image, runs=True, signed=signed, scanned=Scanned(alone, context.now()))
            if violation.enforcement == "all"
        ]
        for alone in each_alone
    ]
    if all(found):
        return found[0]
    unsure = signed is None and any(policy.require_signed for _, policy in strict)
    unscanned = not reports and any(policy.asks_for_report for _, policy in strict)
    return None if unsure or unscanned else []


async def _signed(
    context: Context, snapshot: EnvironmentSnapshot, strict: Policies, image: str
) -> frozenset[str] | None:
    """Fingerprints of the keys that have signed it, as far as they matter; None: nobody can say.

    What is signed may be an index that it is of. Of what no release has on record it is not known which: it can be
    found that it is signed, and not that it is not.
    """
    known, digest = snapshot.verdict, image.partition("@")[2]
    same = known is not None and digest and known.image.endswith(f"@{digest}")
    signed = frozenset(known.signed_by if known is not None and same else ())
    asked, meant = image == runs(snapshot), names_of(known_of(snapshot), image)[:1]
    if not unsatisfied(strict, signed) or not digest:
        return signed if digest else None
    try:
        login = await login_of(context, snapshot.model_copy(update={"image_ref": image}))
        for each in signable(snapshot, image) if asked else _pinned(image, (*meant, digest)):
            wanted = list(unsatisfied(strict, signed).values())
            if wanted:
                keys = await context.port(Images).signed_by(each, wanted, context.organization_id, login)
                signed |= {fingerprint(key) for key in keys}
    except (TerminalError, TransientError):
        return None
    return signed if asked or meant or not unsatisfied(strict, signed) else None


def _pinned(image: str, digests: Iterable[str]) -> list[str]:
    """As its registry is asked for it: by each of its digests alone."""
    name = parse_image(image).name
    return [f"{name}@{digest}" for digest in dict.fromkeys(digests)]


def _serving(context: Context, snapshot: EnvironmentSnapshot) -> Iterator[str]:
    """Images that its services have now, or may come back to, or that its command is run with."""
    job = context.live.find(Job.object_type, job_name(snapshot, context.options))
    yield from {*context.images(), *([image_of(job.spec)] if isinstance(job, LiveJob) else ())} - {""}
