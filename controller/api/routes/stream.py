"""A stream of what happens to all that the caller may see: objects as they stand, and events."""

from __future__ import annotations

from controller.actions.errors import ActionError
from controller.actions.paths import kind_of
from controller.api.asked import Answer, Asked
from controller.api.examples import SERVES, SERVES_AT
from controller.api.operations import Operation, Parameter, whole
from controller.api.problems import Fault, ProblemError
from controller.api.streams.follower import Following
from specs.kinds import KINDS, TENANT_WORD

_EXAMPLE = (
    "retry: 2000\n\n"
    'event: controller\ndata: {"alive": true, "reachesEngine": true}\n\n'
    "id: 1795849200.16384.7423:7423:\n\n"
    f'event: object\ndata: {{"kind": "{SERVES}", "path": "{SERVES_AT}", "metadata": {{"generation": 8}}, '
    '"status": {"ready": false, "reason": "RollingOut", "observedGeneration": 8}}\n\n'
    "id: 1795849201.16384.7425:7425:\n\n"
)


def _follow(asked: Asked) -> Answer:
    kinds = set()
    for said in filter(None, asked.query.get("kind", "").split(",")):
        try:
            kinds.add(kind_of(said))
        except ActionError as error:
            raise ProblemError("malformed", str(error), [Fault(error.hint, parameter="kind")]) from None
    path = tuple(filter(None, asked.query.get("path", "").split("/")))
    return Answer(follows=Following(frozenset(kinds), path, float(asked.query.get("seconds", 0))))


_MEANS = """\
Server-sent events, one stream for everything. `object`: one as it stands now, whenever it was written or something was
said of it. `gone`: its row is not there any more. `event`: as `/api/events` lists them. `controller`: whether anybody
vouches for what is said; while nobody does, every status is unknown. `reset`: what was missed is not known any more, so
read again what you show. `end`: why the server says no more. Read what you show after the first message came: nothing
falls between.""".replace("\n", " ")
_WORDS = ", ".join(cls.word() for cls in KINDS.values())

OPERATIONS = [
    Operation(
        "GET", "/api/stream", "follow", "events", "Follow what you may see: objects as they stand, and events.",
        _follow, _EXAMPLE,
        means=_MEANS,
        answers={"type": "string", "contentMediaType": "text/event-stream"},
        media_type="text/event-stream",
        parameters=(
            Parameter("kind", f"Only of these kinds, with commas between them: {_WORDS}."),
            Parameter("path", "Only of the object at this path, and of what is below it."),
            Parameter(TENANT_WORD, "As `X-Organization-ID`, which no EventSource can send; the header goes before it."),
            Parameter("seconds", "So long; without end when left out.", whole(1, 86400)),
            Parameter("Last-Event-ID", "The last `id` that came: it goes on from there, within an hour.", header=True),
        ),
        problems=("malformed",),
    )
]  # fmt: skip
