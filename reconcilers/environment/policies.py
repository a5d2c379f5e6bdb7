"""Whether the image policies let an environment's image run: asked by its name before anybody is asked for it, and by
its content before anything is written. Each verdict is a row that says why.

What runs is a release that all tasks have run; anything else is new. What is new and violates a policy that enforces
is refused, and what ran before goes on as under any other error. What runs already and violates one that has become
stricter goes on and is marked, or has all its tasks stopped, as that policy says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from reconcilers.environment.config import runs
from reconcilers.environment.login import login_of
from reconcilers.environment.port_check import forms
from reconcilers.images import Images
from reconcilers.options import Options
from reconcilers.outcomes import NotReadyError, ReconcileError, TerminalError, TransientError
from reconcilers.ports import Context
from reconcilers.vulnerabilities import VulnerabilityReports
from specs.image_policies import (
    ENFORCEMENTS,
    ImagePolicy,
    Policies,
    Scanned,
    Violation,
    digest_of,
    fingerprint,
    unsatisfied,
    violations,
)
from specs.problems import InvalidSpec, Problem, RefusedError
from specs.releases import release_of
from specs.snapshot_parts import VerdictSnapshot
from specs.snapshots import EnvironmentSnapshot
from specs.vulnerabilities import about

VERDICTS = "caas_image_verdicts"
"""The table of what was judged: one row an environment and image, the newest ones."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Fingerprints of the keys that have signed the image; None: not known. ``problem``: why more is not. ``scanned``:
    its vulnerability reports; None: not known.
    """

    signed: frozenset[str] | None = None
    problem: str = ""
    scanned: Scanned | None = None


NOT_ASKED = Asked()
ALLOWED, AUDITED, MARKED, REFUSED, STOPPED = "allowed", "audited", "marked", "refused", "stopped"
AWAITED = "awaited"
_OF_NEW = {"audit": AUDITED, "new": REFUSED, "all": REFUSED}
_OF_RUNNING = {"audit": AUDITED, "new": MARKED, "all": STOPPED}
NOTHING_RUNS = "nothing runs, as its image policies let no version run that it had"
"""Where what is asked for does not come, and what was there has to stop."""
_AGAIN_SECONDS = 30.0
_MOST_SAID = 5
_INSTALLATION = "the installation"


def judged(snapshot: EnvironmentSnapshot, options: Options, asked: Asked = NOT_ASKED) -> VerdictSnapshot | None:
    """The verdict on its image, as far as it is known; None: there is no image, or no policy that forbids anything."""
    policies = policies_of(snapshot.organization.slug, snapshot.image_policy, options)
    if snapshot.image_ref is None or not policies:
        return None
    running = _is_what_runs(snapshot)
    image = runs(snapshot) or snapshot.image_ref
    digest = image.partition("@")[2]
    index = snapshot.resolved.index if digest and snapshot.resolved is not None else ""
    wrong = partial(violations, policies, index=index, signed=asked.signed, scanned=asked.scanned)
    found = wrong(image, runs=True) if running else wrong(snapshot.image_ref, digest=digest)
    if asked.problem:
        found.append(Violation("SignatureUnknown", f"who has signed it is not known: {asked.problem}", "new"))
    version = digest_of(policies) + "?" * bool(asked.problem)  # then it is asked again
    if not found:
        whose = " and of ".join(whose for whose, _ in policies)
        message = f"image policies of {whose} allow it"
        signed = tuple(sorted(asked.signed or ()))
        return VerdictSnapshot(image=image, policy=version, verdict=ALLOWED, message=message, signed_by=signed)
    strictest = max(found, key=lambda each: (ENFORCEMENTS.index(each.enforcement), not each.awaited))
    verdict = (_OF_RUNNING if running else _OF_NEW)[strictest.enforcement]
    if verdict == REFUSED and all(each.awaited or each.enforcement == "audit" for each in found):
        verdict = AWAITED
    if verdict == REFUSED and strictest.enforcement == "all" and image in (snapshot.stopped_images or ()):
        verdict = STOPPED  # another release of what was stopped does not let it serve meanwhile
    return VerdictSnapshot(
        image=image,
        policy=version,
        verdict=verdict,
        reason=strictest.reason,
        message=in_words(snapshot.image_ref, found, verdict),
        signed_by=tuple(sorted(asked.signed or ())),
    )


async def permitted(context: Context, snapshot: EnvironmentSnapshot, *, known: bool) -> EnvironmentSnapshot:
    """``snapshot``; marked with the verdict on its image, where its content is known.

    Args:
        context: of the environment.
        snapshot: of it.
        known: whether its content is known by now; before that, only a refusal is written down.

    Raises:
        TerminalError: ``ImageBlocked`` and others: it must not run. What runs goes on, as far as that may.
        NotReadyError: ``NotScanned``: it may run when a report says so; whoever hands one in wakes it.
        ReconcileError: who has signed what is new cannot be found out; see ``Images``.
    """
    asked = await _asked(context, snapshot) if known else NOT_ASKED
    found = judged(snapshot, context.options, asked)
    refused = found is not None and _refuses(found, snapshot)
    if refused and not known and snapshot.follow_seconds and snapshot.resolved is not None:
        # What its tag meant at the last look is refused: it may mean something else by now, if its name is not refused.
        alone = snapshot.model_copy(update={"resolved": None})
        by_name = judged(alone, context.options)
        refused = by_name is not None and _refuses(by_name, alone)
    if known or refused:
        await _note(context, snapshot, found)
    if found is not None and refused:
        raise TerminalError(found.reason, found.message)
    if not known:
        return snapshot
    if found is not None and found.verdict == AWAITED:
        raise NotReadyError(found.reason, found.message, retry_after=_AGAIN_SECONDS, woken=True)
    withheld = found is not None and found.verdict == STOPPED
    return snapshot.model_copy(update={"verdict": found, "withheld": withheld})


def held(snapshot: EnvironmentSnapshot, options: Options) -> ReconcileError | None:
    """Why its image does not come, where it was judged by the policies of today; None: nothing is known against it."""
    found, policies = snapshot.verdict, policies_of(snapshot.organization.slug, snapshot.image_policy, options)
    if found is None or found.image != (runs(snapshot) or snapshot.image_ref) or found.policy != digest_of(policies):
        return None
    return TerminalError(found.reason, found.message) if found.verdict in {REFUSED, AWAITED} else None


async def may_come(context: Context, snapshot: EnvironmentSnapshot) -> None:
    """Whether what nobody has asked for by name may run; nothing is written down.

    Raises:
        ReconcileError: as ``permitted``.
    """
    found = judged(snapshot, context.options, await _asked(context, snapshot))
    if found is not None and (found.verdict == AWAITED or _refuses(found, snapshot)):
        raise TerminalError(found.reason, found.message)


def foreseen(snapshot: EnvironmentSnapshot, options: Options) -> None:
    """Before its row is there: refuse what the reconcile would.

    Raises:
        InvalidSpec: an image policy refuses it.
    """
    found = judged(snapshot, options)
    if found is not None and _refuses(found, snapshot):
        raise InvalidSpec([Problem("image_ref", None, found.message, "", ("image_ref",))])


def must_stop(document: Mapping[str, Any], image: str, options: Options) -> bool:
    """Whether a policy wants tasks of ``image`` stopped, whatever else ``document`` says, valid or not."""
    if not document.get("image_policy") and not options.image_policy.forbids:
        return False
    try:
        own = ImagePolicy.model_validate(document.get("image_policy") or {})
        policies = policies_of("", own, options)
        found = violations(policies, image, index=_index_of(document, image), runs=True)
    except (ValidationError, RefusedError):
        return False
    before = image in (document.get("stopped_images") or ()) and looks_into(policies)
    return before or any(each.enforcement == "all" for each in found)


def names_of(document: Mapping[str, Any], image: str) -> tuple[str, ...]:
    """Digests of all that the content of an image goes by, what its reference meant first; empty: nobody knows.

    It is known of what is asked for, and of releases that may serve meanwhile.
    """
    resolved, release, digest = document.get("resolved"), document.get("release"), image.partition("@")[2]
    named = [(resolved.get("pinned"), resolved.get("digests"))] if isinstance(resolved, Mapping) else []
    if isinstance(release, Mapping):
        named += [(each["image"], each["digests"]) for each in release.get("images") or ()]
    found = (tuple(map(str, listed or ())) for name, listed in named if str(name).partition("@")[2] == digest)
    return next(filter(None, found), ()) if digest else ()


def _index_of(document: Mapping[str, Any], image: str) -> str:
    """Digest of the index that an image is of, as far as the document knows; empty: of none."""
    meant = next(iter(names_of(document, image)), "")
    return meant if meant != image.partition("@")[2] else ""


def known_of(snapshot: EnvironmentSnapshot) -> Mapping[str, Any]:
    """What a document says of images, of what was read."""
    return snapshot.model_dump(include={"image_policy", "stopped_images", "resolved", "release"})


def stops(snapshot: EnvironmentSnapshot, image: str, options: Options) -> bool:
    """As ``must_stop``, of what was read."""
    return must_stop(known_of(snapshot), image, options)


def is_stopped(snapshot: EnvironmentSnapshot, options: Options) -> bool:
    """Whether its tasks would be stopped, by what is known without asking anybody."""
    found = judged(snapshot, options)
    policies = policies_of("", snapshot.image_policy, options)
    before = runs(snapshot) in (snapshot.stopped_images or ()) and looks_into(policies)
    return before or (found is not None and found.verdict == STOPPED)


def looks_into(policies: Policies) -> bool:
    """Whether one of them that stops what runs is about more than names: what it stopped before stays so for now."""
    inner = (policy.require_signed or policy.asks_for_report for _, policy in policies if policy.enforcement == "all")
    return any(inner)


async def _asked(context: Context, snapshot: EnvironmentSnapshot) -> Asked:
    """What is known of its content beyond its digest."""
    signed = await _signed(context, snapshot)
    return replace(signed, scanned=await _scanned(context, snapshot))


async def _scanned(context: Context, snapshot: EnvironmentSnapshot) -> Scanned | None:
    """Its vulnerability reports; None where no policy asks for one."""
    policies = policies_of(snapshot.organization.slug, snapshot.image_policy, context.options)
    if not any(policy.asks_for_report for _, policy in policies):
        return None
    digests = digests_of(snapshot)
    found = await context.port(VulnerabilityReports).of(digests) if digests else ()
    return Scanned(about(found, digests), context.now())


def digests_of(snapshot: EnvironmentSnapshot) -> tuple[str, ...]:
    """All that the content of its image goes by; none where nobody knows it."""
    digest = (runs(snapshot) or "").partition("@")[2]
    of_facts = snapshot.resolved.digests if snapshot.resolved is not None else ()
    return tuple(dict.fromkeys([*([digest] if digest else ()), *of_facts]))


async def _signed(context: Context, snapshot: EnvironmentSnapshot) -> Asked:
    """Who has signed its image. What was found once is asked for again only where it did not suffice."""
    policies = policies_of(snapshot.organization.slug, snapshot.image_policy, context.options)
    image, known = runs(snapshot) or "", snapshot.verdict
    digest = image.partition("@")[2]
    signed = frozenset(known.signed_by if known is not None and digest and known.image.endswith(f"@{digest}") else ())
    lacking = unsatisfied(policies, signed)
    if not lacking or not digest:
        return Asked(signed)
    running = _is_what_runs(snapshot)
    told = known is not None and (known.image, known.policy) == (image, digest_of(policies))
    if running and told and not context.requested:
        return Asked(signed)
    try:
        login = await login_of(context, snapshot)
        for each in signable(snapshot, image):
            wanted = list(unsatisfied(policies, signed).values())
            if wanted:
                keys = await context.port(Images).signed_by(each, wanted, context.organization_id, login)
                signed |= {fingerprint(key) for key in keys}
    except (TerminalError, TransientError) as error:
        if running:  # what was stopped stays so until it is known
            stopped = image in (snapshot.stopped_images or ())
            return Asked(signed if stopped else None, error.message)
        raise
    return Asked(signed)


def signable(snapshot: EnvironmentSnapshot, image: str) -> tuple[str, ...]:
    """What may have been signed: whoever signs an index signs all that is in it."""
    resolved = snapshot.resolved
    return (image,) if resolved is None else tuple(dict.fromkeys((resolved.meant, resolved.pinned)))


def policies_of(organization: str, own: ImagePolicy | None, options: Options) -> Policies:
    """Those that forbid anything: the installation's, and the organization's own."""
    both = ((_INSTALLATION, options.image_policy), (f"organization {organization}", own or ImagePolicy()))
    return [(whose, policy) for whose, policy in both if policy.forbids]


def _refuses(found: VerdictSnapshot, snapshot: EnvironmentSnapshot) -> bool:
    """Whether it is about what is new, and says no."""
    return found.verdict == REFUSED or (found.verdict == STOPPED and not _is_what_runs(snapshot))


def _is_what_runs(snapshot: EnvironmentSnapshot) -> bool:
    newest = snapshot.release
    if newest is None or not newest.deployed:
        return False
    return any(newest.digest == release_of(each, runs(each) or "").digest for each in _as_it_may_run(snapshot))


def _as_it_may_run(snapshot: EnvironmentSnapshot) -> Iterator[EnvironmentSnapshot]:
    """With what a release before may have had otherwise; see ``by_tag`` and ``port_check``."""
    yield from forms(snapshot)
    yield snapshot.model_copy(update={"by_tag": True})


def in_words(image: str, found: list[Violation], verdict: str) -> str:
    """What is found of an image, and what follows."""
    said = "; ".join(each.message for each in found[:_MOST_SAID])
    ends = {
        AUDITED: "nothing is refused for it",
        MARKED: "it runs already and goes on; no other release of it is made",
        REFUSED: "set another image, or have the policy allow it; what runs goes on, as far as its policies let it",
        AWAITED: "it waits, and goes on by itself when one is handed in (`skypanel images report`); what runs goes on",
        STOPPED: "its tasks are stopped; set another image, or have the policy allow it",
    }
    return f"{image}: {said}; {ends[verdict]}"


async def _note(context: Context, snapshot: EnvironmentSnapshot, found: VerdictSnapshot | None) -> None:
    """Write the verdict down where it is another one than the newest row says."""
    known = snapshot.verdict
    if found is None and known is not None and known.policy:
        image = runs(snapshot) or known.image
        found = VerdictSnapshot(image=image, verdict=ALLOWED, message="no image policy forbids anything")
    if found is None or found == known:
        return
    row = found.model_dump(mode="json")
    await context.write_row(VERDICTS, {"environment_id": context.id, "image": row.pop("image")}, row)
