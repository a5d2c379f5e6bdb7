"""Takes away all that lives for an object that is no longer wanted, behind the fuse.

    remove what lives -> nothing lives, by the engine itself -> no task stops any more -> give back -> finished

The inventory keeps its rows until the second step: a crash in the first is found by them.
"""

from __future__ import annotations

from controller.loop.context import ReconcileContext
from controller.loop.tools import Tools
from controller.records import Loaded
from reconcilers.conditions import progressing
from reconcilers.objects import Objects
from reconcilers.outcomes import Done, NotReadyError, Outcome, RequeueAfter
from reconcilers.registry import Finalize

_GONE_POLL_SECONDS, _STOPPING_POLL_SECONDS = 0.3, 10.0


async def remove(context: ReconcileContext, loaded: Loaded, tools: Tools, finalize: Finalize | None = None) -> Outcome:
    """One step on the way to nothing.

    Raises:
        FuseTrippedError: it waits for a confirmation.
        ConflictError: it is wanted, as far as the database says now.
        NotReadyError: something of somebody else uses what should go.
    """
    key = loaded.key
    tools.gates.forget(key)
    changes = tools.swarm.plan(key, Objects(), loaded.made)
    if changes.changes:
        await tools.gates.removal(key)
        context.convergence.note_plan(changes)
        if loaded.document is not None:
            context.draft.state_all(
                progressing("Deleting", "its objects on the Swarm are being removed; it is gone when none is left")
            )
        await context.convergence.carry_out(changes, forget=False)
        return RequeueAfter(_patiently(context) if context.convergence.unfinished else _GONE_POLL_SECONDS)
    if changes.kept:
        name, why = next(iter(changes.kept.items()))
        raise NotReadyError("InUse", f"network {name}: {why}; it is removed after that", retry_after=_GONE_POLL_SECONDS)
    # The live view shows nothing; intents that never became objects, and confirmed removals, are struck off.
    still_there = await context.convergence.strike_off(loaded.made)
    context.trace.lap("observe", "an unknown object still exists" if still_there else "nothing lives")
    if still_there:
        return RequeueAfter(_GONE_POLL_SECONDS)
    if (loaded.status or {}).get("finalized"):
        return Done()
    stopping = await tools.swarm.stopping(key) if _may_run(loaded) else 0
    if stopping:
        if loaded.document is not None:
            text = f"Stopping: {stopping} task(s) were asked to stop and still run; it is gone when they have ended"
            context.draft.state(progressing("Deleting", text))
        return RequeueAfter(_patiently(context))
    if loaded.beyond:
        await tools.gates.removal(key)
        await context.externals.give_back()
    if finalize is not None:
        await finalize(context)
    return _finish(context, loaded)


def _finish(context: ReconcileContext, loaded: Loaded) -> Outcome:
    if loaded.document is not None or loaded.status:
        context.draft.finish()
    return Done()


def _patiently(context: ReconcileContext) -> float:
    """Seconds until the next look while tasks stop: the longer they take, the longer."""
    return min(_STOPPING_POLL_SECONDS, max(_GONE_POLL_SECONDS, context.waiting_seconds / 5))


def _may_run(loaded: Loaded) -> bool:
    """Whether tasks may still stop; not where it was last said of all its services that they want and have none."""
    services = ((loaded.status or {}).get("details") or {}).get("services")
    return not services or any(said.get("desired") or said.get("stopping") for said in services.values())
