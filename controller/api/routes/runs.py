"""Runs over HTTP: have a command run once in an environment, and have one stop. All else is as of every kind."""

from __future__ import annotations

from controller.actions.runs import OWNER, STOPPED, name_of
from controller.api import places
from controller.api.asked import Answer, Asked
from controller.api.body import JSON
from controller.api.examples import object_example, spec_example
from controller.api.operations import Operation
from controller.api.routes import deeds, objects, shared
from controller.declared.writer import Target, Written
from specs.kinds import KINDS, RUN
from specs.problems import InvalidSpec, Problem

_KEY = "idempotency-key"


def made() -> list[Operation]:
    """Both."""
    cls, area = KINDS[RUN], places.areas(RUN)[-1]
    return [
        Operation(
            "POST", places.collection(area, RUN, nested=True), f"make{RUN}", f"{area}: {cls.plural()}",
            f"Have a command run once in an {KINDS[OWNER].word()}, with its image, config vars and limits.", _make,
            object_example(RUN), status=201, answers={"$ref": f"#/components/schemas/{RUN}Object"},
            parameters=(shared.DRY_RUN, shared.WAIT, shared.IDEMPOTENCY_KEY, shared.REASON),
            problems=("not-found", *objects.WRITTEN), forms=(JSON,),
            sent={"spec": spec_example(RUN)}, takes={"$ref": f"#/components/schemas/{RUN}Sent"},
            writes=True, means="Its name is made; with an `Idempotency-Key` it is the same each time, so what is sent "
            "again is not run again. `wait` waits until it is over; `status.details` has `outcome` and `exitCode`. "
            f"Who may deploy the {KINDS[OWNER].word()} may do this, as what runs can read its config vars.",
        ),
        deeds.operation(
            RUN, "stop", f"Have a {cls.word()} stop: its program is asked to end, and then ended.", _stop, {}, {},
            "It sets `stopped` in the spec, which cannot be taken back. One that has not begun never does.",
            optional=True,
        ),
    ]  # fmt: skip


def _make(asked: Asked) -> Answer:
    owner = places.path_in(OWNER, asked.names)
    shared.refuse_others(asked, OWNER, owner)
    asked.refuse_unless("deploy", OWNER, owner)
    shared.found(asked, OWNER, owner)
    key, caller = asked.headers.get(_KEY), asked.caller
    said = (key, str(caller.organization), caller.actor, caller.means, "/".join(owner)) if key else ()
    path = (*owner, name_of(*map(str, said)))
    if not isinstance(asked.body, dict) or "metadata" in asked.body:
        raise InvalidSpec([Problem("metadata", None, "is not sent: the name is made", 'send {"spec": {...}}')])
    entry, now = places.posted(RUN, path, asked.body), shared.living(asked, RUN, path)
    if now is not None:  # of this key, whose answer was lost
        written = Written(Target(RUN, path, entry=entry), now.id, "unchanged")
        return objects.done(places.areas(RUN)[-1], asked, written, [(KINDS[RUN].word(), now.id)])
    return objects.write(places.areas(RUN)[-1], RUN, asked, path, lambda _: entry, replaces=True)


def _stop(kind: str, asked: Asked) -> Answer:
    path = shared.place(asked, kind, "deploy")
    shared.fields(asked.body, {})
    shared.found(asked, kind, path)
    return objects.write(
        places.areas(kind)[-1],
        kind,
        asked,
        path,
        lambda now: places.posted(kind, path, places.merged({} if now is None else now.document(), {"spec": STOPPED})),
        replaces=False,
    )
