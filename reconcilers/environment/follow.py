"""A tag that is followed: what it means now is asked for now and then, and another content is another release.

What was found is written down, and then goes the way of every release: so it is one release a move, whoever dies where.
Nothing leads back but another move of the tag: a content that fails, or is refused, is not tried again before the tag
means another one, or the spec changes; a release that is named ends the following for as long as it is named. Whatever
cannot be found out, or may not run, changes nothing of what runs: it is said, with the time since when that is so. A
tag that is back where it came from has to be there at two looks: a copy of a registry that is behind says so, too. A
mirror, which may be behind for longer than that, moves nothing: what it tells of a move the registry itself is asked.

Each environment has a second of its own in the interval, by its id, and is asked about from then on for a tenth of it:
so many do not ask at once, neither when a controller begins to lead, and nothing has to be remembered of when it was.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from reconcilers.environment.login import login_of
from reconcilers.environment.policies import may_come
from reconcilers.environment.supplies import content_of, note_facts
from reconcilers.images import Images
from reconcilers.outcomes import Done, Outcome, RequeueAfter, TerminalError, TransientError
from reconcilers.ports import Context
from specs.snapshot_parts import FollowedSnapshot
from specs.snapshots import EnvironmentSnapshot, ImageSnapshot
from specs.units import format_duration

_LEAST_WINDOW = 20.0
_MOST_CHARACTERS = 2000
_SHORT = 19
_BACK = "TagMovedBack"
_UNCONFIRMED = "a mirror says that it moved, and the registry itself, which has to say so too, does not"


async def followed(context: Context, snapshot: EnvironmentSnapshot) -> EnvironmentSnapshot:
    """``snapshot`` with what its tag means now, where it is followed, it is time, and that may run."""
    known = snapshot.resolved
    if known is None or not _follows(snapshot):
        return snapshot
    since, window = _turn(snapshot, context.now())
    if not context.requested and since >= window:
        return snapshot
    found, said = await _looked(context, snapshot, known)
    if (found, said) != (known, _known_of(snapshot)):
        await note_facts(context, found, said)  # before anything is done by it
    return snapshot.model_copy(update={"resolved": found, "followed": said})


def sooner(outcome: Outcome, context: Context, snapshot: EnvironmentSnapshot) -> Outcome:
    """``outcome``, with a look when it is time to ask again."""
    left = seconds_left(context, snapshot)
    if left is None:
        return outcome
    if isinstance(outcome, RequeueAfter):
        return RequeueAfter(min(outcome.seconds, left))
    return Done(after=left)


def seconds_left(context: Context, snapshot: EnvironmentSnapshot) -> float | None:
    """Until it is time to ask again; None: nobody follows it now."""
    if not _follows(snapshot):
        return None
    since, _ = _turn(snapshot, context.now())
    return float(snapshot.follow_seconds or 0) - since


def following(snapshot: EnvironmentSnapshot, *, failed: bool) -> dict[str, object]:
    """What is said of it in the status; empty where no tag is followed. ``failed``: what it means now does not run."""
    if not snapshot.follow_seconds:
        return {}
    every = {"interval": format_duration(timedelta(seconds=snapshot.follow_seconds))}
    found = _known_of(snapshot)
    if paused := _paused(snapshot):
        return {**every, "state": "paused", "message": paused}
    if found.reason is not None:
        return {**every, "state": "held", **found.model_dump(mode="json", exclude={"moved_from"})}
    if failed:
        said = "it is not well; nothing else is tried before the tag moves again, or the spec changes"
        return {**every, "state": "failed", "message": said}
    return {**every, "state": "following"}


def _paused(snapshot: EnvironmentSnapshot) -> str:
    """Why nothing is followed for now; empty: it is."""
    if snapshot.pinned is not None:
        return f"release {snapshot.pinned.version} is named: the tag is followed when release is cleared"
    if "@" in (snapshot.image_ref or ""):
        return "the image is named by a digest, which never moves"
    return "it is suspended: the tag is followed when that ends" if snapshot.suspended else ""


def _follows(snapshot: EnvironmentSnapshot) -> bool:
    return bool(snapshot.follow_seconds and snapshot.image_ref) and not _paused(snapshot)


def _turn(snapshot: EnvironmentSnapshot, now: datetime) -> tuple[float, float]:
    """Seconds since it was last time to ask, and for how many after that it is asked."""
    interval = float(snapshot.follow_seconds or 1)
    return (now.timestamp() - snapshot.id.int % 1_000_003) % interval, max(_LEAST_WINDOW, interval / 10)


async def _looked(
    context: Context, snapshot: EnvironmentSnapshot, known: ImageSnapshot
) -> tuple[ImageSnapshot, FollowedSnapshot]:
    """What is to run from now on, and what is to be remembered."""
    before = _known_of(snapshot)
    try:
        newest = await _newest(context, snapshot, known)
        if newest is None:  # so many ask that it is asked another time
            return known, before
        if _is_of(newest, known):
            return known, FollowedSnapshot(moved_from=before.moved_from)
        if newest == before.moved_from and not _still(context, snapshot):
            said = f"the tag moved back to {_short(newest)}, which runs when it is so at the next look, too"
            return known, _said(context, before, _BACK, said)
        found = await content_of(context, snapshot, newest)
    except (TerminalError, TransientError) as error:
        said = f"what the tag of {snapshot.image_ref} means now cannot be found out: {error.message}"
        return known, _said(context, before, error.reason, said)
    try:
        await may_come(context, snapshot.model_copy(update={"resolved": found}))
    except (TerminalError, TransientError) as error:
        said = f"the tag moved to {_short(newest)}, which does not run: {error.message}"
        return known, _said(context, before, error.reason, said)
    return found, FollowedSnapshot(moved_from=known.meant)


def _still(context: Context, snapshot: EnvironmentSnapshot) -> bool:
    """Whether it had moved back at the last look already, or somebody asks for this one."""
    before = _known_of(snapshot)
    if before.reason != _BACK or before.since is None:
        return context.requested
    return context.requested or (context.now() - before.since).total_seconds() * 2 > (snapshot.follow_seconds or 0)


def _known_of(snapshot: EnvironmentSnapshot) -> FollowedSnapshot:
    return snapshot.followed or FollowedSnapshot()


async def _newest(context: Context, snapshot: EnvironmentSnapshot, known: ImageSnapshot) -> str | None:
    """What its tag means now; None: nobody can be asked now. Several may be told the same answer.

    Raises:
        ReconcileError: it cannot be found out.
    """
    within = 0.0 if context.requested else float(snapshot.follow_seconds or 0) / 2
    login = await login_of(context, snapshot)
    reference, organization = snapshot.image_ref or "", context.organization_id
    ask = partial(context.port(Images).newest, reference, organization, login, within_seconds=within)
    found = await ask()
    if found is None or not found.second_hand or _is_of(found.pinned, known):
        return found.pinned if found is not None else None
    try:
        found = await ask(itself=True)
    except TransientError as error:
        raise TransientError(error.reason, f"{_UNCONFIRMED}: {error.message}") from None
    except TerminalError as error:
        raise TerminalError(error.reason, f"{_UNCONFIRMED}: {error.message}") from None
    return found.pinned if found is not None else None


def _is_of(newest: str, known: ImageSnapshot) -> bool:
    """Whether that is what is known, or an index of it."""
    return _content(newest) in (_content(known.pinned), *known.digests)


def _content(pinned: str) -> str:
    """The digest; of an image that only an engine has, its name."""
    return pinned.partition("@")[2] or pinned


def _short(pinned: str) -> str:
    return _content(pinned)[:_SHORT]


def _said(context: Context, before: FollowedSnapshot, reason: str, message: str) -> FollowedSnapshot:
    since = before.since if before.reason == reason else context.now()
    return FollowedSnapshot(
        moved_from=before.moved_from, reason=reason, message=message[:_MOST_CHARACTERS], since=since
    )
