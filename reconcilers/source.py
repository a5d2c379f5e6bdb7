"""Source: a repository or a folder whose spec files are declared for its organization, again and again.

Nothing of it lives on the Swarm. Expected flow: it is fetched -> its signature is looked at, where signers are named ->
all files are read -> all of it is declared in one transaction -> Ready, with the commit. What is wrong anywhere changes
nothing: what was declared before stays as it is, and ``Fetched``, ``Verified`` and ``Applied`` say which of them is in
the way. It is looked at again after its interval, when somebody asks (``skypanel source sync``), and when others have
changed what it declares: that is taken back. ``Contested`` says who goes on with it. ``Doubtful`` says what a file
has in it and hardly means to: a secret in clear.
"""

from __future__ import annotations

from collections.abc import Sequence

from reconcilers.conditions import Condition, progressing, ready, stalled
from reconcilers.objects import Objects
from reconcilers.outcomes import Done, Outcome, RequeueAfter
from reconcilers.ports import Context, LookAhead
from reconcilers.registry import reconciler
from reconcilers.sources import SourceError, Sources, Taken, Verify, Wanted
from specs.snapshots import SourceSnapshot

FETCHED = "Fetched"
VERIFIED = "Verified"
APPLIED = "Applied"
CONTESTED = "Contested"
DOUBTFUL = "Doubtful"
SHOWN_PROBLEMS = 20
_AGAIN_SECONDS = 30.0


def preview(_: SourceSnapshot, __: LookAhead) -> Objects:
    """Nothing on the Swarm."""
    return Objects()


@reconciler("source", snapshot=SourceSnapshot, preview=preview, uses=(Sources,), concurrency=2, limited=False)
async def reconcile_source(context: Context, snapshot: SourceSnapshot) -> Outcome:
    """Fetch one source and declare what it holds."""
    interval = float(snapshot.interval_seconds)
    if snapshot.suspended:
        context.report(ready("Suspended", f"it is not looked at; {_last(snapshot)}"), details=_details(snapshot))
        return Done()
    wanted = wanted_of(snapshot)
    port = context.port(Sources)
    try:
        commit = await port.fetch(wanted)
    except SourceError as error:
        return _refuse(context, snapshot, error, [Condition(FETCHED, "False", error.reason, error.message)])
    known = [Condition(FETCHED, "True", FETCHED, f"{wanted.asks_for} is {commit}")]
    if wanted.verify is not None:
        try:
            signed = await port.verify(wanted, commit)
        except SourceError as error:
            known.append(Condition(VERIFIED, "False", error.reason, error.message))
            return _refuse(context, snapshot, error, known, commit)
        known.append(Condition(VERIFIED, "True", VERIFIED, f"{commit[:19]} is signed by {signed}"))
    try:
        declared = await port.declare(wanted, commit)
    except SourceError as error:
        applied = Condition(APPLIED, "False", error.reason, error.message)
        return _refuse(context, snapshot, error, [*known, applied], commit)
    counted = f"{declared.objects} object(s)"
    if declared.variables:
        counted += f" and {declared.variables} config var(s)"
    said = f"{counted} of {declared.files} file(s) are as {commit[:19]} declares them"
    details: dict[str, object] = {"commit": commit, "applied": commit}
    details |= {"files": declared.files, "objects": declared.objects}
    if declared.variables:
        details["variables"] = declared.variables
    conditions = [*ready(APPLIED, said), *known, Condition(APPLIED, "True", APPLIED, said)]
    if declared.contested:
        conditions.append(_contested(declared.contested, snapshot.interval_seconds))
        details["contested"] = [
            {"object": each.object, "fields": list(each.fields), "by": each.by} for each in declared.contested
        ]
    if declared.doubts:
        more = f" (and {len(declared.doubts) - 1} more)" if len(declared.doubts) > 1 else ""
        conditions.append(
            Condition(
                DOUBTFUL, "True", "HardlyMeant", f"{declared.doubts[0]}{more}; it is looked at again after the interval"
            )
        )
        details["doubts"] = list(declared.doubts)
    context.report(tuple(conditions), details=details)
    return Done(after=interval)


def _contested(others: Sequence[Taken], seconds: int) -> Condition:
    """Somebody changes again and again what the source declares."""
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    return Condition(
        CONTESTED, "True", "OthersChange",
        f"{others[0]}{more}: changed again and again, and taken back every {seconds} s: "
        "let one of both go, or suspend the source",
    )  # fmt: skip


def wanted_of(snapshot: SourceSnapshot) -> Wanted:
    """The source as the port is asked for it."""
    return Wanted(
        id=str(snapshot.id),
        generation=snapshot.generation,
        organization_id=str(snapshot.organization.id),
        organization=snapshot.organization.slug,
        name=snapshot.name,
        repository=snapshot.repo_url,
        directory=snapshot.directory,
        branch=snapshot.branch,
        tag=snapshot.tag,
        commit=snapshot.commit,
        path=snapshot.path,
        username=snapshot.username,
        revision=str(snapshot.revision) if snapshot.sealed else None,
        identities=snapshot.identities,
        values=None if snapshot.overlay is None else tuple(sorted(snapshot.overlay.items())),
        verify=None if snapshot.verify is None else Verify(snapshot.verify.ssh, snapshot.verify.openpgp),
    )


def _refuse(
    context: Context, snapshot: SourceSnapshot, error: SourceError, said: Sequence[Condition], commit: str | None = None
) -> Outcome:
    """Say that it is not as it should be; what it has declared before stays."""
    message = f"{error.message}; {_last(snapshot)}"
    first, state = (progressing if error.passes else stalled)(error.reason, message)
    details: dict[str, object] = {**_details(snapshot), **({"commit": commit} if commit else {})}
    if error.problems:
        details["problems"] = list(error.problems[:SHOWN_PROBLEMS])
    context.report((first, *said, state), details=details)
    interval = float(snapshot.interval_seconds)
    return RequeueAfter(min(interval, _AGAIN_SECONDS)) if error.passes else Done(after=interval)


def _last(snapshot: SourceSnapshot) -> str:
    if snapshot.applied is None:
        return "nothing of it was declared yet"
    return f"what {snapshot.applied[:19]} declares stays as it is"


def _details(snapshot: SourceSnapshot) -> dict[str, object]:
    return {"applied": snapshot.applied} if snapshot.applied else {}
